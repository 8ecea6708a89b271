// What the timeline promises to those who read on: pages that neither lose nor repeat a row, and following what is new.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, withStorage } from './engine-harness.ts';
import { idsOf, ingest, sample, SAMPLE_STREAM } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { ALL, allRows, timesOf } from './timeline-pages.ts';

export function timelinePagingSuite(openHarness: OpenHarness): void {
  pages(openHarness);
  follows(openHarness);
}

function pages(openHarness: OpenHarness): void {
  it(
    'neither loses nor repeats a row while newer and older events are stored between the pages',
    { timeout: PROPERTY_TIMEOUT_MS },
    async () => {
      const minutes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 });
      const property = fc.asyncProperty(minutes, minutes, fc.integer({ min: 1, max: 6 }), (before, between, limit) =>
        withStorage(openHarness, async (session) => {
          const at = (minute: number, key: string) =>
            sample({ key, time: new Date(Date.UTC(2026, 0, 1, 10, minute)).toISOString() });
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
    },
  );

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
        const ask = async () => session.store.timeline.query({ ...ALL, before });
        const answer = await ask().catch((thrown: { readonly code?: unknown }) => thrown.code);
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
        const events = [0, 1, 2].map((at) =>
          sample({ key: `new-${round}-${at}`, time: new Date(Date.UTC(2026, 0, 1, 10, 30 - round)).toISOString() }),
        );
        await ingest(session, timeline, [
          ...events,
          sample({ key: `b-${round}`, of: { ...SAMPLE_STREAM, tenant: 'b' } }),
        ]);
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
      const { rows } = await session.store.timeline.query({
        ...ALL,
        after: 0,
        severity: 'high',
        tag: 'red',
        text: 'WANT',
      });
      expect(idsOf(rows)).toEqual([wanted.event.id]);
    }));
}
