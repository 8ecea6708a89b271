import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { BuiltInSink } from '#core/sink.ts';
import { deliverAll } from './delivery.ts';
import { LEASE_TTL_MS } from './lease-keeper.ts';
import { doc, docs, hasEnded, OF, pass, until } from './fixtures/engine-world.ts';
import {
  builtInTarget,
  keyPerPartition,
  openDeliveryWorld,
  partitionOfKey,
  sinkOf,
  versions,
  type DeliveryWorld,
} from './fixtures/delivery-world.ts';

type Apply = BuiltInSink['apply'];

const rowsIn = async ({ store }: DeliveryWorld) =>
  (await store.timeline.query({ tenants: [OF.tenant], limit: 1000 })).rows;
const timelineOf = (world: DeliveryWorld, apply: (real: Apply) => Apply = (real) => real): BuiltInSink => {
  const { timeline } = world.store;
  return {
    name: timeline.name,
    apply: apply((partition, entries, fence) => timeline.apply(partition, entries, fence)),
  };
};

describe('delivery to a sink in the store', () => {
  test('everything that was in the log and everything that comes reaches it, once', async () => {
    const world = openDeliveryWorld();
    await world.put(...docs(300, 'before'));
    const { stop } = world.deliver(builtInTarget(timelineOf(world)));
    await world.drained();
    await world.put(...docs(300, 'after'));
    await world.drained();
    await stop();
    expect(new Set((await rowsIn(world)).map(({ event }) => event.id)).size).toBe(600);
  });

  test("a key's events arrive in the order they were accepted, over many batches", async () => {
    const world = openDeliveryWorld();
    const seen: number[] = [];
    const { stop } = world.deliver(
      builtInTarget(
        timelineOf(world, (real) => (partition, entries, fence) => {
          seen.push(...entries.map(({ event }) => event.version));
          return real(partition, entries, fence);
        }),
      ),
    );
    await world.put(...versions('k', 700));
    await world.drained();
    await stop();
    expect(seen).toEqual(Array.from({ length: 700 }, (_, index) => index + 1));
  });

  test('a store that fails for a while loses nothing, makes no dead letter and keeps the order (I6)', async () => {
    const world = openDeliveryWorld();
    let failures = 5;
    const waitsMs: number[] = [];
    const sink = timelineOf(
      world,
      (real) =>
        (...call) =>
          failures-- > 0 ? Promise.reject(new Fault('storage_full', 'no space')) : real(...call),
    );
    const { stop } = world.deliver(builtInTarget(sink), { onFault: (_, __, nextInMs) => waitsMs.push(nextInMs) });
    await world.put(...versions('k', 5));
    await pass(world.clock, 60_000, 500);
    await world.drained();
    await stop();
    expect(waitsMs).toHaveLength(5);
    expect(waitsMs).toEqual(waitsMs.toSorted((a, b) => a - b));
    expect((await rowsIn(world)).map(({ event }) => event.version).toSorted()).toEqual([1, 2, 3, 4, 5]);
    expect(await world.store.deadLetters.count(OF)).toBe(0);
  });

  test('a failure that is over is forgotten: the next one is tried again as soon as the first', async () => {
    const world = openDeliveryWorld();
    const waitsMs: number[] = [];
    let failing = true;
    const sink = timelineOf(
      world,
      (real) =>
        (...call) =>
          failing ? Promise.reject(new Fault('storage_full', 'no space')) : real(...call),
    );
    const { stop } = world.deliver(builtInTarget(sink), { onFault: (_, __, nextInMs) => waitsMs.push(nextInMs) });
    await world.put(doc('k', 1));
    await pass(world.clock, 10_000, 500);
    failing = false;
    await pass(world.clock, 30_000, 500);
    const before = waitsMs.length;
    failing = true;
    await world.put(doc('k', 2));
    await until(world.clock, 'it fails again', () => waitsMs.length > before);
    await stop();
    expect(waitsMs[before]).toBeLessThan(500);
  });

  test('a partition that fails does not hold up another one', async () => {
    const world = openDeliveryWorld();
    const [bad = '', good = ''] = keyPerPartition();
    const sink = timelineOf(
      world,
      (real) =>
        (partition, ...rest) =>
          partition === partitionOfKey(bad) ? Promise.reject(new Error('stuck')) : real(partition, ...rest),
    );
    const { stop } = world.deliver(builtInTarget(sink));
    await world.put(doc(bad), doc(good));
    await until(world.clock, 'the other one is there', async () => (await rowsIn(world)).length === 1);
    await stop();
    expect((await rowsIn(world)).map(({ event }) => event.key)).toEqual([good]);
  });
});

