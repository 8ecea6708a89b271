// What the log promises to its readers: partitions, order, commit, fencing, trim, wait, peek and stats.

import { describe, expect, it } from 'vitest';
import { type DeadLetterDraft, LOG_LIMITS, type LogEntry } from '#core/event-log.ts';
import { eventOfPayload } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { append, hold, holdPartition, idsOf, partitionOfEvent, readAll, sample, samples, settlePartition } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';

const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, partition) => partition);
const TURNS_MAX = 200; // of the clock; a waiter that polls wakes within them

export function deliverySuite(openHarness: OpenHarness): void {
  describe('reading and committing', () => {
    keepsOrder(openHarness);
    commitsForward(openHarness);
    fencesOldOwners(openHarness);
  });
  describe('trim', () => trims(openHarness));
  describe('wait', () => wakes(openHarness));
  describe('peek and stats', () => shows(openHarness));
}

/** One key and its events in version order, all in one partition. */
async function oneKey(session: StorageSession, count: number) {
  const events = Array.from({ length: count }, (_, at) => sample({ key: 'k', version: at + 1 }));
  const [first] = events;
  if (first === undefined) throw new Error('a key needs an event');
  await session.log.register('r');
  await append(session, ...events);
  return { events, partition: partitionOfEvent(session, first) };
}

function lastOf(entries: readonly LogEntry[]): LogEntry {
  const last = entries.at(-1);
  if (last === undefined) throw new Error('there is nothing to settle');
  return last;
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
        const hostile = { key: `${text}#${at}`, title: text.slice(0, 500), text, context: { trace_id: text.slice(0, 500) }, data: { [text]: [text] } };
        const sealed = sample({ ...hostile, tags: ['t'], links: [{ rel: 'to', to: text }], severity: 'high', url: text });
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
      const lower = await session.log.commit('r', partition, lastOf(entries.slice(0, 2)).position, fence).catch(() => 'refused');
      expect(lower).not.toBe('fenced');
      expect(idsOf(await session.log.read('r', partition, 512))).toEqual(idsOf(events.slice(4)));
    }));

  it('dead letters are stored with the position', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 3);
      const entries = await session.log.read('r', partition, 3);
      const fence = await holdPartition(session, 'r', partition);
      expect(await session.log.commit('r', partition, lastOf(entries).position, fence, [letterOf(lastOf(entries), 5)])).toBe('committed');
      await session.crash();
      const [letter, ...more] = await session.store.deadLetters.list(['a'], 'wiki', 10);
      expect(more).toEqual([]);
      expect(letter).toMatchObject({ tenant: 'a', connection: 'wiki', stream: 'pages', stage: 'r', key: 'k', attempts: 5 });
      expect(letter).toMatchObject({ code: 'record_invalid', message: 'cannot take k', lastAtMs: session.clock.now() });
      expect(await session.log.read('r', partition, 512)).toEqual([]);
    }));

  it('a commit that is repeated because its answer was lost is committed and adds no second dead letter', () =>
    withStorage(openHarness, async (session) => {
      const { partition } = await oneKey(session, 3);
      const entries = await session.log.read('r', partition, 3);
      const fence = await holdPartition(session, 'r', partition);
      for (let time = 0; time < 2; time += 1) {
        expect(await session.log.commit('r', partition, lastOf(entries).position, fence, [letterOf(lastOf(entries))])).toBe('committed');
      }
      expect(await session.store.deadLetters.count({ tenant: 'a', connection: 'wiki' })).toBe(1);
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
    expect(await session.log.commit('r', partition, lastOf(entries).position, stale, [letterOf(lastOf(entries))])).toBe('fenced');
    expect(idsOf(await session.log.read('r', partition, 3))).toEqual(idsOf(events));
    expect(await session.store.deadLetters.list(['a'], undefined, 10)).toEqual([]);
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
      expect(await session.log.commit('r', partition, position, await holdPartition(session, 'other', partition))).toBe('fenced');
    }));
}

async function trimToEnd(session: StorageSession): Promise<number> {
  let trimmed = 0;
  for (;;) {
    const count = await session.log.trim();
    expect(count).toBeLessThanOrEqual(LOG_LIMITS.trimRowsMax);
    if (count === 0) return trimmed;
    trimmed += count;
  }
}

function trims(openHarness: OpenHarness): void {
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
        { reader: 'r', lag: elsewhere.length },
        { reader: 'slow', lag: 4 + elsewhere.length },
      ]);
      await settlePartition(session, 'slow', partition);
      const half = await session.log.stats();
      expect(half).toMatchObject({ size: elsewhere.length, oldestAtMs: firstAtMs + 60_000 });
      expect(half.bytes).toBeLessThan(full.bytes);
      expect(half.bytes).toBeGreaterThan(0);
      for (const reader of ['r', 'slow']) await settlePartition(session, reader, other);
      expect(await session.log.stats()).toMatchObject({ size: 0, bytes: 0, oldestAtMs: undefined });
      await trimToEnd(session);
      await session.reopen();
      expect(await session.log.stats()).toMatchObject({ size: 0, bytes: 0, oldestAtMs: undefined });
    }));
}
