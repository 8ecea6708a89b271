// What the log promises when a reader is moved or removed under somebody's hands: the work in hand ends, and nothing brings it back.

import { describe, expect, it } from 'vitest';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { hold, holdPartition, idsOf, lastOf, oneKey, settlePartition } from './event-samples.ts';

export function readerEndSuite(openHarness: OpenHarness): void {
  describe('the work in hand of a reader that is moved', () => endsWorkInHand(openHarness));
  describe('unregister', () => removes(openHarness));
}

function endsWorkInHand(openHarness: OpenHarness): void {
  const moves = {
    rewind: (session: StorageSession) => session.log.rewind('r', 'oldest'),
    'rewind ahead': (session: StorageSession) => session.log.rewind('r', 'newest'),
    unregister: (session: StorageSession) => session.log.unregister('r'),
    'unregister and register': async (session: StorageSession) => {
      await session.log.unregister('r');
      await session.log.register('r');
    },
  };
  for (const [name, move] of Object.entries(moves)) {
    it(`a batch in hand can be neither recorded nor committed after ${name}`, () =>
      withStorage(openHarness, async (session) => {
        const { partition } = await oneKey(session, 4);
        const fence = await holdPartition(session, 'r', partition);
        const [first] = await session.log.read('r', partition, 4);
        const { position } = first ?? { position: 0 };
        const dispatch = { position, events: 1, attempts: 0, open: true };
        expect(await session.log.dispatch('r', partition, dispatch, fence)).toBe('recorded');
        await move(session);
        const lags = (await session.log.stats()).readers;
        expect(await session.log.dispatch('r', partition, dispatch, fence)).toBe('fenced');
        expect(await session.log.commit('r', partition, position, fence)).toBe('fenced');
        expect(await session.leases.renew(fence, 1_000)).toBe(false);
        expect(await session.log.dispatched('r', partition)).toBeUndefined();
        expect((await session.log.stats()).readers).toEqual(lags);
      }));
  }

  it('commits of the same moment come wholly before the move or answer fenced', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 4);
      const fence = await holdPartition(session, 'r', partition);
      const { position } = lastOf(await session.log.read('r', partition, 3));
      const moving = session.log.rewind('r', 'oldest');
      const commits: Promise<string>[] = [];
      // One at each step on the way of the move: some are asked while it waits for its transaction.
      for (let step = 0; step < 200; step += 1) {
        commits.push(session.log.commit('r', partition, position, fence));
        await Promise.resolve();
      }
      expect(await moving).toBe(4);
      const outcomes = await Promise.all(commits);
      expect(outcomes.at(-1)).toBe('fenced');
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events));
    }));

  it('ends the leases of every partition of that reader and of no other', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      await session.log.register('other');
      for (const partition of [0, PARTITIONS - 1]) await holdPartition(session, 'r', partition);
      const kept = await holdPartition(session, 'other', 0);
      await session.log.rewind('r', 'newest');
      for (const partition of [0, PARTITIONS - 1])
        expect(await session.leases.acquire(partitionLeaseName('r', partition), 'next', 1_000)).toBeDefined();
      expect(await session.leases.renew(kept, 1_000)).toBe(true);
    }));

  it('the next owner gets a larger token than the one whose lease was ended', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 1);
      const lease = partitionLeaseName('r', partition);
      const ended = await hold(session, lease, 'first');
      await session.log.rewind('r', 'oldest');
      await session.leases.release(ended);
      const fence = await hold(session, lease, 'second');
      expect(fence.token).toBeGreaterThan(ended.token);
      await session.leases.release(ended);
      expect(await session.leases.renew(fence, 1_000)).toBe(true);
    }));
}

function removes(openHarness: OpenHarness): void {
  it('answers whether the reader was known, and what it held back goes', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 5);
      await session.log.register('gone');
      await settlePartition(session, 'r', partition);
      expect(await session.log.trim()).toBe(0);
      expect(await session.log.unregister('gone')).toBe(true);
      expect(await session.log.unregister('gone')).toBe(false);
      await session.reopen();
      const stats = await session.log.stats();
      expect(stats).toMatchObject({ size: 0, bytes: 0, oldestAtMs: undefined, tenants: [] });
      expect(stats.readers.map(({ reader }) => reader)).toEqual(['r']);
      expect(await session.log.trim()).toBe(5);
    }));

  it('a reader that is gone reads nothing, and waits instead of turning in circles', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 2);
      await session.log.unregister('r');
      expect(await session.log.read('r', partition, 512)).toEqual([]);
      let woken = false;
      const stop = new AbortController();
      const waiting = session.log.wait('r', partition, stop.signal).then(() => (woken = true));
      await session.clock.advance(1_000);
      expect(woken).toBe(false);
      stop.abort();
      await waiting;
    }));

  it('a lease taken for a reader that is gone commits nothing and does not bring it back', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 2);
      const { position } = lastOf(await session.log.read('r', partition, 2));
      await session.log.unregister('r');
      const fence = await hold(session, partitionLeaseName('r', partition), 'late');
      expect(await session.log.commit('r', partition, position, fence)).toBe('fenced');
      expect((await session.log.stats()).readers).toEqual([]);
    }));

  it('when the last reader goes, everything that is kept waits for the next one', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 6);
      const fence = await holdPartition(session, 'r', partition);
      await session.log.commit('r', partition, lastOf(await session.log.read('r', partition, 2)).position, fence);
      await session.log.trim();
      await settlePartition(session, 'r', partition);
      await session.log.unregister('r');
      for (let time = 0; time < 2; time += 1) {
        const { size, tenants } = await session.log.stats();
        expect([size, tenants[0]?.size]).toEqual([4, 4]);
        expect(await session.log.trim()).toBe(0);
        await session.reopen();
      }
      await session.log.register('next');
      expect(idsOf(await session.log.read('next', partition, 512))).toEqual(idsOf(events.slice(2)));
    }));
}