describe('ownership of a partition (I5)', () => {
  test('one that somebody else owns is left alone, and taken over when it is free', async () => {
    const world = openDeliveryWorld();
    const lease = partitionLeaseName('timeline', partitionOfKey('k'));
    const other = await world.leases.acquire(lease, 'other', 10_000);
    await world.put(doc('k'));
    const { stop } = world.deliver(builtInTarget(timelineOf(world)));
    await world.clock.advance(5000);
    expect(await rowsIn(world)).toHaveLength(0);
    expect(other).toBeDefined();
    await pass(world.clock, 10_000);
    await world.drained();
    await stop();
    expect(await rowsIn(world)).toHaveLength(1);
  });

  test('an owner that is told it was fenced writes nothing more until it owns the partition anew', async () => {
    const world = openDeliveryWorld();
    const tokens: number[] = [];
    const { leases } = world;
    const sink = timelineOf(world, (real) => async (partition, entries, fence) => {
      tokens.push(fence.token);
      if (tokens.length > 1) return real(partition, entries, fence);
      await leases.release(fence); // frozen for longer than its lease
      await leases.acquire(fence.lease, 'other', 3000);
      return real(partition, entries, fence);
    });
    const { stop } = world.deliver(builtInTarget(sink));
    await world.put(doc('k'));
    await until(world.clock, 'the first try', () => tokens.length === 1);
    await world.clock.advance(2000);
    expect(tokens).toHaveLength(1);
    await pass(world.clock, 5000);
    await world.drained();
    await stop();
    expect(tokens).toHaveLength(2);
    expect(tokens[1]).toBeGreaterThan((tokens[0] ?? 0) + 1);
    expect(await rowsIn(world)).toHaveLength(1);
  });

  test('a lease lost while nothing happens is asked for again', async () => {
    const world = openDeliveryWorld();
    const { stop } = world.deliver(builtInTarget(timelineOf(world)));
    await world.put(doc('k'));
    await world.drained();
    const lease = partitionLeaseName('timeline', partitionOfKey('k'));
    for (let token = 2 ** 32; token < 2 ** 32 + 100; token += 1) await world.leases.release({ lease, token });
    expect(await world.leases.acquire(lease, 'other', 1000)).toBeDefined();
    await pass(world.clock, LEASE_TTL_MS, 5000);
    await world.put(doc('k', 2));
    await world.drained();
    await stop();
    expect(await rowsIn(world)).toHaveLength(2);
  });

  test('wall clock steps of an hour change nothing', async () => {
    const world = openDeliveryWorld();
    const { stop } = world.deliver(builtInTarget(timelineOf(world)));
    for (const [version, stepMs] of [3_600_000, -7_200_000, 3_600_000].entries()) {
      world.clock.stepWall(stepMs);
      await world.clock.advance(1000);
      await world.put(doc('k', version));
      await world.drained();
    }
    await stop();
    expect(await rowsIn(world)).toHaveLength(3);
  });
});

