// What the log promises to the delivery loop: partitions, order per key, commits that only go forward, and fencing.

import { describe, expect, it } from 'vitest';
import { type DeadLetterDraft, LOG_LIMITS, type LogEntry } from '#core/event-log.ts';
import { eventOfPayload } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  ALL_PARTITIONS,
  append,
  hold,
  holdPartition,
  idsOf,
  lastOf,
  oneKey,
  partitionOfEvent,
  readAll,
  sample,
  samples,
} from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';

export function deliverySuite(openHarness: OpenHarness): void {
  describe('reading and committing', () => {
    keepsOrder(openHarness);
    commitsForward(openHarness);
    fencesOldOwners(openHarness);
  });
}

function letterOf(entry: LogEntry, attempts = 1): DeadLetterDraft {
  return { entry, code: 'record_invalid', message: `cannot take ${entry.event.key}`, attempts };
}

function keepsOrder(openHarness: OpenHarness): void {
  it('every event stands in the partition of its tenant and key, before and after a restart', () =>
    withStorage(openHarness, async (session) => {
      const of = { tenant: 'b', connection: 'wiki', stream: 'pages' };
      const events = [...samples(60), ...samples(60, 'page', { of })];
      await session.log.register('r');
      await append(session, ...events.slice(0, 50));
      await session.reopen();
      await append(session, ...events.slice(50));
      for (const partition of ALL_PARTITIONS) {
        const expected = events.filter((sealed) => partitionOfEvent(session, sealed) === partition);
        expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(expected));
      }
    }));

  it('the events of a key come in the order of their appends, whatever their versions', () =>
    withStorage(openHarness, async (session) => {
      const versions = [5, 1, 9, 2, 7, 3];
      const events = versions.map((version) => sample({ key: 'k', version }));
      await session.log.register('r');
      for (const event of events) await append(session, event, sample({ key: `other-${event.event.version}` }));
      const own = (await readAll(session, 'r', ALL_PARTITIONS)).filter(({ event }) => event.key === 'k');
      expect(own.map(({ event }) => event.version)).toEqual(versions);
      expect(own.every((entry, at) => entry.position > (own[at - 1]?.position ?? 0))).toBe(true);
    }));

  it('an entry carries the event exactly as it was sealed and the wall time of its append', () =>
    withStorage(openHarness, async (session) => {
      await session.log.register('r');
      for (const [at, text] of HOSTILE_TEXTS.entries()) {
        const hostile = {
          key: `${text}#${at}`,
          title: text.slice(0, 500),
          text,
          context: { trace_id: text.slice(0, 500) },
          data: { [text]: [text] },
        };
        const sealed = sample({
          ...hostile,
          tags: ['t'],
          links: [{ rel: 'to', to: text }],
          severity: 'high',
          url: text,
        });
        await append(session, sealed);
        const entry = lastOf(await session.log.read('r', partitionOfEvent(session, sealed), 512));
        expect(entry.event).toEqual(eventOfPayload(sealed.payload));
        expect(entry.observedAtMs).toBe(session.clock.now());
        session.clock.stepWall(at % 2 === 0 ? 5_000 : -3_000);
      }
    }));

  it('read gives at most limit entries, oldest first, and the same ones until they are committed', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 10);
      const firstRead = await session.log.read('r', partition, 4);
      expect(idsOf(firstRead)).toEqual(idsOf(events.slice(0, 4)));
      expect(await session.log.read('r', partition, 4)).toEqual(firstRead);
      expect(idsOf(await session.log.read('r', partition, LOG_LIMITS.readEventsMax))).toEqual(idsOf(events));
    }));
}

