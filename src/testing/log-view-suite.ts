// What the log promises to those who wait for it and those who look at it: wait, peek and stats.

import { describe, expect, it } from 'vitest';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  ALL_PARTITIONS,
  append,
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

const TURNS_MAX = 200; // of the clock; a waiter that polls wakes within them

export function logViewSuite(openHarness: OpenHarness): void {
  describe('wait', () => wakes(openHarness));
  describe('peek and stats', () => shows(openHarness));
}

/** Lets simulated time pass until the promise settles: an engine may be told of appends or may poll. */
async function settles(session: StorageSession, promise: Promise<void>): Promise<boolean> {
  let settled = false;
  const seen = promise.then(() => (settled = true));
  for (let turn = 0; turn < TURNS_MAX && !settled; turn += 1) await session.clock.advance(50);
  if (settled) await seen;
  return settled;
}

function wakes(openHarness: OpenHarness): void {
  it('resolves when there already is an entry', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 1);
      expect(await settles(session, session.log.wait('r', partition, new AbortController().signal))).toBe(true);
    }));

  it('resolves for every reader that waits when an entry comes', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 1);
      await session.log.register('other');
      for (const reader of ['r', 'other']) await settlePartition(session, reader, partition);
      const { signal } = new AbortController();
      const waits = ['r', 'other', 'r'].map((reader) => session.log.wait(reader, partition, signal));
      await append(session, sample({ key: 'k', version: 2 }));
      for (const wait of waits) expect(await settles(session, wait)).toBe(true);
    }));

  it('resolves when the append is under way as the waiting begins', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 1);
      await settlePartition(session, 'r', partition);
      for (let version = 2; version < 12; version += 1) {
        const appended = append(session, sample({ key: 'k', version }));
        for (let turn = 0; turn < version % 4; turn += 1) await Promise.resolve();
        expect(await settles(session, session.log.wait('r', partition, new AbortController().signal))).toBe(true);
        await appended;
        await settlePartition(session, 'r', partition);
      }
    }));

  it('resolves and does not throw when its signal aborts, now or before', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const stop = new AbortController();
      const waiting = session.log.wait('r', 0, stop.signal);
      stop.abort();
      expect(await settles(session, waiting)).toBe(true);
      expect(await settles(session, session.log.wait('r', 0, stop.signal))).toBe(true);
    }));
}

function shows(openHarness: OpenHarness): void {
  it('peek shows the oldest unsettled entries of the given tenants and settles none', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const events = [];
      for (let at = 0; at < 12; at += 1) {
        const of = { tenant: at % 2 === 0 ? 'a' : 'b', connection: 'wiki', stream: 'pages' };
        const event = sample({ of, key: `k-${at}` });
        events.push(event);
        await append(session, event);
        await session.clock.advance(1_000);
      }
      const ofA = idsOf(events.filter(({ event }) => event.tenant === 'a'));
      expect(idsOf(await session.log.peek(['a'], 4))).toEqual(ofA.slice(0, 4));
      expect(idsOf(await session.log.peek(['a'], 100))).toEqual(ofA);
      expect(idsOf(await session.log.peek(['b', 'a'], 100))).toEqual(idsOf(events));
      expect(await session.log.peek([], 100)).toEqual([]);
      expect(await session.log.peek(['nobody'], 100)).toEqual([]);
      expect(idsOf(await readAll(session, 'r', ALL_PARTITIONS)).toSorted()).toEqual(idsOf(events).toSorted());
    }));

  it('peek leaves out what every reader has settled', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 4);
      await session.log.register('slow');
      await settlePartition(session, 'r', partition);
      expect(idsOf(await session.log.peek(['a'], 10))).toEqual(idsOf(events));
      const fence = await holdPartition(session, 'slow', partition);
      await session.log.commit('slow', partition, lastOf(await session.log.read('slow', partition, 3)).position, fence);
      expect(idsOf(await session.log.peek(['a'], 10))).toEqual(idsOf(events.slice(3)));
    }));

  it('stats count from the slowest reader and give every reader its lag', () =>
    withStorage(openHarness, async (session) => {
      const firstAtMs = session.clock.now();
      await session.log.register('slow');
      const { partition } = await oneKey(session, 4);
      await session.clock.advance(60_000);
      const other = (partition + 1) % PARTITIONS;
      const elsewhere = samples(100, 'else').filter((sealed) => partitionOfEvent(session, sealed) === other);
      await append(session, ...elsewhere);
      await settlePartition(session, 'r', partition);
      const full = await session.log.stats();
      expect(full).toMatchObject({ size: 4 + elsewhere.length, oldestAtMs: firstAtMs });
      expect(full.readers.toSorted((a, b) => a.lag - b.lag)).toEqual([
        { reader: 'r', lag: elsewhere.length, oldestAtMs: firstAtMs + 60_000 },
        { reader: 'slow', lag: 4 + elsewhere.length, oldestAtMs: firstAtMs },
      ]);
      await settlePartition(session, 'slow', partition);
      const half = await session.log.stats();
      expect(half).toMatchObject({ size: elsewhere.length, oldestAtMs: firstAtMs + 60_000 });
      expect(half.bytes).toBeLessThan(full.bytes);
      expect(half.bytes).toBeGreaterThan(0);
      for (const reader of ['r', 'slow']) await settlePartition(session, reader, other);
      expect(await session.log.stats()).toMatchObject({ size: 0, bytes: 0, oldestAtMs: undefined });
      while ((await session.log.trim()) > 0);
      await session.reopen();
      expect(await session.log.stats()).toMatchObject({ size: 0, bytes: 0, oldestAtMs: undefined });
    }));
}
