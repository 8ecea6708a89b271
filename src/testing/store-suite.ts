// What Store promises besides its two built-in sinks: runs, streams, entities, calls and dead letters.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallFailure, CallMinute, Run } from '#core/store.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { append, checkpointOf, sample, SAMPLE_STREAM, samples } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';

const WIKI = { tenant: 'a', connection: 'wiki' };
const NO_COUNTS = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };

export function storeSuite(openHarness: OpenHarness): void {
  describe('store', () => {
    describe('runs', () => keepsRuns(openHarness));
    describe('streams', () => keepsStreams(openHarness));
    describe('entities', () => keepsEntities(openHarness));
    describe('calls', () => keepsCalls(openHarness));
    describe('dead letters', () => keepsDeadLetters(openHarness));
  });
}

export function sampleRun(id: string, startedAtMs: number, rest: Partial<Run> = {}): Run {
  const open = { endedAtMs: undefined, outcome: 'running', counts: NO_COUNTS, code: undefined, message: undefined, resumeAtMs: undefined } as const;
  return { ...SAMPLE_STREAM, id, startedAtMs, ...open, ...rest };
}

export function sampleMinute(operation: string, minute: number, rest: Partial<CallMinute> = {}): CallMinute {
  return { ...WIKI, operation, minute, succeeded: 1, failed: 0, sketch: Uint8Array.of(0, 1, 255), ...rest };
}

export function sampleFailure(message: string, atMs: number, rest: Partial<CallFailure> = {}): CallFailure {
  return { ...WIKI, atMs, operation: 'list', code: 'upstream_timeout', message, ...rest };
}

