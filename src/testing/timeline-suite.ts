// What the timeline promises: every event once, in time order, through any filter, and pages that neither lose nor repeat.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS, type SealedEvent, SEVERITIES } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { TimelineQuery, TimelineRow } from '#core/timeline.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, SUITE_RUNS, withStorage } from './engine-harness.ts';
import { append, deliver, hold, idsOf, ingest, partitionOfEvent, partitionsOfEvents, sample, SAMPLE_STREAM } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { matches } from './memory-timeline.ts';

const ALL: TimelineQuery = { tenants: ['a', 'b'], limit: 500 };
const PAGES_MAX = 200;

export function timelineSuite(openHarness: OpenHarness): void {
  describe('timeline', () => {
    appliesOnce(openHarness);
    filters(openHarness);
    pages(openHarness);
    follows(openHarness);
  });
}

async function allRows(session: StorageSession, query: TimelineQuery, betweenPages?: () => Promise<void>): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  let next: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await session.store.timeline.query(next === undefined ? query : { ...query, before: next });
    expect(answer.rows.length).toBeLessThanOrEqual(query.limit);
    rows.push(...answer.rows);
    next = answer.next;
    if (next === undefined) return rows;
    await betweenPages?.();
  }
  throw new Error(`the timeline has no end after ${PAGES_MAX} pages`);
}

function timesOf(rows: readonly TimelineRow[]): number[] {
  return rows.map(({ event }) => Date.parse(event.time));
}

function appliesOnce(openHarness: OpenHarness): void {
  it('holds every event of every kind once, deletes too, also when entries are applied again', () =>
    withStorage(openHarness, async (session) => {
      const { timeline } = session.store;
      const events = KINDS.flatMap((kind) => [1, 2, 3].map((version) => sample({ kind, version, key: kind, op: version === 3 ? 'delete' : 'upsert' })));
      await append(session, ...events);
      const partitions = partitionsOfEvents(session, events);
      const batches = await deliver(session, timeline, partitions, 2);
      for (const batch of batches) {
        const [first] = batch;
        if (first === undefined) continue;
        const partition = partitionOfEvent(session, first);
        await timeline.apply(partition, batch, await hold(session, partitionLeaseName('timeline', partition)));
      }
      const rows = await allRows(session, ALL);
      expect(idsOf(rows).toSorted()).toEqual(idsOf(events).toSorted());
      expect(rows.map(({ event }) => event)).toEqual(expect.arrayContaining(events.map(({ event }) => event)));
      expect(rows.every(({ observedAtMs }) => observedAtMs === session.clock.now())).toBe(true);
    }));

  it('rows and position survive a process death together', () =>
    withStorage(openHarness, async (session) => {
      const event = sample();
      await ingest(session, session.store.timeline, [event]);
      await session.crash();
      expect(idsOf(await allRows(session, ALL))).toEqual([event.event.id]);
      expect(await session.log.read('timeline', partitionOfEvent(session, event), 10)).toEqual([]);
    }));

  it('a fenced owner writes no row and moves no position', () =>
    withStorage(openHarness, async (session) => {
      const event = sample();
      const partition = partitionOfEvent(session, event);
      const lease = partitionLeaseName('timeline', partition);
      await session.log.register('timeline');
      await append(session, event);
      const stale = await hold(session, lease, 'first', 1_000);
      const entries = await session.log.read('timeline', partition, 10);
      await session.clock.advance(1_050);
      await hold(session, lease, 'second');
      expect(await session.store.timeline.apply(partition, entries, stale)).toBe('fenced');
      expect(await allRows(session, ALL)).toEqual([]);
      expect(await session.log.read('timeline', partition, 10)).toEqual(entries);
    }));

  it('orders by the instant a time means, not by how it is written', () =>
    withStorage(openHarness, async (session) => {
      const times = ['2026-01-01T10:00:00Z', '2026-01-01T12:30:00+03:00', '2026-01-01T09:30:00.5Z', '2026-01-01T00:00:00-10:00', '2025-12-31T23:59:59.999Z'];
      await ingest(session, session.store.timeline, times.map((time, at) => sample({ key: `t-${at}`, time })));
      const newestFirst = times.map((time) => Date.parse(time)).toSorted((a, b) => b - a);
      expect(timesOf(await allRows(session, ALL))).toEqual(newestFirst);
      const sinceMs = Date.parse('2026-01-01T09:30:00Z');
      expect(timesOf(await allRows(session, { ...ALL, sinceMs, untilMs: sinceMs + 500 }))).toEqual([sinceMs]);
    }));
}

