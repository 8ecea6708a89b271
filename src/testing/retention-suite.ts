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
  readAll,
  sample,
  settlePartition,
} from './event-samples.ts';

async function trimToEnd(session: StorageSession): Promise<number> {
  let trimmed = 0;
  for (;;) {
    const count = await session.log.trim();
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
