import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { WriteResult } from '#core/sink.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { doc, hasEnded, OF, pass, until } from './fixtures/engine-world.ts';
import {
  openDeliveryWorld,
  partitionOfKey,
  reject,
  retry,
  sinkOf,
  versions,
  versionsOf,
  WRITTEN,
  type Answer,
} from './fixtures/delivery-world.ts';

/** Delivers `count` versions of one key to a sink that answers so, for a while. */
async function deliver(count: number, answer: Answer, ms = 30_000) {
  const world = openDeliveryWorld();
  const outside = sinkOf(answer);
  const { stop } = world.deliver(world.external(outside.sink));
  await world.put(...versions('k', count));
  await pass(world.clock, ms, 500);
  const { readers } = await world.log.stats();
  const letters = await world.store.deadLetters.list([OF.tenant], undefined, 1000);
  await stop();
  return { world, ...outside, lag: readers.find(({ reader }) => reader === 'outside')?.lag, letters };
}
/** Which of the first `failures` calls fail so, before all goes well. */
const atFirst = (failures: number, answer: Answer): Answer => {
  let call = 0;
  return (entries, signal) => ((call += 1) <= failures ? answer(entries, signal) : entries.map(() => WRITTEN));
};

describe('a sink outside', () => {
  test('gets every event once when it is well', async () => {
    const { written, lag, letters } = await deliver(10, (entries) => entries.map(() => WRITTEN));
    expect(versionsOf(written, 'k')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([lag, letters.length]).toEqual([0, 0]);
  });

  test('that already holds a newer version has settled the event', async () => {
    expect((await deliver(3, (entries) => entries.map(() => ({ outcome: 'stale' })))).lag).toBe(0);
  });

  test('that refuses one event gets the others, and that one is a dead letter of this sink', async () => {
    const { written, lag, letters } = await deliver(5, (entries) =>
      entries.map(({ event }) => (event.version === 3 ? reject() : WRITTEN)),
    );
    expect(versionsOf(written, 'k')).toEqual([1, 2, 4, 5]);
    expect(lag).toBe(0);
    expect(letters).toMatchObject([
      { stage: 'outside', key: 'k', code: 'sink_rejected', message: 'no such column', attempts: 1 },
    ]);
  });

  test('that throws failed as a whole: the same events come again, none is lost and none is a dead letter (I6)', async () => {
    const { written, lag, letters } = await deliver(
      3,
      atFirst(4, () => Promise.reject(new Fault('sink_unavailable', 'refused'))),
    );
    expect(versionsOf(written, 'k')).toEqual([1, 2, 3]);
    expect([lag, letters.length]).toEqual([0, 0]);
  });

  test('that is down for an hour is asked at most once in 48 seconds at last, and loses nothing', async () => {
    let down = true;
    const { calls, world } = await deliver(
      2,
      (entries) => (down ? Promise.reject(new Error('down')) : entries.map(() => WRITTEN)),
      3_600_000,
    );
    down = false;
    const writes = calls.filter((call) => call === 'write').length;
    expect(writes).toBeLessThan(10 + 3600 / 48);
    expect(await world.store.deadLetters.count(OF)).toBe(0);
  });

  test('that cannot take one event now keeps its place: what follows waits, what came before is settled', async () => {
    let stuck = true;
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf((entries) => {
      const at = entries.findIndex(({ event }) => event.version === 3);
      return entries.map((_, index) => (stuck && at >= 0 && index >= at ? retry() : WRITTEN));
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 5));
    await pass(world.clock, 2000, 500);
    expect(versionsOf(written, 'k')).toEqual([1, 2]);
    expect((await world.log.read('outside', partitionOfKey('k'), 10)).map(({ event }) => event.version)).toEqual([
      3, 4, 5,
    ]);
    stuck = false;
    await pass(world.clock, 10_000, 500);
    await stop();
    expect(versionsOf(written, 'k')).toEqual([1, 2, 3, 4, 5]);
  });

  test.for([
    { what: 'no result', cut: () => [] },
    { what: 'a result too few', cut: (results: readonly WriteResult[]) => results.slice(0, -1) },
  ])('that answers with $what has not confirmed the rest: nothing unconfirmed is passed (I3)', async ({ cut }) => {
    const { lag } = await deliver(4, (entries) => cut(entries.map(() => WRITTEN)), 2000);
    expect(lag).toBeGreaterThan(0);
  });

  test('that answers with a result too many has not answered what it was asked', async () => {
    const { lag } = await deliver(4, (entries) => [reject(), ...entries.map(() => WRITTEN)], 2000);
    expect(lag).toBe(4);
  });

  test('that could settle one event after the other does not wait longer each time', async () => {
    // One event a call, the next one "later": it moves on, so each wait is a first one.
    const { written } = await deliver(
      20,
      (entries) => entries.map((_, index) => (index === 0 ? WRITTEN : retry())),
      20_000,
    );
    expect(versionsOf(written, 'k')).toHaveLength(20);
  });

  test('is opened before its first event and closed after its last', async () => {
    const { calls } = await deliver(1, (entries) => entries.map(() => WRITTEN));
    expect(calls).toEqual(['open', 'write', 'close']);
  });

  test('that never answers does not keep Weir from stopping when it heeds its signal', async () => {
    const world = openDeliveryWorld();
    let asked = false;
    const { sink } = sinkOf((_, signal) => {
      asked = true;
      return new Promise((__, fail) =>
        signal.addEventListener('abort', () => fail(new Error('aborted')), { once: true }),
      );
    });
    const { done, stop } = world.deliver(world.external(sink));
    await world.put(doc('k'));
    await until(world.clock, 'the sink is asked', () => asked);
    void stop();
    expect(await hasEnded(world.clock, done)).toBe(true);
  });
});

describe('order and loss (P12)', () => {
  test('whatever a sink answers, each key arrives in order, and every event is written or a dead letter once all is well', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), many: fc.integer({ min: 1, max: 4 }) }), {
          minLength: 1,
          maxLength: 8,
        }),
        async (seed, script) => {
          const chance = simulatedRandom(seed);
          let well = false;
          const answer: Answer = (entries) => {
            const dice = chance.float();
            if (!well && dice < 0.2) throw new Error('down');
            const stuckAt = !well && dice < 0.6 ? Math.floor(chance.float() * entries.length) : entries.length;
            return entries.map((_, index) => (index >= stuckAt ? retry() : chance.float() < 0.2 ? reject() : WRITTEN));
          };
          const world = openDeliveryWorld();
          const { sink, written } = sinkOf(answer);
          const { stop } = world.deliver(world.external(sink));
          const versionNow = new Map<string, number>();
          let total = 0;
          for (const { key, many } of script) {
            const from = versionNow.get(key) ?? 0;
            await world.put(...versions(key, from + many).slice(from));
            versionNow.set(key, from + many);
            total += many;
            await world.clock.advance(700);
          }
          well = true;
          for (let round = 0; round < 8 && (await world.log.stats()).size > 0; round += 1)
            await world.clock.advance(80_000);
          await stop();
          const letters = await world.store.deadLetters.list([OF.tenant], undefined, 1000);
          for (const key of versionNow.keys())
            expect(versionsOf(written, key)).toEqual([...new Set(versionsOf(written, key))].toSorted((a, b) => a - b));
          expect(written.length + letters.length).toBe(total);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('a sink that wrote and then failed to answer is asked to write the same ids again (I12)', async () => {
    const ids: string[][] = [];
    let first = true;
    await deliver(3, (entries) => {
      ids.push(entries.map(({ event }) => event.id));
      if (!first) return entries.map(() => WRITTEN);
      first = false;
      throw new Fault('upstream_timeout', 'no answer');
    });
    expect(ids[1]?.slice(0, ids[0]?.length)).toEqual(ids[0]);
  });

  test('a sink gets at most one batch of one partition at a time', async () => {
    const world = openDeliveryWorld();
    let inside = 0;
    let most = 0;
    const { sink } = sinkOf(async (entries) => {
      inside += 1;
      most = Math.max(most, inside);
      await world.clock.turn();
      inside -= 1;
      return entries.map(() => WRITTEN);
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 800));
    await until(world.clock, 'the reader is known', async () => (await world.log.stats()).readers.length === 1);
    await world.put(...versions('k', 900).slice(800));
    await world.drained();
    await stop();
    expect(most).toBe(1);
  });
});
