// What Store promises besides its two built-in sinks. Runs and streams stand here, the rest has suites of its own.

import { describe, expect, it } from 'vitest';
import type { Run } from '#core/store.ts';
import { callsSuite } from './calls-suite.ts';
import { deadLettersSuite } from './dead-letters-suite.ts';
import { type OpenHarness, withStorage } from './engine-harness.ts';
import { entitiesSuite } from './entities-suite.ts';
import { checkpointOf, SAMPLE_STREAM, samples } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { NO_COUNTS, sampleRun, WIKI } from './store-samples.ts';

export function storeSuite(openHarness: OpenHarness): void {
  describe('store', () => {
    describe('runs', () => keepsRuns(openHarness));
    describe('streams', () => keepsStreams(openHarness));
    entitiesSuite(openHarness);
    callsSuite(openHarness);
    deadLettersSuite(openHarness);
  });
}

function keepsRuns(openHarness: OpenHarness): void {
  it('a run reads back as it was started and as it was ended, also after a restart', () =>
    withStorage(openHarness, async (session) => {
      const started = sampleRun('one', 1_000);
      await session.store.runs.start(started);
      expect(await session.store.runs.recent(WIKI, 10)).toEqual([started]);
      const counts = {
        pages: 3,
        appended: 20,
        unchanged: 4,
        deleted: 1,
        failed: 2,
        skipped: { binary: 7, [HOSTILE_TEXTS[1] ?? '"']: 1 },
      };
      const ended: Run = {
        ...started,
        endedAtMs: 2_000,
        outcome: 'failed',
        counts,
        code: 'rate_limited',
        message: "it's \u0000",
        resumeAtMs: 9_000,
      };
      await session.store.runs.end(ended);
      await session.crash();
      expect(await session.store.runs.recent(WIKI, 10)).toEqual([ended]);
    }));

  it('recent gives the newest runs of one connection first, at most limit', () =>
    withStorage(openHarness, async ({ store }) => {
      for (const startedAtMs of [3_000, 1_000, 4_000, 2_000])
        await store.runs.start(sampleRun(`run-${startedAtMs}`, startedAtMs));
      await store.runs.start(sampleRun('elsewhere', 9_000, { connection: 'other' }));
      await store.runs.start(sampleRun('foreign', 9_000, { tenant: 'b' }));
      expect((await store.runs.recent(WIKI, 3)).map(({ id }) => id)).toEqual(['run-4000', 'run-3000', 'run-2000']);
      expect(await store.runs.recent({ tenant: 'a', connection: 'unknown' }, 3)).toEqual([]);
    }));

  it('runs without an end are closed as failed with cancelled, once, and ended ones are left alone', () =>
    withStorage(openHarness, async (session) => {
      const done = sampleRun('done', 1_000, { endedAtMs: 1_500, outcome: 'succeeded' });
      await session.store.runs.start(sampleRun('done', 1_000));
      await session.store.runs.end(done);
      await session.store.runs.start(sampleRun('cut', 2_000));
      await session.store.runs.start(sampleRun('foreign', 2_000, { tenant: 'b' }));
      await session.crash();
      expect(await session.store.runs.closeAbandoned(5_000)).toBe(2);
      expect(await session.store.runs.closeAbandoned(6_000)).toBe(0);
      const [cut, first] = await session.store.runs.recent(WIKI, 10);
      expect(cut).toMatchObject({
        id: 'cut',
        outcome: 'failed',
        code: 'cancelled',
        endedAtMs: 5_000,
        counts: NO_COUNTS,
      });
      expect(first).toEqual(done);
    }));

  it('lastSuccess is the end of the newest run that succeeded, whatever came after it', () =>
    withStorage(openHarness, async ({ store }) => {
      expect(await store.runs.lastSuccess(WIKI)).toBeUndefined();
      for (const [at, outcome] of (['failed', 'succeeded', 'succeeded', 'yielded', 'failed'] as const).entries()) {
        const run = sampleRun(`run-${at}`, at * 1_000);
        await store.runs.start(run);
        await store.runs.end({ ...run, outcome, endedAtMs: at * 1_000 + 500 });
      }
      expect(await store.runs.lastSuccess(WIKI)).toBe(2_500);
      expect(await store.runs.lastSuccess({ tenant: 'b', connection: 'wiki' })).toBeUndefined();
    }));
}

