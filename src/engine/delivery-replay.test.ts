import { describe, expect, test } from 'vitest';
import type { LogEntry } from '#core/event-log.ts';
import { doc, docs, OF, pass } from './fixtures/engine-world.ts';
import { receiver } from './fixtures/delivery-programs.ts';
import {
  builtInTarget,
  openDeliveryWorld,
  reject,
  retry,
  sinkOf,
  untilAborted,
  versions,
  versionsOf,
  WRITTEN,
  type Answer,
  type DeliveryWorld,
} from './fixtures/delivery-world.ts';

const queueAll = (world: DeliveryWorld) => world.store.deadLetters.queue({ tenants: [OF.tenant] });

/** A world in which version 2 of `k` is a dead letter of a sink that answers so from then on. */
async function withLetter(then: (entries: readonly LogEntry[]) => ReturnType<Answer>) {
  const world = openDeliveryWorld();
  const to = receiver();
  const mood = { repaired: false };
  const outside = sinkOf((entries) => {
    if (mood.repaired) return then(entries);
    return entries.map((entry) => (entry.event.version === 2 ? reject() : to.take(entry)));
  });
  const { stop } = world.deliver(world.external(outside.sink));
  await world.put(...versions('k', 3));
  await pass(world.clock, 1000, 500);
  mood.repaired = true;
  return { world, to, ...outside, stop };
}