function commitsForward(openHarness: OpenHarness): void {
  it('what is committed does not come again, also after a restart, and other readers still get it', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 10);
      await session.log.register('other');
      const fence = await holdPartition(session, 'r', partition);
      const half = await session.log.read('r', partition, 5);
      expect(await session.log.commit('r', partition, lastOf(half).position, fence)).toBe('committed');
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(5)));
      await session.crash();
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(5)));
      await session.log.register('r');
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(5)));
      expect(idsOf(await session.log.read('other', partition, 512))).toEqual(idsOf(events));
    }));

  it('a commit of a lower position moves nothing back', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 6);
      const fence = await holdPartition(session, 'r', partition);
      const entries = await session.log.read('r', partition, 4);
      await session.log.commit('r', partition, lastOf(entries).position, fence);
      // The owner is told neither that it lost the partition nor that it may go back; an engine may also assert here.
      const lower = await session.log
        .commit('r', partition, lastOf(entries.slice(0, 2)).position, fence)
        .catch(() => 'refused');
      expect(lower).not.toBe('fenced');
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(4)));
    }));

  it('dead letters are stored with the position', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 3);
      const entries = await session.log.read('r', partition, 3);
      const fence = await holdPartition(session, 'r', partition);
      expect(
        await session.log.commit('r', partition, lastOf(entries).position, fence, [letterOf(lastOf(entries), 5)]),
      ).toBe('committed');
      await session.crash();
      const [letter, ...more] = await session.store.deadLetters.list({ tenants: ['a'], connection: 'wiki' }, 10);
      expect(more).toEqual([]);
      expect(letter).toMatchObject({
        tenant: 'a',
        connection: 'wiki',
        stream: 'pages',
        stage: 'r',
        key: 'k',
        attempts: 5,
      });
      expect(letter).toMatchObject({ code: 'record_invalid', message: 'cannot take k', lastAtMs: session.clock.now() });
      expect(await session.log.read('r', partition, 512)).toEqual([]);
    }));

  it('a commit that is repeated because its answer was lost is committed and adds neither a dead letter nor an attempt', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 3);
      const entries = await session.log.read('r', partition, 3);
      const fence = await holdPartition(session, 'r', partition);
      for (let time = 0; time < 2; time += 1) {
        expect(
          await session.log.commit('r', partition, lastOf(entries).position, fence, [letterOf(lastOf(entries))]),
        ).toBe('committed');
      }
      const letters = await session.store.deadLetters.list({ tenants: ['a'], connection: 'wiki' }, 10);
      expect(letters.map(({ attempts }) => attempts)).toEqual([1]);
    }));
}

function fencesOldOwners(openHarness: OpenHarness): void {
  /** An owner that lost its partition tries to settle it with a dead letter: nothing of that may remain. */
  async function expectFenced(session: StorageSession, lose: (lease: string) => Promise<void>): Promise<void> {
    const { events, partition } = await oneKey(session, 3);
    const lease = partitionLeaseName('r', partition);
    const stale = await hold(session, lease, 'first', 1_000);
    const entries = await session.log.read('r', partition, 3);
    await lose(lease);
    expect(await session.log.commit('r', partition, lastOf(entries).position, stale, [letterOf(lastOf(entries))])).toBe(
      'fenced',
    );
    expect(idsOf(await session.log.read('r', partition, 3))).toEqual(idsOf(events));
    expect(await session.store.deadLetters.list({ tenants: ['a'] }, 10)).toEqual([]);
    const fence = await hold(session, lease, 'second');
    expect(await session.log.commit('r', partition, lastOf(entries).position, fence)).toBe('committed');
  }

  it('an owner whose lease ran out and was taken over cannot move the position', () =>
    withStorage(openHarness, (session) =>
      expectFenced(session, async (lease) => {
        await session.clock.advance(1_050);
        await hold(session, lease, 'second');
      }),
    ));

  it('an owner that released its lease to another cannot move the position', () =>
    withStorage(openHarness, (session) =>
      expectFenced(session, async (lease) => {
        await session.leases.release(await hold(session, lease, 'first'));
        await hold(session, lease, 'second');
      }),
    ));

  it('an owner of before the restart cannot move the position after a takeover', () =>
    withStorage(openHarness, (session) =>
      expectFenced(session, async (lease) => {
        await session.reopen();
        await session.clock.advance(1_050);
        await hold(session, lease, 'second');
      }),
    ));

  it('a fence that was never given out cannot move the position', () =>
    withStorage(openHarness, async (session) => {
      const { events, partition } = await oneKey(session, 2);
      const { position } = lastOf(await session.log.read('r', partition, 2));
      const { lease, token } = await holdPartition(session, 'r', partition);
      expect(await session.log.commit('r', partition, position, { lease, token: token + 1 })).toBe('fenced');
      expect(await session.log.commit('r', partition, position, { lease: 'nobody knows it', token: 1 })).toBe('fenced');
      expect(idsOf(await session.log.read('r', partition, 2))).toEqual(idsOf(events));
    }));

  it('the lease of another partition or reader is no proof', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 2);
      const { position } = lastOf(await session.log.read('r', partition, 2));
      const neighbour = await holdPartition(session, 'r', (partition + 1) % PARTITIONS);
      expect(await session.log.commit('r', partition, position, neighbour)).toBe('fenced');
      expect(await session.log.commit('r', partition, position, await holdPartition(session, 'other', partition))).toBe(
        'fenced',
      );
    }));
}
