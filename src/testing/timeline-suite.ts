// What the timeline promises: every event once, in time order, through any filter, and pages that neither lose nor repeat.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS, type SealedEvent, SEVERITIES } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { TimelineQuery } from '#core/timeline.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, SUITE_RUNS, withStorage } from './engine-harness.ts';
import { append, deliver, hold, idsOf, ingest, partitionOfEvent, partitionsOfEvents, sample } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { matches } from './memory-timeline.ts';
import { ALL, allRows, timesOf } from './timeline-pages.ts';
import { timelinePagingSuite } from './timeline-paging-suite.ts';

export function timelineSuite(openHarness: OpenHarness): void {
  describe('timeline', () => {
    appliesOnce(openHarness);
    filters(openHarness);
    timelinePagingSuite(openHarness);
  });
}

function appliesOnce(openHarness: OpenHarness): void {
  it('holds every event of every kind once, deletes too, also when entries are applied again', () =>
    withStorage(openHarness, async (session) => {
      const { timeline } = session.store;
      const events = KINDS.flatMap((kind) =>
        [1, 2, 3].map((version) => sample({ kind, version, key: kind, op: version === 3 ? 'delete' : 'upsert' })),
      );
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
      const times = [
        '2026-01-01T10:00:00Z',
        '2026-01-01T12:30:00+03:00',
        '2026-01-01T09:30:00.5Z',
        '2026-01-01T00:00:00-10:00',
        '2025-12-31T23:59:59.999Z',
      ];
      await ingest(
        session,
        session.store.timeline,
        times.map((time, at) => sample({ key: `t-${at}`, time })),
      );
      const newestFirst = times.map((time) => Date.parse(time)).toSorted((a, b) => b - a);
      expect(timesOf(await allRows(session, ALL))).toEqual(newestFirst);
      const sinceMs = Date.parse('2026-01-01T09:30:00Z');
      expect(timesOf(await allRows(session, { ...ALL, sinceMs, untilMs: sinceMs + 500 }))).toEqual([sinceMs]);
    }));
}

const TEXTS = ['Alpha', 'aLPHa beta', '100%', 'a_b', 'axb', 'back\\slash', "it's", 'Ünïcode', ''];
const NEEDLES = ['alpha', 'ALPHA', '%', '_', 'a_b', '\\', "'", 'Ünï', 'b', '\n', 'nowhere'];

const eventArbitrary: fc.Arbitrary<SealedEvent> = fc
  .record({
    tenant: fc.constantFrom('a', 'b'),
    connection: fc.constantFrom('wiki', 'code'),
    kind: fc.constantFrom(...KINDS),
    severity: fc.option(fc.constantFrom(...SEVERITIES), { nil: undefined }),
    tags: fc.option(fc.subarray(['red', 'blue', 're', 'a"b', 'red,blue', 'x y', 'x\u001fy']), { nil: undefined }),
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
    tag: fc.constantFrom('red', 'blue', 're', 'a"b', '%', 'RED', 'x y', 'x\u001fy'),
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
      const events = HOSTILE_TEXTS.map((text, at) =>
        sample({ key: `${text}#${at}`, title: text.slice(0, 500), tags: [text.slice(0, 60)] }),
      );
      await ingest(session, session.store.timeline, events);
      expect(idsOf(await allRows(session, ALL)).toSorted()).toEqual(idsOf(events).toSorted());
      for (const [at, text] of HOSTILE_TEXTS.entries()) {
        const own = events[at]?.event.id;
        expect(idsOf(await allRows(session, { ...ALL, tag: text.slice(0, 60) }))).toContain(own);
        expect(idsOf(await allRows(session, { ...ALL, text: `${text}#${at}` }))).toContain(own);
        expect(await allRows(session, { ...ALL, text: `${text}?absent` })).toEqual([]);
        expect(await allRows(session, { ...ALL, tenants: [text], connection: text })).toEqual([]);
      }
    }));
}
