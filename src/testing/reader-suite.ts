// What the log promises about its readers: where a new one begins, and what an operator may move.

import { describe, expect, it } from 'vitest';
import type { ReadFrom } from '#core/event-log.ts';
import type { SealedEvent } from '#core/event.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  ALL_PARTITIONS,
  append,
  deliver,
  holdPartition,
  idsOf,
  lastOf,
  oneKey,
  partitionOfEvent,
  readAll,
  sample,
  samples,
  settlePartition,
} from './event-samples.ts';

const NEVER_ABORTED = new AbortController().signal;

export function readerSuite(openHarness: OpenHarness): void {
  describe('where readers begin', () => begins(openHarness));
  describe('rewind', () => rewinds(openHarness));
}

/** Three versions of one key, a minute apart, for the reader `r`. */
async function threeMinutes(session: StorageSession) {
  await session.log.register('r');
  const events: SealedEvent[] = [];
  const times: number[] = [];
  for (let version = 1; version <= 3; version += 1) {
    const event = sample({ key: 'k', version });
    await append(session, event);
    events.push(event);
    times.push(session.clock.now());
    await session.clock.advance(60_000);
  }
  return { events, times, partition: partitionOfEvent(session, events[0] ?? sample()) };
}

function begins(openHarness: OpenHarness): void {
  const table: readonly {
    readonly title: string;
    readonly from: (times: readonly number[]) => ReadFrom;
    readonly first: number;
  }[] = [
    { title: 'oldest: at the first entry', from: () => 'oldest', first: 0 },
    { title: 'newest: after the last entry', from: () => 'newest', first: 3 },
    { title: 'a time before all entries: at the first', from: ([first = 0]) => ({ sinceMs: first - 1 }), first: 0 },
    { title: 'the very time of an entry: at that entry', from: ([, second = 0]) => ({ sinceMs: second }), first: 1 },
    {
      title: 'a time between two entries: at the later',
      from: ([, second = 0]) => ({ sinceMs: second + 1 }),
      first: 2,
    },
    {
      title: 'a time after all entries: after the last',
      from: ([, , third = 0]) => ({ sinceMs: third + 1 }),
      first: 3,
    },
  ];

  for (const { title, from, first } of table) {
    it(`a new reader, and one that is rewound, begins from ${title}`, () =>
      withStorage(openHarness, async (session) => {
        const { events, times, partition } = await threeMinutes(session);
        await settlePartition(session, 'r', partition);
        await session.log.register('new', from(times));
        expect(await session.log.rewind('r', from(times))).toBe(3 - first);
        await session.reopen();
        for (const reader of ['new', 'r'])
          expect(idsOf(await session.log.read(reader, partition, 512))).toEqual(idsOf(events.slice(first)));
      }));
  }

  it('of entries stamped by a clock that was set back the first that is recent enough counts, and all after it come', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const events = [1, 2, 3, 4].map((version) => sample({ key: 'k', version }));
      const steps = [100_000, -200_000, 150_000, 0];
      const times: number[] = [];
      for (const [at, event] of events.entries()) {
        session.clock.stepWall(steps[at] ?? 0);
        times.push(session.clock.now());
        await append(session, event);
      }
      await session.log.register('new', { sinceMs: times[0] ?? 0 });
      await session.log.register('later', { sinceMs: (times[0] ?? 0) - 50_000 });
      const partition = partitionOfEvent(session, sample({ key: 'k' }));
      for (const reader of ['new', 'later'])
        expect(idsOf(await session.log.read(reader, partition, 512))).toEqual(idsOf(events));
      await session.log.register('low', { sinceMs: (times[1] ?? 0) - 1 });
      expect((await session.log.read('low', partition, 512)).length).toBe(4);
    }));

  it('a reader that is known keeps its positions, whatever it registers from', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 4);
      const fence = await holdPartition(session, 'r', partition);
      await session.log.commit('r', partition, lastOf(await session.log.read('r', partition, 2)).position, fence);
      for (const from of ['newest', 'oldest', { sinceMs: 0 }] as const) await session.log.register('r', from);
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(2)));
    }));

  it('from newest covers every partition: nothing that was there comes, everything after it does', () =>
    withStorage(openHarness, async (session) => {
      await append(session, ...samples(60, 'before'));
      await session.log.register('new', 'newest');
      const after = samples(60, 'after');
      await append(session, ...after);
      expect(idsOf(await readAll(session, 'new', ALL_PARTITIONS)).toSorted()).toEqual(idsOf(after).toSorted());
    }));
}

