import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogEntry } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import { PARTITIONS } from '#core/partition.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import { doc, OF, pass } from './fixtures/engine-world.ts';
import {
  keyPerPartition,
  openDeliveryWorld,
  partitionOfKey,
  reject,
  retry,
  sinkOf,
  untilAborted,
  versions,
  versionsOf,
  WRITTEN,
  type Answer,
} from './fixtures/delivery-world.ts';

const unavailable = (): never => {
  throw new Fault('sink_unavailable', 'answered 503');
};
const isPoison = ({ event }: LogEntry): boolean => event.tags?.includes('poison') === true;
const poison = (key: string, version = 1) => doc(key, version, { tags: ['poison'] });
/** Ways in which a sink fails a write with a poisonous event, all of which would open a breaker. */
const WAYS: Readonly<Record<string, Answer>> = {
  'a throw for the whole batch': (entries) => (entries.some(isPoison) ? unavailable() : entries.map(() => WRITTEN)),
  'a timeout of its own': (entries) => {
    if (entries.some(isPoison)) throw new Fault('upstream_timeout', 'no answer');
    return entries.map(() => WRITTEN);
  },
  'a result for that event': (entries) => entries.map((entry) => (isPoison(entry) ? retry() : WRITTEN)),
  'results that give up at that event': (entries) => {
    const at = entries.findIndex(isPoison);
    return entries.map((_, index) => (at >= 0 && index >= at ? retry() : WRITTEN));
  },
  'too few results': (entries) => (entries.some(isPoison) ? [] : entries.map(() => WRITTEN)),
};

