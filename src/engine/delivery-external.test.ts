import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { WriteResult } from '#core/sink.ts';
import { doc, hasEnded, pass, until } from './fixtures/engine-world.ts';
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
  const [lag, letters] = [await world.lagOf(), await world.letters()];
  await stop();
  return { world, ...outside, lag, letters };
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

  test('that fails four times gets the same events again, none is lost and none is a dead letter', async () => {
    const { written, lag, letters } = await deliver(
      3,
      atFirst(4, () => Promise.reject(new Fault('sink_unavailable', 'refused'))),
    );
    expect(versionsOf(written, 'k')).toEqual([1, 2, 3]);
    expect([lag, letters.length]).toEqual([0, 0]);
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

  test('gets only what it is bound to; the rest counts as settled for it', async () => {
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf();
    const odd = { accepts: ({ version }: { version: number }) => version % 2 === 1 };
    const { stop } = world.deliver(world.external(sink, odd));
    await world.put(...versions('k', 600));
    await pass(world.clock, 1000, 100);
    expect(await world.lagOf()).toBe(0);
    await stop();
    expect(versionsOf(written, 'k')).toEqual(Array.from({ length: 300 }, (_, index) => 2 * index + 1));
  });

  test('that takes nothing of what there is has settled it without one write', async () => {
    const world = openDeliveryWorld();
    const { sink, calls } = sinkOf();
    const { stop } = world.deliver(world.external(sink, { accepts: () => false }));
    await world.put(...versions('k', 10));
    await pass(world.clock, 1000, 500);
    expect(await world.lagOf()).toBe(0);
    await stop();
    expect(calls).toEqual(['open', 'close']);
  });

  test('that is new begins where its configuration says', async () => {
    const world = openDeliveryWorld();
    await world.put(...versions('k', 3));
    const { sink, written } = sinkOf();
    const { stop } = world.deliver(world.external(sink, { from: 'newest' }));
    await pass(world.clock, 1000, 500);
    await world.put(...versions('k', 5).slice(3));
    await pass(world.clock, 1000, 500);
    await stop();
    expect(versionsOf(written, 'k')).toEqual([4, 5]);
  });

  test('is counted by what it said of each event', async () => {
    const world = openDeliveryWorld();
    const sums: Record<string, number> = { written: 0, stale: 0, retry: 0, reject: 0 };
    const answers: readonly WriteResult[] = [WRITTEN, { outcome: 'stale' }, reject(), retry()];
    const { sink } = sinkOf(atFirst(1, (entries) => entries.map((_, index) => answers[index % 4] ?? WRITTEN)));
    await world.put(...versions('k', 8));
    const { stop } = world.deliver(world.external(sink), {
      onBatch: (_, counts) => {
        for (const [outcome, count] of Object.entries(counts)) sums[outcome] = (sums[outcome] ?? 0) + count;
      },
    });
    await pass(world.clock, 5000, 500);
    await stop();
    expect(sums).toEqual({ written: 2 + 5, stale: 2, retry: 2, reject: 2 });
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

describe('a sink outside', () => {
  test('a sink that wrote and then failed to answer is asked to write the same ids again (I12)', async () => {
    const ids: string[][] = [];
    let first = true;
    await deliver(3, (entries) => {
      ids.push(entries.map(({ event }) => event.id));
      if (!first) return entries.map(() => WRITTEN);
      first = false;
      throw new Fault('upstream_timeout', 'no answer');
    });
    expect(ids.slice(1).flat()).toEqual(ids[0]);
  });
});

describe('a sink whose code is wrong', () => {
  test('cannot settle events by emptying the list it was given', async () => {
    const { lag, letters } = await deliver(
      3,
      (entries) => {
        (entries as unknown[]).splice(0); // what the type forbids and JavaScript does not
        return [];
      },
      180_000,
    );
    expect([lag, letters.length]).toEqual([0, 3]);
    expect(letters.map(({ code, attempts }) => [code, attempts])).toEqual(Array(3).fill(['sink_unavailable', 5]));
  });

  test.for([undefined, { outcome: 'ok' }, { outcome: 'retry' }, { outcome: 'reject' }])(
    'settles nothing silently with the result %o',
    async (result) => {
      const { written, lag, letters } = await deliver(1, () => [result as WriteResult], 60_000);
      expect(written).toEqual([]);
      expect([lag, letters.length]).toEqual([0, 1]);
    },
  );
});

test('a stretch of events that a sink does not take is passed in whole batches, also while one is suspected', async () => {
  const world = openDeliveryWorld();
  const outside = sinkOf((entries) =>
    entries.map(({ event }) =>
      event.version === 1 ? { outcome: 'retry', fault: new Fault('sink_rejected', 'no') } : WRITTEN,
    ),
  );
  let commits = 0;
  const log = new Proxy(world.log, {
    get: (of, name) => {
      if (name === 'commit') commits += 1;
      return (Reflect.get(of, name) as () => unknown).bind(of);
    },
  });
  const ends = ({ version }: { version: number }) => version === 1 || version === 2000;
  const { stop } = world.deliver(world.external(outside.sink, { accepts: ends }), { log });
  await world.put(...versions('k', 2000));
  await pass(world.clock, 60_000, 500);
  expect(await world.lagOf()).toBe(0);
  expect(versionsOf(outside.written, 'k')).toEqual([2000]);
  expect(commits).toBeLessThan(20);
  await stop();
});