describe('a dead letter that is put back', () => {
  test('reaches its sink with its own id and version, and is gone when the sink has it', async () => {
    const { world, offered, stop } = await withLetter((entries) => entries.map(() => WRITTEN));
    const [letter] = await world.letters();
    expect(await queueAll(world)).toBe(1);
    await pass(world.clock, 1000, 500);
    await stop();
    expect(offered.at(-1)).toMatchObject([{ position: 2, event: { id: letter?.eventId, version: 2 } }]);
    expect(await world.letters()).toEqual([]);
  });

  test('never overwrites newer state: the sink says that it is stale, and it is gone (I4)', async () => {
    const result = await withLetter((entries) => entries.map((entry) => result.to.take(entry)));
    const { world, to, stop } = result;
    await queueAll(world);
    await pass(world.clock, 1000, 500);
    await stop();
    expect([to.held.get('k'), await world.letters()]).toEqual([3, []]);
  });

  test('and is rejected again is dead again, with one attempt more (P16)', async () => {
    const { world, stop } = await withLetter((entries) => entries.map(reject));
    await queueAll(world);
    await pass(world.clock, 1000, 500);
    await stop();
    expect(await world.letters()).toMatchObject([{ state: 'dead', attempts: 2 }]);
  });

  test('and fails alone while the sink is well is dead again, after one try', async () => {
    const { world, offered, stop } = await withLetter((entries) => entries.map(retry));
    const before = offered.length;
    await queueAll(world);
    await pass(world.clock, 120_000, 1000);
    await stop();
    expect(offered).toHaveLength(before + 1);
    expect(await world.letters()).toMatchObject([{ state: 'dead', attempts: 2 }]);
  });

  test('to a sink that is out stays queued, uses up nothing, and goes when the sink is back', async () => {
    const { world, state, stop } = await withLetter((entries) => entries.map(() => WRITTEN));
    state.down = true;
    await queueAll(world);
    await pass(world.clock, 600_000, 20_000);
    expect(await world.letters()).toMatchObject([{ state: 'queued', attempts: 1 }]);
    state.down = false;
    await pass(world.clock, 80_000, 5000);
    await stop();
    expect(await world.letters()).toEqual([]);
  });

  test('to a sink that is out and says so event by event stays queued too', async () => {
    const { world, sink, stop } = await withLetter((entries) => entries.map(retry));
    sink.ping = () => Promise.reject(new Error('down'));
    await queueAll(world);
    await pass(world.clock, 600_000, 20_000);
    await stop();
    expect(await world.letters()).toMatchObject([{ state: 'queued', attempts: 1 }]);
  });

  test('beside a bad one in the same batch goes through, and only the bad one is dead again', async () => {
    const world = openDeliveryWorld();
    let repaired = false;
    const { sink, written } = sinkOf((entries) => {
      if (!repaired) return entries.map(({ event }) => (event.version > 10 ? WRITTEN : reject()));
      if (entries.some(({ event }) => event.version === 4)) throw new Error('answered 500');
      return entries.map(() => WRITTEN);
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 11));
    await pass(world.clock, 1000, 500);
    repaired = true;
    expect(await queueAll(world)).toBe(10);
    await pass(world.clock, 30_000, 500);
    await stop();
    expect(await world.letters()).toMatchObject([{ version: 4, state: 'dead', attempts: 2 }]);
    expect(versionsOf(written, 'k').toSorted((a, b) => a - b)).toEqual([1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('comes in portions, in the order of the log, and the log goes on in between', async () => {
    const world = openDeliveryWorld();
    let repaired = false;
    const { sink, offered } = sinkOf((entries) =>
      entries.map((_, index) => (repaired || index === entries.length - 1 ? WRITTEN : reject())),
    );
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 101));
    await pass(world.clock, 1000, 500);
    repaired = true;
    await queueAll(world);
    await world.put(...versions('k', 110).slice(101));
    const before = offered.length;
    await pass(world.clock, 2000, 500);
    await stop();
    const replayed = offered.slice(before);
    const sizes = replayed.map((entries) => entries.length);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([4, 9, 32, 32, 32]);
    expect(sizes.at(-1)).toBe(4); // the new events, 9 of them, did not have to wait for the last letter
    const positions = replayed.flatMap((entries) => entries.map(({ position }) => position)).filter((at) => at <= 100);
    expect(positions).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test('waits while an event of its partition has counted tries, so that their number is not lost', async () => {
    const { world, offered, stop } = await withLetter((entries) => {
      if (entries.some(({ event }) => event.version === 4)) throw new Error('answered 500');
      return entries.map(() => WRITTEN);
    });
    await world.put(doc('k', 4));
    await pass(world.clock, 1000, 100);
    await queueAll(world);
    await pass(world.clock, 60_000, 500);
    await stop();
    expect(await world.letters()).toMatchObject([{ version: 4, attempts: 5 }]);
    const order = offered.map((entries) => entries[0]?.event.version);
    expect(order.lastIndexOf(4)).toBeLessThan(order.lastIndexOf(2));
  });

  test('never overlaps a write of its partition', async () => {
    const world = openDeliveryWorld();
    let inside = 0;
    let most = 0;
    let repaired = false;
    const { sink } = sinkOf(async (entries) => {
      inside += 1;
      most = Math.max(most, inside);
      await world.clock.sleep(100);
      inside -= 1;
      return entries.map(({ event }) => (repaired || event.version % 2 === 0 ? WRITTEN : reject()));
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 50));
    await pass(world.clock, 1000, 100);
    repaired = true;
    await queueAll(world);
    await world.put(...versions('k', 400).slice(50));
    await pass(world.clock, 5000, 100);
    await stop();
    expect([most, await world.lagOf(), await world.letters()]).toEqual([1, 0, []]);
  });

  test('to a sink of the store takes its place there once, and the position stays', async () => {
    const world = openDeliveryWorld();
    const { library, timeline } = world.store;
    for (const real of [library, timeline]) {
      let broken = true;
      const sink = {
        name: real.name,
        apply: (...call: Parameters<typeof real.apply>) =>
          broken && call[1].some(({ event }) => event.key === 'bad')
            ? Promise.reject(new Error('odd'))
            : real.apply(...call),
        reapply: (entries: readonly LogEntry[]) => real.reapply?.(entries) ?? Promise.reject(new Error('it cannot')),
      };
      const { stop } = world.deliver(builtInTarget(sink));
      await world.put(...docs(3), doc('bad', 1, { title: 'repaired' }));
      await pass(world.clock, 60_000, 500);
      expect(await world.letters()).toMatchObject([{ stage: real.name, key: 'bad' }]);
      broken = false;
      expect(await queueAll(world)).toBe(1);
      await pass(world.clock, 2000, 500);
      await stop();
      expect([await world.letters(), await world.lagOf(real.name)]).toEqual([[], 0]);
    }
    expect(await library.count(OF.tenant, OF.connection)).toBe(4);
    expect((await timeline.query({ tenants: [OF.tenant], limit: 10 })).rows).toHaveLength(4);
  });
});

test('a replay that is cut off by stopping is still queued at the next start', async () => {
  const { world, sink, stop } = await withLetter(() => new Promise(() => undefined));
  sink.write = (_, signal) => untilAborted(signal);
  await queueAll(world);
  await pass(world.clock, 1000, 500);
  await stop();
  expect(await world.letters()).toMatchObject([{ state: 'queued', attempts: 1 }]);
  const next = sinkOf();
  const again = world.deliver(world.external(next.sink));
  await pass(world.clock, 2000, 500);
  await again.stop();
  expect([await world.letters(), next.written.length]).toEqual([[], 1]);
});