function keepsStreams(openHarness: OpenHarness): void {
  it('a stream nobody wrote is unknown', () =>
    withStorage(openHarness, async ({ store }) => {
      expect(await store.streams.get(SAMPLE_STREAM)).toBeUndefined();
      expect(await store.streams.list(WIKI)).toEqual([]);
    }));

  it('the schedule of a stream leaves its cursor alone, and a checkpoint leaves the schedule alone', () =>
    withStorage(openHarness, async (session) => {
      const { log, store, clock } = session;
      await store.streams.schedule(SAMPLE_STREAM, 5_000, 2);
      expect(await store.streams.get(SAMPLE_STREAM)).toEqual({
        ...SAMPLE_STREAM,
        ...{
          cursor: undefined,
          connectorVersion: undefined,
          cursorAtMs: undefined,
          reconcileDue: false,
          eventsTotal: 0,
          dueAtMs: 5_000,
          failures: 2,
        },
      });
      await log.append({ events: samples(2), checkpoint: await checkpointOf(session, ['"', null, { a: 1.5 }]) });
      await store.streams.schedule(SAMPLE_STREAM, 6_000, 0);
      await session.reopen();
      const expected = {
        ...SAMPLE_STREAM,
        ...{
          cursor: ['"', null, { a: 1.5 }],
          connectorVersion: '1.0.0',
          cursorAtMs: clock.now(),
          reconcileDue: false,
          eventsTotal: 2,
          dueAtMs: 6_000,
          failures: 0,
        },
      };
      expect(await session.store.streams.get(SAMPLE_STREAM)).toEqual(expected);
      expect(await session.store.streams.list(WIKI)).toEqual([expected]);
    }));

  it('how long a source asked to wait is kept over a restart and a checkpoint, and forgotten with the next schedule', () =>
    withStorage(openHarness, async (session) => {
      const stated = async (): Promise<number | undefined> =>
        (await session.store.streams.get(SAMPLE_STREAM))?.statedWaitMs;
      await session.store.streams.schedule(SAMPLE_STREAM, 5_000, 0, 3_600_000);
      await session.log.append({ events: samples(1), checkpoint: await checkpointOf(session, 'one') });
      await session.crash();
      expect(await stated()).toBe(3_600_000);
      await session.store.streams.schedule(SAMPLE_STREAM, 6_000, 0, 0);
      expect(await stated()).toBe(0);
      await session.store.streams.schedule(SAMPLE_STREAM, 7_000, 1);
      expect(await stated()).toBeUndefined();
    }));

  it('a cursor of null is a cursor', () =>
    withStorage(openHarness, async (session) => {
      await session.log.append({ events: [], checkpoint: await checkpointOf(session, null) });
      expect((await session.store.streams.get(SAMPLE_STREAM))?.cursor).toBeNull();
    }));

  it('list gives the streams of one connection of one tenant', () =>
    withStorage(openHarness, async ({ store }) => {
      for (const stream of ['pages', 'comments']) await store.streams.schedule({ ...WIKI, stream }, 1, 0);
      await store.streams.schedule({ ...WIKI, connection: 'other', stream: 'pages' }, 1, 0);
      await store.streams.schedule({ ...WIKI, tenant: 'b', stream: 'pages' }, 1, 0);
      expect((await store.streams.list(WIKI)).map(({ stream }) => stream).toSorted()).toEqual(['comments', 'pages']);
    }));
}
