// What stats promise beside size and lag: what each tenant has in the backlog, and how old each reader's oldest entry is.

import { describe, expect, it } from 'vitest';
import type { LogStats, TenantBacklog } from '#core/event-log.ts';
import type { SealedEvent } from '#core/event.ts';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  ALL_PARTITIONS,
  append,
  holdPartition,
  lastOf,
  partitionOfEvent,
  sample,
  samples,
  settlePartition,
} from './event-samples.ts';

const TENANTS = ['a', 'b', 'c'] as const;

export function backlogSuite(openHarness: OpenHarness): void {
  describe('the backlog of tenants', () => counts(openHarness));
  describe('the age of readers', () => ages(openHarness));
}

function ofTenant(tenant: string, count: number, prefix = 'page'): SealedEvent[] {
  return samples(count, prefix, { of: { tenant, connection: 'wiki', stream: 'pages' }, text: 'x'.repeat(count) });
}

function backlogOf(events: readonly SealedEvent[]): TenantBacklog[] {
  const byTenant = Map.groupBy(events, ({ event }) => event.tenant);
  const backlogs = [...byTenant].map(([tenant, own]) => ({
    tenant,
    size: own.length,
    bytes: own.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0),
  }));
  return inOrder(backlogs);
}

function inOrder(tenants: readonly TenantBacklog[]): TenantBacklog[] {
  return tenants.toSorted((one, other) => (one.tenant < other.tenant ? -1 : 1));
}

/** Also after a restart: what is remembered and what is stored must be the same. */
async function expectBacklog(session: StorageSession, events: readonly SealedEvent[]): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    const stats = await session.log.stats();
    expect(inOrder(stats.tenants)).toEqual(backlogOf(events));
    expect(stats.tenants.reduce((sum, { size }) => sum + size, 0)).toBe(stats.size);
    expect(stats.tenants.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(stats.bytes);
    await session.reopen();
  }
}

function counts(openHarness: OpenHarness): void {
  it('holds each tenant with its events and bytes, and nobody without any', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      expect((await session.log.stats()).tenants).toEqual([]);
      const events = [...ofTenant('a', 40), ...ofTenant('b', 3), ...ofTenant('c', 17)];
      await append(session, ...events);
      await append(session, ...events.slice(0, 20)); // known ids add nothing
      await expectBacklog(session, events);
    }));

  it('an event leaves its tenant when the slowest reader has settled it, not before', () =>
    withStorage(openHarness, async (session) => {
      for (const reader of ['fast', 'slow']) await session.log.register(reader);
      const events = TENANTS.flatMap((tenant) => ofTenant(tenant, 40));
      await append(session, ...events);
      const left = new Set(events);
      for (const partition of ALL_PARTITIONS) {
        await settlePartition(session, 'fast', partition);
        await expectBacklog(session, [...left]);
        await settlePartition(session, 'slow', partition);
        for (const event of events) if (partitionOfEvent(session, event) === partition) left.delete(event);
        await expectBacklog(session, [...left]);
      }
      expect((await session.log.stats()).tenants).toEqual([]);
    }));

  it('a commit takes from each tenant what is its own among the entries of the batch', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const events = TENANTS.flatMap((tenant) => ofTenant(tenant, 60)).filter(
        (sealed) => partitionOfEvent(session, sealed) === 3,
      );
      for (const [at, event] of events.entries()) await append(session, event, ...events.slice(0, at));
      for (let settled = 1; settled <= events.length; settled += 1) {
        const { position } = lastOf(await session.log.read('r', 3, 1));
        await session.log.commit('r', 3, position, await holdPartition(session, 'r', 3, `owner-${settled}`));
        await expectBacklog(session, events.slice(settled));
      }
    }));

  it('follows the slowest reader when one is registered, rewound or removed', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const old = TENANTS.flatMap((tenant) => ofTenant(tenant, 20, 'old'));
      await append(session, ...old);
      for (const partition of ALL_PARTITIONS) await settlePartition(session, 'r', partition);
      await expectBacklog(session, []);
      await session.clock.advance(60_000);
      const sinceMs = session.clock.now();
      const recent = TENANTS.flatMap((tenant) => ofTenant(tenant, 20, 'recent'));
      await append(session, ...recent);
      for (const partition of ALL_PARTITIONS) await settlePartition(session, 'r', partition);

      await session.log.register('late', { sinceMs });
      await expectBacklog(session, recent);
      await session.log.register('later', 'newest');
      await expectBacklog(session, recent);
      await session.log.rewind('r', 'oldest');
      await expectBacklog(session, [...old, ...recent]);
      await session.log.rewind('r', 'newest');
      await expectBacklog(session, recent);
      await session.log.unregister('late');
      await expectBacklog(session, []);
      for (const reader of ['r', 'later']) await session.log.unregister(reader);
      await expectBacklog(session, [...old, ...recent]);
      await session.log.register('next', 'newest');
      await expectBacklog(session, []);
    }));

  it('is as it was after an append or a move that was refused', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      const events = TENANTS.flatMap((tenant) => ofTenant(tenant, 10));
      await append(session, ...events);
      const unreadable = {
        payload: '{}',
        get event(): SealedEvent['event'] {
          throw new Error('cannot be read');
        },
      };
      // Of the same moment: what is undone with the bad one must not count twice when it is stored alone.
      const good = ofTenant('b', 7, 'good');
      const bad = [...ofTenant('a', 5, 'lost'), unreadable];
      const outcomes = await Promise.allSettled([append(session, ...good), append(session, ...bad)]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      await expect(session.log.rewind('nobody', 'newest')).rejects.toThrow();
      await expectBacklog(session, [...events, ...good]);
    }));
}

function ages(openHarness: OpenHarness): void {
  function ageOf({ readers }: LogStats, name: string): number | undefined {
    return readers.find(({ reader }) => reader === name)?.oldestAtMs;
  }

  it('is the time of the oldest entry the reader has not settled, over all partitions', () =>
    withStorage(openHarness, async (session) => {
      for (const reader of ['fast', 'slow']) await session.log.register(reader);
      const one = sample({ key: 'one' });
      const partition = partitionOfEvent(session, one);
      const other = samples(200).find((sealed) => partitionOfEvent(session, sealed) === (partition + 1) % PARTITIONS);
      if (other === undefined) throw new Error('200 keys fill every partition');
      const firstAtMs = session.clock.now();
      await append(session, one);
      await session.clock.advance(60_000);
      await append(session, other);
      await session.clock.advance(60_000);
      await append(session, sample({ key: 'one', version: 2 }), sample({ key: other.event.key, version: 2 }));
      expect(ageOf(await session.log.stats(), 'fast')).toBe(firstAtMs);
      await settlePartition(session, 'fast', partition);
      const half = await session.log.stats();
      expect([ageOf(half, 'fast'), ageOf(half, 'slow'), half.oldestAtMs]).toEqual([
        firstAtMs + 60_000,
        firstAtMs,
        firstAtMs,
      ]);
      await settlePartition(session, 'fast', (partition + 1) % PARTITIONS);
      await session.reopen();
      const full = await session.log.stats();
      expect([ageOf(full, 'fast'), ageOf(full, 'slow')]).toEqual([undefined, firstAtMs]);
    }));
}