describe('stopping', () => {
  test('while nothing is to be done ends at once, and leaves no timer, no lease and no listener', async () => {
    const world = openDeliveryWorld();
    const stop = new AbortController();
    const { env, log, leases, clock } = world;
    const done = deliverAll({ env, log, leases, owner: 'test' }, builtInTarget(timelineOf(world)), stop.signal);
    await world.put(doc('k'));
    await world.drained();
    stop.abort();
    expect(await hasEnded(clock, done)).toBe(true);
    expect(clock.sleeping).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
    expect(await leases.acquire(partitionLeaseName('timeline', partitionOfKey('k')), 'next', 1000)).toBeDefined();
  });

  test('while it backs off ends at once', async () => {
    const world = openDeliveryWorld();
    let tries = 0;
    const sink = timelineOf(world, () => () => {
      tries += 1;
      return Promise.reject(new Error('down'));
    });
    const { done, stop } = world.deliver(builtInTarget(sink));
    await world.put(doc('k'));
    await until(world.clock, 'it has failed', () => tries === 1);
    void stop();
    expect(await hasEnded(world.clock, done)).toBe(true);
  });

  test('while it waits for a lease ends at once', async () => {
    const world = openDeliveryWorld();
    await world.leases.acquire(partitionLeaseName('timeline', 3), 'other', 1e9);
    const { done, stop } = world.deliver(builtInTarget(timelineOf(world)));
    await world.clock.advance(500);
    void stop();
    expect(await hasEnded(world.clock, done)).toBe(true);
  });

  test('lets the batch in hand settle, and begins no other', async () => {
    const world = openDeliveryWorld();
    const gate = Promise.withResolvers<void>();
    let batches = 0;
    const sink = timelineOf(world, (real) => async (...call) => {
      batches += 1;
      await gate.promise;
      return real(...call);
    });
    const { stop } = world.deliver(builtInTarget(sink));
    await world.put(...versions('k', 600));
    await until(world.clock, 'a batch is in hand', () => batches === 1);
    const stopping = stop();
    gate.resolve();
    await stopping;
    expect(batches).toBe(1);
    expect((await rowsIn(world)).length).toBeGreaterThan(0);
  });
});

describe('a log that fails', () => {
  const shaky = (world: DeliveryWorld, method: 'register' | 'read' | 'wait'): DeliveryWorld['log'] => {
    let failures = 1;
    return new Proxy(world.log, {
      get: (of, name) => {
        const member: unknown = Reflect.get(of, name);
        if (name !== method || typeof member !== 'function')
          return typeof member === 'function' ? (member.bind(of) as unknown) : member;
        return (...args: unknown[]): unknown =>
          failures-- > 0
            ? Promise.reject(new Fault('storage_full', 'no space'))
            : (Reflect.apply(member, of, args) as unknown);
      },
    });
  };

  test.for(['read', 'wait', 'register'] as const)(
    'once when asked to %s is asked again, and delivery goes on',
    async (method) => {
      const world = openDeliveryWorld();
      await world.log.register('timeline');
      const { done, stop } = world.deliver(builtInTarget(timelineOf(world)), { log: shaky(world, method) });
      let failed: unknown;
      done.catch((error: unknown) => {
        failed = error;
      });
      await world.put(...keyPerPartition().map((key) => doc(key)));
      await pass(world.clock, 70_000, 2000);
      expect(failed).toBeUndefined();
      expect(await rowsIn(world)).toHaveLength(16);
      await stop();
    },
  );

  test('and leases that fail once are asked again', async () => {
    const world = openDeliveryWorld();
    let failures = 1;
    const { leases } = world;
    const shakyLeases: Leases = {
      acquire: (...call) =>
        failures-- > 0 ? Promise.reject(new Fault('storage_unknown', 'no answer')) : leases.acquire(...call),
      renew: (...call) => leases.renew(...call),
      release: (fence) => leases.release(fence),
    };
    const { done, stop } = world.deliver(builtInTarget(timelineOf(world)), { leases: shakyLeases });
    let failed: unknown;
    done.catch((error: unknown) => {
      failed = error;
    });
    await world.put(...keyPerPartition().map((key) => doc(key)));
    await pass(world.clock, 70_000, 2000);
    expect(failed).toBeUndefined();
    expect(await rowsIn(world)).toHaveLength(16);
    await stop();
  });
});

test('two sinks are two readers: each gets everything', async () => {
  const world = openDeliveryWorld();
  const [one, two] = [sinkOf(undefined, 'one'), sinkOf(undefined, 'two')];
  const loops = [one, two].map(({ sink }) => world.deliver(world.external(sink)));
  await world.put(...docs(50));
  await until(world.clock, 'both have registered', async () => (await world.log.stats()).readers.length === 2);
  await world.drained();
  for (const { stop } of loops) await stop();
  expect([one.written.length, two.written.length]).toEqual([50, 50]);
});