describe('a sink that is out (I6)', () => {
  test('uses up 0 attempts and yields 0 dead letters whatever its duration', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7200 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (seconds, events, byResult) => {
          const world = openDeliveryWorld();
          const outside = sinkOf((entries) => (outside.state.down ? entries.map(retry) : entries.map(() => WRITTEN)));
          const { sink, state, written } = outside;
          if (byResult) sink.ping = () => (state.down ? Promise.reject(new Error('down')) : Promise.resolve());
          state.down = true;
          const { stop } = world.deliver(world.external(sink));
          await world.put(...versions('k', events), ...versions('other', events));
          await pass(world.clock, seconds * 1000, 60_000);
          const dispatched = await world.log.dispatched('outside', partitionOfKey('k'));
          expect(dispatched?.attempts ?? 0).toBe(0);
          expect(dispatched?.open ?? false).toBe(false);
          state.down = false;
          await pass(world.clock, 80_000, 5000);
          expect([await world.letters(), await world.lagOf()]).toEqual([[], 0]);
          await stop();
          expect(versionsOf(written, 'k')).toHaveLength(events);
        },
      ),
      { numRuns: 10 },
    );
  });

  test('is pinged by one prober for all partitions, at most once in 48 seconds at last, and written to no more', async () => {
    const world = openDeliveryWorld();
    const { sink, state, calls } = sinkOf();
    state.down = true;
    const { stop } = world.deliver(world.external(sink));
    await world.put(...keyPerPartition().map((key) => doc(key)));
    await pass(world.clock, 3_600_000, 10_000);
    await stop();
    expect(calls.filter((call) => call === 'write').length).toBeLessThanOrEqual(PARTITIONS);
    expect(calls.filter((call) => call === 'ping').length).toBeLessThan(10 + 3600 / 48);
  });

  test('in the middle of the attempts of an event changes nothing in their number', async () => {
    const world = openDeliveryWorld();
    let alone = 0;
    const { sink, state } = sinkOf((entries) => {
      if (entries.some(isPoison)) alone += 1;
      return entries.some(isPoison) ? unavailable() : entries.map(() => WRITTEN);
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(poison('k'));
    await pass(world.clock, 2500, 500);
    state.down = true;
    await pass(world.clock, 600_000, 5000);
    state.down = false;
    await pass(world.clock, 120_000, 1000);
    await stop();
    expect(await world.letters()).toMatchObject([{ key: 'k', attempts: 5 }]);
    expect(alone).toBe(5);
  });

  test('that asks to come back later is left alone until then, and that is no attempt', async () => {
    const world = openDeliveryWorld();
    let busy = true;
    const { sink, calls, written } = sinkOf((entries) => {
      if (!busy) return entries.map(() => WRITTEN);
      throw new Fault('rate_limited', 'slow down', { retryAtMs: world.clock.now() + 30_000 });
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(doc('k'));
    await pass(world.clock, 29_000, 1000);
    expect(calls.filter((call) => call === 'write')).toHaveLength(1);
    await pass(world.clock, 3_600_000, 20_000);
    busy = false;
    await pass(world.clock, 120_000, 5000);
    await stop();
    expect([written.length, await world.letters()]).toEqual([1, []]);
  });
});

describe('one event that fails while its sink is well', () => {
  test.for(Object.keys(WAYS))('by %s is a dead letter after exactly max attempts, and it alone', async (way) => {
    for (const attemptsMax of [1, 2, 5, 7]) {
      const world = openDeliveryWorld();
      const outside = sinkOf(WAYS[way]);
      const { stop } = world.deliver(world.external(outside.sink), { attemptsMax });
      await world.put(...versions('k', 100), poison('k', 101), ...versions('k', 200).slice(101));
      await pass(world.clock, 90_000, 1000);
      const [letters, lag] = [await world.letters(), await world.lagOf()];
      await stop();
      expect(letters).toMatchObject([{ key: 'k', version: 101, attempts: attemptsMax }]);
      const detail = await world.store.deadLetters.get([OF.tenant], letters[0]?.id ?? 0);
      expect(detail?.history).toHaveLength(attemptsMax);
      expect(outside.offered.filter((entries) => entries.length === 1 && entries.some(isPoison))).toHaveLength(
        attemptsMax,
      );
      expect(versionsOf(outside.written, 'k').filter((version) => version !== 101)).toEqual(
        expect.arrayContaining([1, 100, 102, 200]),
      );
      expect(lag).toBe(0);
    }
  });

  test('holds up its own partition only, and for less than a minute', async () => {
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf(WAYS['a throw for the whole batch']);
    const [bad = '', ...others] = keyPerPartition();
    const { stop } = world.deliver(world.external(sink));
    await world.put(poison(bad), doc(bad, 2), ...others.map((key) => doc(key)));
    await pass(world.clock, 300, 100);
    expect(new Set(written.map(({ event }) => event.key))).toEqual(new Set(others));
    await pass(world.clock, 60_000, 1000);
    await stop();
    expect(versionsOf(written, bad)).toEqual([2]);
  });

  test('and takes its time to fail still holds its partition for about a minute only', async () => {
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf((entries, signal) =>
      entries.some(isPoison) ? untilAborted(signal) : entries.map(() => WRITTEN),
    );
    const { stop } = world.deliver(world.external(sink));
    await world.put(poison('k'));
    await pass(world.clock, DELIVERY_LIMITS.writeMs, 1000);
    await world.put(doc('k', 2));
    await pass(world.clock, 3000 + DELIVERY_LIMITS.holdMs, 100);
    await stop();
    expect(await world.letters()).toMatchObject([{ code: 'sink_unavailable', attempts: 5 }]);
    expect(versionsOf(written, 'k')).toEqual([2]);
  });

  test('in a sink of the store is a dead letter of it, and the others are there', async () => {
    const world = openDeliveryWorld();
    const { timeline } = world.store;
    const { stop } = world.deliver({
      kind: 'built_in',
      name: 'timeline',
      type: 'store',
      from: 'oldest',
      accepts: () => true,
      sink: {
        name: 'timeline',
        apply: (partition, entries, fence) =>
          entries.some(isPoison)
            ? Promise.reject(new Error('no such column'))
            : timeline.apply(partition, entries, fence),
      },
    });
    await world.put(...versions('k', 20), poison('k', 21), ...versions('k', 40).slice(21));
    await pass(world.clock, 60_000, 1000);
    await stop();
    expect(await world.letters()).toMatchObject([
      { stage: 'timeline', version: 21, attempts: 5, message: 'no such column' },
    ]);
    expect((await timeline.query({ tenants: [OF.tenant], limit: 100 })).rows).toHaveLength(39);
    expect(await world.lagOf('timeline')).toBe(0);
  });
});

describe('partial results', () => {
  test('settle exactly what comes before the first event to be tried again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('written', 'stale', 'reject', 'retry'), { minLength: 1, maxLength: 12 }),
        async (outcomes) => {
          const world = openDeliveryWorld();
          let calls = 0;
          const { sink } = sinkOf((entries, signal) => {
            calls += 1;
            if (calls > 1) return untilAborted(signal);
            return entries.map((_, index) => {
              const outcome = outcomes[index] ?? 'written';
              return outcome === 'reject' ? reject() : outcome === 'retry' ? retry() : { outcome };
            });
          });
          await world.put(...versions('k', outcomes.length));
          const { stop } = world.deliver(world.external(sink));
          await pass(world.clock, 100, 50);
          const stuckAt = outcomes.indexOf('retry');
          const settled = outcomes.slice(0, stuckAt < 0 ? undefined : stuckAt);
          expect(await world.lagOf()).toBe(outcomes.length - settled.length);
          expect(await world.letters()).toHaveLength(settled.filter((outcome) => outcome === 'reject').length);
          await stop();
        },
      ),
      { numRuns: 40 },
    );
  });
});