function rewinds(openHarness: OpenHarness): void {
  it('gives again what was settled and is still kept, to that reader alone', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 6);
      await session.log.register('slow');
      await session.log.register('other');
      const fence = await holdPartition(session, 'slow', partition);
      await session.log.commit('slow', partition, lastOf(await session.log.read('slow', partition, 2)).position, fence);
      for (const reader of ['r', 'other']) await settlePartition(session, reader, partition);
      await session.log.trim();
      expect(await session.log.rewind('r', 'oldest')).toBe(4);
      await session.crash();
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(2)));
      expect(await session.log.read('other', partition, 512)).toEqual([]);
    }));

  it('what it has to read again is trimmed only after it is settled again', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 5);
      await settlePartition(session, 'r', partition);
      await session.log.rewind('r', 'oldest');
      expect(await session.log.trim()).toBe(0);
      expect(await settlePartition(session, 'r', partition)).toBe(5);
      expect(await session.log.trim()).toBe(5);
    }));

  it('wakes who waits for a partition that has entries again', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 2);
      await settlePartition(session, 'r', partition);
      let woken = false;
      const waiting = session.log.wait('r', partition, NEVER_ABORTED).then(() => (woken = true));
      await session.clock.advance(50);
      await session.log.rewind('r', 'oldest');
      await session.clock.advance(10_000);
      expect(woken).toBe(true);
      await waiting;
    }));

  it('a dry run answers the same number and moves nothing, ends no lease and forgets no dispatch', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 6);
      const fence = await holdPartition(session, 'r', partition);
      const [first, second] = await session.log.read('r', partition, 2);
      await session.log.commit('r', partition, first?.position ?? 0, fence);
      const dispatch = { position: second?.position ?? 0, events: 1, attempts: 2, open: true };
      await session.log.dispatch('r', partition, dispatch, fence);
      const stats = await session.log.stats();
      for (const [from, lag] of [
        ['oldest', 6],
        ['newest', 0],
        [{ sinceMs: 0 }, 6],
      ] as const)
        expect(await session.log.rewind('r', from, { dryRun: true })).toBe(lag);
      expect(await session.log.stats()).toEqual(stats);
      expect(await session.log.dispatched('r', partition)).toEqual(dispatch);
      expect(await session.log.commit('r', partition, dispatch.position, fence)).toBe('committed');
    }));

  it('an unknown reader is not_found and does not come into being', () =>
    withStorage(openHarness, async (session) => {
      await oneKey(session, 2);
      await expect(session.log.rewind('nobody', 'oldest')).rejects.toMatchObject({ code: 'not_found' });
      expect((await session.log.stats()).readers.map(({ reader }) => reader)).toEqual(['r']);
    }));

  it('a built-in sink that reads everything again ends with the same rows', () =>
    withStorage(openHarness, async (session) => {
      const { timeline } = session.store;
      const rows = async () => (await timeline.query({ tenants: ['a'], limit: 100 })).rows;
      await append(session, ...samples(30, 'signal', { kind: 'signal' }));
      await deliver(session, timeline, ALL_PARTITIONS);
      const before = await rows();
      expect(await session.log.rewind(timeline.name, 'oldest')).toBe(30);
      await deliver(session, timeline, ALL_PARTITIONS);
      expect(await rows()).toEqual(before);
    }));
}
