// What the log promises about dispatches: what a reader was writing outlives the process, and only its owner may say so (ADR 0007).

import { describe, expect, it } from 'vitest';
import type { Dispatch } from '#core/event-log.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { hold, holdPartition, oneKey } from './event-samples.ts';

export function dispatchSuite(openHarness: OpenHarness): void {
  describe('dispatch', () => {
    remembers(openHarness);
    refusesStrangers(openHarness);
  });
}

/** Four entries of one partition for `r`, its owner's fence, and a dispatch of the entry at an index. */
async function atWork(session: StorageSession) {
  const { partition } = await oneKey(session, 4);
  const entries = await session.log.read('r', partition, 4);
  const positionOf = (at: number): number => entries[at]?.position ?? 0;
  const dispatchOf = (at: number, rest: Partial<Dispatch> = {}): Dispatch => ({
    position: positionOf(at),
    events: 1,
    attempts: 0,
    open: true,
    ...rest,
  });
  return { partition, fence: await holdPartition(session, 'r', partition), positionOf, dispatchOf };
}

function remembers(openHarness: OpenHarness): void {
  it('what was recorded is found after a process death, member for member', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      expect(await session.log.dispatched('r', partition)).toBeUndefined();
      for (const dispatch of [dispatchOf(0, { events: 4, attempts: 3 }), dispatchOf(0, { open: false })]) {
        expect(await session.log.dispatch('r', partition, dispatch, fence)).toBe('recorded');
        expect(await session.log.dispatched('r', partition)).toEqual(dispatch);
      }
      await session.crash();
      expect(await session.log.dispatched('r', partition)).toEqual(dispatchOf(0, { open: false }));
    }));

  it('belongs to one reader and one partition', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      await session.log.register('other');
      await session.log.dispatch('r', partition, dispatchOf(0), fence);
      expect(await session.log.dispatched('other', partition)).toBeUndefined();
      expect(await session.log.dispatched('r', (partition + 1) % PARTITIONS)).toBeUndefined();
    }));

  it('a commit of its position or a later one removes it, a commit before it leaves it', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, positionOf, dispatchOf } = await atWork(session);
      await session.log.dispatch('r', partition, dispatchOf(1), fence);
      await session.log.commit('r', partition, positionOf(0), fence);
      expect(await session.log.dispatched('r', partition)).toEqual(dispatchOf(1));
      await session.log.commit('r', partition, positionOf(1), fence);
      expect(await session.log.dispatched('r', partition)).toBeUndefined();
      await session.log.dispatch('r', partition, dispatchOf(2), fence);
      await session.log.commit('r', partition, positionOf(3), fence);
      await session.crash();
      expect(await session.log.dispatched('r', partition)).toBeUndefined();
    }));

  it('settles nothing: the entries still come', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      await session.log.dispatch('r', partition, dispatchOf(0, { events: 4 }), fence);
      expect(await session.log.read('r', partition, 512)).toHaveLength(4);
      expect(await session.log.trim()).toBe(0);
    }));
}

function refusesStrangers(openHarness: OpenHarness): void {
  it('an owner that lost the partition records nothing over its successor', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      await session.leases.release(fence);
      const next = await hold(session, partitionLeaseName('r', partition), 'second');
      await session.log.dispatch('r', partition, dispatchOf(0, { attempts: 1 }), next);
      expect(await session.log.dispatch('r', partition, dispatchOf(2), fence)).toBe('fenced');
      expect(await session.log.dispatched('r', partition)).toEqual(dispatchOf(0, { attempts: 1 }));
    }));

  it('a fence of another partition, of another reader, or that was never given out records nothing', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      await session.log.register('other');
      const strangers = [
        await holdPartition(session, 'r', (partition + 1) % PARTITIONS),
        await holdPartition(session, 'other', partition),
        { ...fence, token: fence.token + 1_000 },
      ];
      for (const stranger of strangers)
        expect(await session.log.dispatch('r', partition, dispatchOf(0), stranger)).toBe('fenced');
      expect(await session.log.dispatched('r', partition)).toBeUndefined();
    }));

  it('a lease that ran out records nothing once it was taken over', () =>
    withStorage(openHarness, async (session) => {
      const { partition, fence, dispatchOf } = await atWork(session);
      await session.leases.release(fence);
      const lease = partitionLeaseName('r', partition);
      const stale = await hold(session, lease, 'second', 1_000);
      await session.clock.advance(1_050);
      await hold(session, lease, 'third');
      expect(await session.log.dispatch('r', partition, dispatchOf(0), stale)).toBe('fenced');
      expect(await session.log.dispatched('r', partition)).toBeUndefined();
    }));
}