const TEXTS = ['Alpha', 'aLPHa beta', '100%', 'a_b', 'axb', 'back\\slash', "it's", 'Ünïcode', ''];
const NEEDLES = ['alpha', 'ALPHA', '%', '_', 'a_b', '\\', "'", 'Ünï', 'b', 'nowhere'];

const eventArbitrary: fc.Arbitrary<SealedEvent> = fc
  .record({
    tenant: fc.constantFrom('a', 'b'),
    connection: fc.constantFrom('wiki', 'code'),
    kind: fc.constantFrom(...KINDS),
    severity: fc.option(fc.constantFrom(...SEVERITIES), { nil: undefined }),
    tags: fc.option(fc.subarray(['red', 'blue', 're', 'a"b', 'red,blue']), { nil: undefined }),
    key: fc.integer({ min: 0, max: 1e6 }).map((number) => `key-${number}`),
    title: fc.option(fc.constantFrom(...TEXTS), { nil: undefined }),
    text: fc.option(fc.constantFrom(...TEXTS), { nil: undefined }),
    minute: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ tenant, connection, minute, ...draft }) => {
    const time = new Date(Date.UTC(2026, 0, 1, 10, minute)).toISOString();
    return sample({ of: { tenant, connection, stream: 'pages' }, time, ...draft });
  });

const minuteMs = fc.integer({ min: -1, max: 13 }).map((minute) => Date.UTC(2026, 0, 1, 10, minute));
const queryArbitrary = fc.record<TimelineQuery>(
  {
    tenants: fc.subarray(['a', 'b', 'nobody']),
    connection: fc.constantFrom('wiki', 'code', 'none'),
    kind: fc.constantFrom(...KINDS),
    severity: fc.constantFrom(...SEVERITIES),
    tag: fc.constantFrom('red', 'blue', 're', 'a"b', '%', 'RED'),
    text: fc.constantFrom(...NEEDLES, 'key-1'),
    sinceMs: minuteMs,
    untilMs: minuteMs,
    limit: fc.integer({ min: 1, max: 20 }),
  },
  { requiredKeys: ['tenants', 'limit'] },
);

function filters(openHarness: OpenHarness): void {
  it('gives for any filters exactly what a look at every event gives', { timeout: PROPERTY_TIMEOUT_MS }, async () => {
    const perStorage = 20; // queries against one set of events: opening storage costs more than asking
    const events = fc.uniqueArray(eventArbitrary, { selector: ({ event }) => event.id, maxLength: 40, size: 'max' });
    const queries = fc.array(queryArbitrary, { minLength: perStorage, maxLength: perStorage });
    const property = fc.asyncProperty(events, queries, (stored, asked) =>
      withStorage(openHarness, async (session) => {
        await ingest(session, session.store.timeline, stored);
        for (const query of asked) {
          const rows = await allRows(session, query);
          const expected = stored.filter(({ event }) => matches(query, { event, position: 0, observedAtMs: 0 }));
          expect(idsOf(rows).toSorted()).toEqual(idsOf(expected).toSorted());
          expect(timesOf(rows)).toEqual(timesOf(rows).toSorted((a, b) => b - a));
          const first = await session.store.timeline.query(query);
          expect(first.rows.length).toBe(Math.min(query.limit, expected.length));
        }
      }),
    );
    await fc.assert(property, { ...runsOf('heavy'), numRuns: SUITE_RUNS.light / perStorage });
  });

  it('takes hostile filter values as plain text', () =>
    withStorage(openHarness, async (session) => {
      const events = HOSTILE_TEXTS.map((text, at) => sample({ key: `${text}#${at}`, title: text.slice(0, 500), tags: [text.slice(0, 60)] }));
      await ingest(session, session.store.timeline, events);
      expect(idsOf(await allRows(session, ALL)).toSorted()).toEqual(idsOf(events).toSorted());
      for (const [at, text] of HOSTILE_TEXTS.entries()) {
        const own = events[at]?.event.id;
        expect(idsOf(await allRows(session, { ...ALL, tag: text.slice(0, 60) }))).toContain(own);
        expect(idsOf(await allRows(session, { ...ALL, text: `${text}#${at}` }))).toContain(own);
        expect(await allRows(session, { ...ALL, tenants: [text], connection: text })).toEqual([]);
      }
    }));
}

