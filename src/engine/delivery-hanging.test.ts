import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { WriteResult } from '#core/sink.ts';
import { healthOf } from './delivery.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import { doc, hasEnded, pass, until } from './fixtures/engine-world.ts';
import {
  keyPerPartition,
  openDeliveryWorld,
  partitionOfKey,
  reject,
  sinkOf,
  versions,
  versionsOf,
  WRITTEN,
} from './fixtures/delivery-world.ts';

const LATE_MS = DELIVERY_LIMITS.writeMs + DELIVERY_LIMITS.graceMs;

describe('a write that does not come back', () => {
  test('is never overlapped by another one of its partition, and the sink says that it waits', async () => {
    const world = openDeliveryWorld();
    const first = Promise.withResolvers<readonly WriteResult[]>();
    const outside = sinkOf((entries) => (outside.offered.length === 1 ? first.promise : entries.map(() => WRITTEN)));
    const target = world.external(outside.sink);
    const health = healthOf(target, world);
    const { stop } = world.deliver(target, { health });
    await world.put(...versions('k', 3));
    await pass(world.clock, LATE_MS + 600_000, 5000);
    expect(outside.offered).toHaveLength(1);
    expect(health.view()).toMatchObject({ state: 'waiting', trouble: { fault: { code: 'sink_unavailable' } } });
    // What it says in the end is not looked at: the same ids come again (I12).
    first.resolve([reject(), reject(), reject()]);
    await pass(world.clock, 10_000, 500);
    await stop();
    expect(new Set(versionsOf(outside.written, 'k'))).toEqual(new Set([1, 2, 3]));
    expect(await world.letters()).toEqual([]);
    expect(health.view().state).toBe('delivering');
  });

  test('is not overlapped either when the store fails while it hangs', async () => {
    const world = openDeliveryWorld();
    const outside = sinkOf(() => new Promise(() => undefined));
    let broken = 0;
    const log = new Proxy(world.log, {
      get: (of, name) => {
        if (name !== 'dispatch') return (Reflect.get(of, name) as () => unknown).bind(of);
        return (...call: Parameters<typeof of.dispatch>) => {
          if (call[2].open) return of.dispatch(...call);
          broken += 1;
          return Promise.reject(new Fault('storage_full', 'no room'));
        };
      },
    });
    const { stop } = world.deliver(world.external(outside.sink), { log });
    await world.put(...versions('k', 3));
    await pass(world.clock, LATE_MS + 600_000, 5000);
    expect(broken).toBeGreaterThan(0);
    expect(outside.offered).toHaveLength(1);
    const stopping = stop();
    await world.clock.advance(2 * DELIVERY_LIMITS.graceMs);
    await stopping;
  });

  test('is not overlapped either when its partition was lost and got back meanwhile', async () => {
    const world = openDeliveryWorld();
    const outside = sinkOf(() => new Promise(() => undefined));
    const target = world.external(outside.sink);
    const health = healthOf(target, world);
    const { stop } = world.deliver(target, { health });
    await world.put(doc('k'));
    await until(world.clock, 'it is written', () => outside.offered.length === 1);
    const lease = partitionLeaseName('outside', partitionOfKey('k'));
    for (let token = 2 ** 32; token < 2 ** 32 + 100; token += 1) await world.leases.release({ lease, token });
    await world.leases.acquire(lease, 'next', 1000);
    await pass(world.clock, 600_000, 10_000);
    expect(outside.offered).toHaveLength(1);
    expect(health.view()).toMatchObject({ state: 'waiting', trouble: { fault: { code: 'sink_unavailable' } } });
    const stopping = stop();
    await world.clock.advance(2 * DELIVERY_LIMITS.graceMs);
    await stopping;
  });

  test('does not keep other partitions from their turn, however many hang', async () => {
    const world = openDeliveryWorld();
    const keys = keyPerPartition();
    const stuck = new Set(keys.slice(0, 10));
    const { sink, written } = sinkOf((entries) =>
      entries.some(({ event }) => stuck.has(event.key)) ? new Promise(() => undefined) : entries.map(() => WRITTEN),
    );
    const { done, stop } = world.deliver(world.external(sink));
    await world.put(...keys.map((key) => doc(key)));
    await pass(world.clock, 4 * LATE_MS, 5000);
    expect(written).toHaveLength(6);
    void stop();
    await world.clock.advance(2 * DELIVERY_LIMITS.graceMs);
    expect(await hasEnded(world.clock, done)).toBe(true);
  });

  test('and is stopped is no attempt at the next start', async () => {
    const world = openDeliveryWorld();
    const { sink, calls } = sinkOf(() => new Promise(() => undefined));
    const { done, stop } = world.deliver(world.external(sink));
    await world.put(doc('k'));
    await until(world.clock, 'it is written', () => calls.includes('write'));
    void stop();
    await world.clock.advance(2 * DELIVERY_LIMITS.graceMs);
    expect(await hasEnded(world.clock, done)).toBe(true);
    expect(await world.log.dispatched('outside', partitionOfKey('k'))).toMatchObject({ attempts: 0, open: false });
  });

  test('nor is one that came back while the store could not take the position', async () => {
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf();
    const log = new Proxy(world.log, {
      get: (of, name) => {
        if (name === 'commit') return () => Promise.reject(new Fault('storage_full', 'no space'));
        const member: unknown = Reflect.get(of, name);
        return typeof member === 'function' ? (member.bind(of) as unknown) : member;
      },
    });
    const { stop } = world.deliver(world.external(sink), { log });
    await world.put(doc('k'));
    await pass(world.clock, 5000, 500);
    await stop();
    expect(written.length).toBeGreaterThan(1);
    expect(await world.log.dispatched('outside', partitionOfKey('k'))).toMatchObject({ attempts: 0, open: false });
  });

  test('of an owner that lost its partition is fenced when it does, and changes nothing (I5)', async () => {
    const world = openDeliveryWorld();
    const gate = Promise.withResolvers<void>();
    const zombie = sinkOf(async (entries) => {
      await gate.promise;
      return entries.map(reject);
    });
    const lease = partitionLeaseName('outside', partitionOfKey('k'));
    const old = world.deliver(world.external(zombie.sink));
    await world.put(...versions('k', 4));
    await until(world.clock, 'the first owner writes', () => zombie.offered.length === 1);
    for (let token = 2 ** 32; token < 2 ** 32 + 100; token += 1) await world.leases.release({ lease, token });
    const fence = await world.leases.acquire(lease, 'next', 1e9);
    if (fence === undefined) throw new Error('the partition is not free');
    expect(await world.log.commit('outside', partitionOfKey('k'), 2, fence)).toBe('committed');
    gate.resolve();
    await pass(world.clock, 5000, 500);
    await old.stop();
    expect(await world.letters()).toEqual([]);
    expect((await world.log.read('outside', partitionOfKey('k'), 10)).map(({ event }) => event.version)).toEqual([
      3, 4,
    ]);
  });
});

test('a slow sink does not slow another one', async () => {
  const world = openDeliveryWorld();
  const slow = sinkOf(async (entries) => {
    await world.clock.sleep(10_000);
    return entries.map(() => WRITTEN);
  }, 'slow');
  const fast = sinkOf(undefined, 'fast');
  const loops = [slow, fast].map(({ sink }) => world.deliver(world.external(sink)));
  await world.put(...versions('k', 1000));
  await pass(world.clock, 1000, 100);
  expect([fast.written.length, slow.written.length]).toEqual([1000, 0]);
  await pass(world.clock, 60_000, 2000);
  for (const { stop } of loops) await stop();
  expect(slow.written).toHaveLength(1000);
});