function keepsRuns(openHarness: OpenHarness): void {
  it('a run reads back as it was started and as it was ended, also after a restart', () =>
    withStorage(openHarness, async (session) => {
      const started = sampleRun('one', 1_000);
      await session.store.runs.start(started);
      expect(await session.store.runs.recent(WIKI, 10)).toEqual([started]);
      const counts = { pages: 3, appended: 20, unchanged: 4, deleted: 1, failed: 2, skipped: { binary: 7, [HOSTILE_TEXTS[1] ?? '"']: 1 } };
      const ended: Run = { ...started, endedAtMs: 2_000, outcome: 'failed', counts, code: 'rate_limited', message: "it's \u0000", resumeAtMs: 9_000 };
      await session.store.runs.end(ended);
      await session.crash();
      expect(await session.store.runs.recent(WIKI, 10)).toEqual([ended]);
    }));

  it('recent gives the newest runs of one connection first, at most limit', () =>
    withStorage(openHarness, async ({ store }) => {
      for (const startedAtMs of [3_000, 1_000, 4_000, 2_000]) await store.runs.start(sampleRun(`run-${startedAtMs}`, startedAtMs));
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
      expect(cut).toMatchObject({ id: 'cut', outcome: 'failed', code: 'cancelled', endedAtMs: 5_000, counts: NO_COUNTS });
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
        ...{ cursor: undefined, connectorVersion: undefined, cursorAtMs: undefined, reconcileDue: false, eventsTotal: 0, dueAtMs: 5_000, failures: 2 },
      });
      await log.append({ events: samples(2), checkpoint: await checkpointOf(session, ['"', null, { a: 1.5 }]) });
      await store.streams.schedule(SAMPLE_STREAM, 6_000, 0);
      await session.reopen();
      const expected = {
        ...SAMPLE_STREAM,
        ...{ cursor: ['"', null, { a: 1.5 }], connectorVersion: '1.0.0', cursorAtMs: clock.now(), reconcileDue: false, eventsTotal: 2, dueAtMs: 6_000, failures: 0 },
      };
      expect(await session.store.streams.get(SAMPLE_STREAM)).toEqual(expected);
      expect(await session.store.streams.list(WIKI)).toEqual([expected]);
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

async function liveKeys(session: StorageSession, pageSize: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const page = await session.store.entities.live(SAMPLE_STREAM, keys.at(-1), pageSize);
    expect(page.length).toBeLessThanOrEqual(pageSize);
    if (page.length === 0) return keys;
    keys.push(...page.map(({ key }) => key));
  }
}

function keepsEntities(openHarness: OpenHarness): void {
  it('pages through every live key once, in key order', () =>
    withStorage(openHarness, async (session) => {
      const keys = Array.from({ length: 25 }, (_, at) => `k-${String(at).padStart(2, '0')}`);
      await append(session, ...keys.toReversed().map((key) => sample({ key })));
      await append(session, sample({ key: 'k-07', version: 2, op: 'delete' }), sample({ key: 'x', of: { ...SAMPLE_STREAM, stream: 'other' } }));
      expect(await liveKeys(session, 4)).toEqual(keys.filter((key) => key !== 'k-07'));
      expect(await session.store.entities.countLive(SAMPLE_STREAM)).toBe(24);
    }));

  it('pages through keys of every alphabet, each once and byte for byte', () =>
    withStorage(openHarness, async (session) => {
      const keys = HOSTILE_TEXTS.map((text) => text.slice(0, 1000));
      await append(session, ...keys.map((key) => sample({ key })));
      expect((await liveKeys(session, 7)).toSorted()).toEqual(keys.toSorted());
    }));

  it('what was deleted and came back under a higher version is live', () =>
    withStorage(openHarness, async (session) => {
      await append(session, sample({ version: 1 }), sample({ version: 2, op: 'delete' }), sample({ version: 3 }));
      expect(await session.store.entities.live(SAMPLE_STREAM, undefined, 10)).toEqual([{ key: 'page-1', version: 3 }]);
    }));

  it('is the state of the highest version for any order of arrival (P1)', { timeout: PROPERTY_TIMEOUT_MS }, async () => {
    const change = fc.record({ key: fc.constantFrom('p', 'q', 'r'), version: fc.integer({ min: 1, max: 30 }), deletes: fc.boolean() });
    const changes = fc.uniqueArray(change, { selector: ({ key, version }) => `${key}/${version}`, maxLength: 25 });
    const property = fc.asyncProperty(changes, fc.integer({ min: 1, max: 5 }), (list, batchSize) =>
      withStorage(openHarness, async (session) => {
        const events = list.map(({ key, version, deletes }) => sample({ key, version, op: deletes ? 'delete' : 'upsert' }));
        for (let at = 0; at < events.length; at += batchSize) await append(session, ...events.slice(at, at + batchSize));
        const newest = ['p', 'q', 'r'].flatMap((key) => list.filter((one) => one.key === key).toSorted((a, b) => b.version - a.version).slice(0, 1));
        const live = newest.filter(({ deletes }) => !deletes).map(({ key, version }) => ({ key, version }));
        expect(await session.store.entities.live(SAMPLE_STREAM, undefined, 10)).toEqual(live);
        expect(await session.store.entities.countLive(SAMPLE_STREAM)).toBe(live.length);
      }),
    );
    await fc.assert(property, runsOf('heavy'));
  });
}

function plainMinutes(minutes: readonly CallMinute[]) {
  return minutes.map((row) => ({ ...row, sketch: [...row.sketch] })).toSorted((a, b) => a.minute - b.minute || (a.operation < b.operation ? -1 : 1));
}

function keepsCalls(openHarness: OpenHarness): void {
  it('a minute that is saved again replaces the one of its key and no other', () =>
    withStorage(openHarness, async (session) => {
      const other = [sampleMinute('get', 10), sampleMinute('list', 11), sampleMinute('list', 10, { connection: 'other' })];
      await session.store.calls.save([sampleMinute('list', 10), ...other], []);
      const changed = sampleMinute('list', 10, { succeeded: 9, failed: 3, sketch: new Uint8Array(300).fill(7) });
      await session.store.calls.save([changed], []);
      await session.reopen();
      expect(plainMinutes(await session.store.calls.minutes(WIKI, 0))).toEqual(plainMinutes([sampleMinute('get', 10), changed, sampleMinute('list', 11)]));
      expect(plainMinutes(await session.store.calls.minutes({ ...WIKI, connection: 'other' }, 0))).toEqual(plainMinutes(other.slice(2)));
    }));

  it('minutes begin with sinceMinute', () =>
    withStorage(openHarness, async ({ store }) => {
      await store.calls.save([8, 9, 10, 11].map((minute) => sampleMinute('list', minute)), []);
      expect((await store.calls.minutes(WIKI, 10)).map(({ minute }) => minute).toSorted((a, b) => a - b)).toEqual([10, 11]);
    }));

  it('failures come newest first, at most limit, as they were saved', () =>
    withStorage(openHarness, async ({ store }) => {
      const failures = [2_000, 4_000, 1_000, 3_000].map((atMs) => sampleFailure(`at ${atMs} \u0000'"`, atMs));
      await store.calls.save([], [...failures, sampleFailure('elsewhere', 9_000, { connection: 'other' })]);
      expect(await store.calls.failures(WIKI, 3)).toEqual([failures[1], failures[3], failures[0]]);
    }));

  it('forget drops old minutes and all but the newest failures of each connection', () =>
    withStorage(openHarness, async ({ store }) => {
      const times = [1_000, 2_000, 3_000];
      const failures = times.flatMap((atMs) => [sampleFailure(`wiki ${atMs}`, atMs), sampleFailure(`other ${atMs}`, atMs + 10_000, { connection: 'other' })]);
      await store.calls.save([8, 9, 10].map((minute) => sampleMinute('list', minute)), failures);
      await store.calls.forget(9, 2);
      expect((await store.calls.minutes(WIKI, 0)).map(({ minute }) => minute).toSorted((a, b) => a - b)).toEqual([9, 10]);
      expect((await store.calls.failures(WIKI, 10)).map(({ message }) => message)).toEqual(['wiki 3000', 'wiki 2000']);
      expect((await store.calls.failures({ ...WIKI, connection: 'other' }, 10)).map(({ message }) => message)).toEqual(['other 3000', 'other 2000']);
    }));
}

function keepsDeadLetters(openHarness: OpenHarness): void {
  async function fail(session: StorageSession, key: string, of = SAMPLE_STREAM): Promise<void> {
    const checkpoint = await checkpointOf(session, key, of);
    await session.log.append({ events: [], failures: [{ key, code: 'record_invalid', message: key }], checkpoint });
    await session.clock.advance(1_000);
  }

  it('lists the newest first, of the given tenants and connection, at most limit', () =>
    withStorage(openHarness, async (session) => {
      for (const key of ['one', 'two', 'three']) await fail(session, key);
      await fail(session, 'elsewhere', { ...SAMPLE_STREAM, connection: 'other' });
      await fail(session, 'foreign', { ...SAMPLE_STREAM, tenant: 'b' });
      const { deadLetters } = session.store;
      const keys = async (tenants: string[], connection: string | undefined, limit: number) =>
        (await deadLetters.list(tenants, connection, limit)).map(({ key }) => key);
      expect(await keys(['a'], 'wiki', 2)).toEqual(['three', 'two']);
      expect(await keys(['a'], undefined, 10)).toEqual(['elsewhere', 'three', 'two', 'one']);
      expect(await keys(['b', 'a'], undefined, 10)).toEqual(['foreign', 'elsewhere', 'three', 'two', 'one']);
      expect(await keys([], undefined, 10)).toEqual([]);
      expect(await deadLetters.count(WIKI)).toBe(3);
      expect(await deadLetters.count({ tenant: 'b', connection: 'wiki' })).toBe(1);
      expect(new Set((await deadLetters.list(['a', 'b'], undefined, 10)).map(({ id }) => id)).size).toBe(5);
    }));

  it('keeps keys and reasons byte for byte', () =>
    withStorage(openHarness, async (session) => {
      const failures = HOSTILE_TEXTS.map((text) => ({ key: text, code: 'record_invalid' as const, message: text, payload: { [text]: text } }));
      await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, 1) });
      const letters = await session.store.deadLetters.list(['a'], 'wiki', HOSTILE_TEXTS.length);
      expect(letters.map(({ key, message }) => [key, message]).toSorted()).toEqual(failures.map(({ key, message }) => [key, message]).toSorted());
    }));
}