function pages(openHarness: OpenHarness): void {
  it('neither loses nor repeats a row while newer and older events are stored between the pages', { timeout: PROPERTY_TIMEOUT_MS }, async () => {
    const minutes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 });
    const property = fc.asyncProperty(minutes, minutes, fc.integer({ min: 1, max: 6 }), (before, between, limit) =>
      withStorage(openHarness, async (session) => {
        const at = (minute: number, key: string) => sample({ key, time: new Date(Date.UTC(2026, 0, 1, 10, minute)).toISOString() });
        const stored = before.map((minute, index) => at(minute, `before-${index}`));
        await ingest(session, session.store.timeline, stored);
        const waiting = between.map((minute, index) => at(minute, `between-${index}`));
        const seen = await allRows(session, { ...ALL, limit }, async () => {
          const one = waiting.pop();
          if (one !== undefined) await ingest(session, session.store.timeline, [one]);
        });
        const ids = idsOf(seen);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids).toEqual(expect.arrayContaining(idsOf(stored)));
        expect(timesOf(seen)).toEqual(timesOf(seen).toSorted((a, b) => b - a));
      }),
    );
    await fc.assert(property, runsOf('heavy'));
  });

  it('has no next page when the last row was given', () =>
    withStorage(openHarness, async (session) => {
      expect(await session.store.timeline.query(ALL)).toEqual({ rows: [], next: undefined });
      await ingest(session, session.store.timeline, [sample({ key: 'one' }), sample({ key: 'two' })]);
      expect((await session.store.timeline.query({ ...ALL, limit: 2 })).next).toBeUndefined();
      expect((await session.store.timeline.query({ ...ALL, limit: 1 })).next).toBeDefined();
    }));

  it('a place it never gave out is refused or answered, never a failure of the store', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.timeline, [sample()]);
      for (const before of HOSTILE_TEXTS) {
        const answer = await session.store.timeline.query({ ...ALL, before }).catch((thrown: { readonly code?: unknown }) => thrown.code);
        if (typeof answer !== 'object') expect(answer).toBe('input_invalid');
      }
    }));
}

function follows(openHarness: OpenHarness): void {
  it('newest is 0 when empty and then the number of the row stored last', () =>
    withStorage(openHarness, async (session) => {
      expect(await session.store.timeline.newest()).toBe(0);
      await ingest(session, session.store.timeline, [sample({ key: 'one' })]);
      const [row] = (await session.store.timeline.query(ALL)).rows;
      expect(await session.store.timeline.newest()).toBe(row?.row);
      await session.reopen();
      expect(await session.store.timeline.newest()).toBe(row?.row);
    }));

  it('after gives what was stored since, oldest first, and nothing twice', () =>
    withStorage(openHarness, async (session) => {
      const { timeline } = session.store;
      await ingest(session, timeline, [sample({ key: 'old' })]);
      let after = await timeline.newest();
      const seen: string[] = [];
      const stored: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        // Upstream time runs backwards here: following goes by storage, not by time.
        const events = [0, 1, 2].map((at) => sample({ key: `new-${round}-${at}`, time: new Date(Date.UTC(2026, 0, 1, 10, 30 - round)).toISOString() }));
        await ingest(session, timeline, [...events, sample({ key: `b-${round}`, of: { ...SAMPLE_STREAM, tenant: 'b' } })]);
        stored.push(...idsOf(events));
        for (;;) {
          const { rows } = await timeline.query({ tenants: ['a'], after, limit: 2 });
          const numbers = rows.map(({ row }) => row);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
          if (rows.length === 0) break;
          after = Math.max(...numbers);
          seen.push(...idsOf(rows));
        }
      }
      expect(seen.toSorted()).toEqual(stored.toSorted());
      expect(new Set(seen).size).toBe(seen.length);
    }));

  it('after keeps the other filters', () =>
    withStorage(openHarness, async (session) => {
      const wanted = sample({ key: 'wanted', severity: 'high', tags: ['red'] });
      await ingest(session, session.store.timeline, [wanted, sample({ key: 'other', severity: 'low' })]);
      const { rows } = await session.store.timeline.query({ ...ALL, after: 0, severity: 'high', tag: 'red', text: 'WANT' });
      expect(idsOf(rows)).toEqual([wanted.event.id]);
    }));
}
