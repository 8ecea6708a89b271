// What the log promises about forgetting: nothing that a reader still needs, and no number twice.

import { describe, expect, it } from 'vitest';
import { LOG_LIMITS } from '#core/event-log.ts';
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
  settlePartition,
} from './event-samples.ts';

async function trimToEnd(session: StorageSession, beforeMs?: number): Promise<number> {
  let trimmed = 0;
  for (;;) {
    const count = await session.log.trim(beforeMs);
    expect(count).toBeLessThanOrEqual(LOG_LIMITS.trimRowsMax);
    if (count === 0) return trimmed;
    trimmed += count;
  }
}

export function retentionSuite(openHarness: OpenHarness): void {
  describe('trim', () => {
    it('never passes the slowest reader', () =>
      withStorage(openHarness, async (session) => {
        const { events, partition } = await oneKey(session, 10);
        await session.log.register('slow');
        const entries = await session.log.read('slow', partition, 4);
        await settlePartition(session, 'r', partition);
        expect(await trimToEnd(session)).toBe(0);
        const fence = await holdPartition(session, 'slow', partition);
        await session.log.commit('slow', partition, lastOf(entries).position, fence);
        expect(await trimToEnd(session)).toBe(4);
        expect(idsOf(await session.log.read('slow', partition, 512))).toEqual(idsOf(events.slice(4)));
      }));

    it('removes nothing before anybody reads: what nobody settled is not settled (I3)', () =>
      withStorage(openHarness, async (session) => {
        const events = [sample({ key: 'k' }), sample({ key: 'k', version: 2 })];
        await append(session, ...events);
        expect(await trimToEnd(session)).toBe(0);
        await session.log.register('first');
        expect(idsOf(await readAll(session, 'first', ALL_PARTITIONS))).toEqual(idsOf(events));
      }));

    it('a reader that has settled nothing yet holds everything back', () =>
      withStorage(openHarness, async (session) => {
        const { events, partition } = await oneKey(session, 5);
        await session.log.register('idle');
        await settlePartition(session, 'r', partition);
        await session.reopen();
        expect(await trimToEnd(session)).toBe(0);
        expect(idsOf(await session.log.read('idle', partition, 512))).toEqual(idsOf(events));
      }));

    it('removes at most trimRowsMax entries a call and everything in the end', () =>
      withStorage(openHarness, async (session) => {
        const count = LOG_LIMITS.trimRowsMax + 20;
        const { partition } = await oneKey(session, count);
        await settlePartition(session, 'r', partition);
        expect(await trimToEnd(session)).toBe(count);
      }));

    it('a new reader begins at the oldest retained entry', () =>
      withStorage(openHarness, async (session) => {
        const { events, partition } = await oneKey(session, 6);
        const fence = await holdPartition(session, 'r', partition);
        await session.log.commit('r', partition, lastOf(await session.log.read('r', partition, 2)).position, fence);
        await trimToEnd(session);
        await session.log.register('late');
        expect(idsOf(await session.log.read('late', partition, 512))).toEqual(idsOf(events.slice(2)));
      }));

    it('leaves what was appended at or after the given time, also to readers that come later', () =>
      withStorage(openHarness, async (session) => {
        const { partition } = await oneKey(session, 4);
        await session.clock.advance(60_000);
        const beforeMs = session.clock.now();
        const recent = [100, 101].map((version) => sample({ key: 'k', version }));
        await append(session, ...recent);
        await settlePartition(session, 'r', partition);
        expect(await trimToEnd(session, beforeMs - 60_000)).toBe(0);
        expect(await trimToEnd(session, beforeMs)).toBe(4);
        await session.reopen();
        await session.log.register('late');
        expect(idsOf(await session.log.read('late', partition, 512))).toEqual(idsOf(recent));
        await settlePartition(session, 'late', partition);
        expect(await trimToEnd(session, beforeMs + 1)).toBe(2);
      }));

    it('never makes a hole: behind an entry that is young enough older ones stay too, until it goes', () =>
      withStorage(openHarness, async (session) => {
        await session.log.register('r');
        const stepsMs = [0, 60_000, 120_000, -300_000];
        const events = stepsMs.map((_, at) => sample({ key: 'k', version: at + 1 }));
        const startMs = session.clock.now();
        for (const [at, event] of events.entries()) {
          session.clock.stepWall(stepsMs[at] ?? 0);
          await append(session, event);
        }
        const partition = partitionOfEvent(session, sample({ key: 'k' }));
        await settlePartition(session, 'r', partition);
        expect(await trimToEnd(session, startMs + 100_000)).toBe(2);
        await session.log.register('late');
        expect(idsOf(await session.log.read('late', partition, 512))).toEqual(idsOf(events.slice(2)));
      }));

    it('what no reader has settled stays, however old it is', () =>
      withStorage(openHarness, async (session) => {
        const { events, partition } = await oneKey(session, 3);
        await session.clock.advance(60_000);
        expect(await trimToEnd(session, session.clock.now())).toBe(0);
        expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events));
      }));

    it('positions are not used again when everything was trimmed and the log reopened', () =>
      withStorage(openHarness, async (session) => {
        const { partition } = await oneKey(session, 8);
        const { position } = lastOf(await session.log.read('r', partition, 512));
        await settlePartition(session, 'r', partition);
        await trimToEnd(session);
        await session.reopen();
        const next = sample({ key: 'k', version: 100 });
        await append(session, next);
        const entries = await session.log.read('r', partition, 512);
        expect(idsOf(entries)).toEqual([next.event.id]);
        expect(lastOf(entries).position).toBeGreaterThan(position);
      }));
  });
}
