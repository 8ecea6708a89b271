// What EventLog.append promises, one test per clause. See the comments in core/event-log.ts.

import { describe, expect, it } from 'vitest';
import { LOG_LIMITS, type LogEntry, type PullFailure } from '#core/event-log.ts';
import type { SealedEvent } from '#core/event.ts';
import { toFault } from '#core/fault.ts';
import { streamLeaseName } from '#core/names.ts';
import { needsCrash, type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  ALL_PARTITIONS,
  append,
  checkpointOf,
  hold,
  idsOf,
  readAll,
  takePartition,
  sample,
  SAMPLE_STREAM,
  samples,
} from './event-samples.ts';

const UNREADABLE: PullFailure = {
  key: 'broken',
  code: 'record_invalid',
  message: 'no title',
  payload: { raw: '"\u0000' },
};

export function appendSuite(openHarness: OpenHarness): void {
  describe('append', () => {
    storesTogether(openHarness);
    deduplicates(openHarness);
    refusesWhole(openHarness);
    servesManyCallers(openHarness);
  });
}

/** Everything the log holds, through a reader made for this look. */
let looks = 0;
async function storedIds(session: StorageSession): Promise<string[]> {
  looks += 1;
  const reader = `look-${looks}`;
  await session.log.register(reader);
  const entries: LogEntry[] = [];
  for (const partition of ALL_PARTITIONS) entries.push(...(await takePartition(session, reader, partition)));
  return idsOf(entries).toSorted();
}

/** What one batch with a checkpoint and a failure leaves behind. */
async function traceOf(session: StorageSession) {
  const state = await session.store.streams.get(SAMPLE_STREAM);
  const letters = await session.store.deadLetters.list({ tenants: ['a'] }, 10);
  return {
    ids: await storedIds(session),
    cursor: state?.cursor,
    total: state?.eventsTotal ?? 0,
    letters: letters.map(({ key }) => key),
  };
}

const NOTHING = { ids: [], cursor: undefined, total: 0, letters: [] };

function storesTogether(openHarness: OpenHarness): void {
  it('events, failures and checkpoint are all there after a process death that follows the answer', (test) =>
    withStorage(openHarness, async (session) => {
      needsCrash(session, test);
      const events = samples(5);
      const checkpoint = await checkpointOf(session, { page: 2 });
      const result = await session.log.append({ events, failures: [UNREADABLE], checkpoint });
      expect(result).toEqual({ accepted: 5, duplicates: 0 });
      await session.crash();
      expect(await traceOf(session)).toEqual({
        ids: idsOf(events).toSorted(),
        cursor: { page: 2 },
        total: 5,
        letters: ['broken'],
      });
    }));

  it('a process death before the answer leaves the whole batch or nothing of it', (test) =>
    withStorage(openHarness, async (session) => {
      needsCrash(session, test);
      const events = samples(5);
      const checkpoint = await checkpointOf(session, { page: 2 });
      // Never awaited: nobody is there any more to hear the answer.
      session.log.append({ events, failures: [UNREADABLE], checkpoint }).catch(() => undefined);
      await session.crash();
      const trace = await traceOf(session);
      if (trace.cursor === undefined) expect(trace).toEqual(NOTHING);
      else expect(trace).toEqual({ ids: idsOf(events).toSorted(), cursor: { page: 2 }, total: 5, letters: ['broken'] });
    }));

  it('a failure becomes a dead letter of the stage pull with its code and reason', () =>
    withStorage(openHarness, async (session) => {
      await session.log.append({ events: [], failures: [UNREADABLE], checkpoint: await checkpointOf(session, 1) });
      const [letter] = await session.store.deadLetters.list({ tenants: ['a'], connection: 'wiki' }, 10);
      expect(letter).toMatchObject({
        ...SAMPLE_STREAM,
        stage: 'pull',
        key: 'broken',
        code: 'record_invalid',
        message: 'no title',
      });
      expect(letter).toMatchObject({ firstAtMs: session.clock.now(), lastAtMs: session.clock.now() });
    }));

  it('an empty page moves the cursor', () =>
    withStorage(openHarness, async (session) => {
      expect(await session.log.append({ events: [], checkpoint: await checkpointOf(session, { page: 9 }) })).toEqual({
        accepted: 0,
        duplicates: 0,
      });
      expect(await session.store.streams.get(SAMPLE_STREAM)).toMatchObject({
        cursor: { page: 9 },
        eventsTotal: 0,
        connectorVersion: '1.0.0',
      });
      expect(await session.log.append({ events: [] })).toEqual({ accepted: 0, duplicates: 0 });
    }));

  it('reconcile stays due until a checkpoint says done', () =>
    withStorage(openHarness, async (session) => {
      const seen: (boolean | undefined)[] = [];
      for (const reconcile of [undefined, 'due', undefined, 'done', undefined] as const) {
        const checkpoint = await checkpointOf(session, seen.length);
        await session.log.append({
          events: [],
          checkpoint: reconcile === undefined ? checkpoint : { ...checkpoint, reconcile },
        });
        seen.push((await session.store.streams.get(SAMPLE_STREAM))?.reconcileDue);
      }
      expect(seen).toEqual([false, true, true, false, false]);
    }));

  it('eventsTotal counts accepted events and not duplicates', () =>
    withStorage(openHarness, async (session) => {
      await session.log.append({ events: samples(4), checkpoint: await checkpointOf(session, 1) });
      await session.log.append({ events: samples(6), checkpoint: await checkpointOf(session, 2) });
      expect((await session.store.streams.get(SAMPLE_STREAM))?.eventsTotal).toBe(6);
    }));
}

function deduplicates(openHarness: OpenHarness): void {
  it('an id that occurs twice in one batch is stored once', () =>
    withStorage(openHarness, async (session) => {
      const [one, two] = [sample({ key: 'one' }), sample({ key: 'two' })];
      expect(await append(session, one, two, one, one)).toEqual({ accepted: 2, duplicates: 2 });
      expect(await storedIds(session)).toEqual(idsOf([one, two]).toSorted());
    }));

  it('an id stays known across batches, restarts and trims', () =>
    withStorage(openHarness, async (session) => {
      const events = samples(3);
      await session.log.register('r');
      await append(session, ...events);
      expect(await append(session, ...events)).toEqual({ accepted: 0, duplicates: 3 });
      await session.reopen();
      expect(await append(session, ...events)).toEqual({ accepted: 0, duplicates: 3 });
      await settleAll(session, 'r');
      while ((await session.log.trim()) > 0);
      await session.reopen();
      expect(await append(session, ...events)).toEqual({ accepted: 0, duplicates: 3 });
      expect(await storedIds(session)).toEqual([]);
    }));

  it('one event appended by many callers at once is accepted for exactly one of them', () =>
    withStorage(openHarness, async (session) => {
      const event = sample();
      const results = await Promise.all(Array.from({ length: 20 }, () => append(session, event)));
      expect(results.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(1);
      expect(results.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(19);
      expect(await storedIds(session)).toEqual([event.event.id]);
    }));
}

async function settleAll(session: StorageSession, reader: string): Promise<void> {
  for (const partition of ALL_PARTITIONS) {
    const last = (await session.log.read(reader, partition, LOG_LIMITS.readEventsMax)).at(-1);
    if (last === undefined) continue;
    const fence = await hold(session, `deliver:${reader}/${partition}`);
    expect(await session.log.commit(reader, partition, last.position, fence)).toBe('committed');
  }
}

function refusesWhole(openHarness: OpenHarness): void {
  it('a puller whose stream was taken over stores nothing of its batch', () =>
    withStorage(openHarness, async (session) => {
      const lease = streamLeaseName(SAMPLE_STREAM);
      const stale = await hold(session, lease, 'first', 1_000);
      await session.clock.advance(1_050);
      await hold(session, lease, 'second');
      const checkpoint = { stream: SAMPLE_STREAM, connectorVersion: '1.0.0', cursor: { page: 2 }, fence: stale };
      const late = session.log.append({ events: samples(3), failures: [UNREADABLE], checkpoint });
      await expect(late).rejects.toMatchObject({ code: 'fenced' });
      expect(await traceOf(session)).toEqual(NOTHING);
      await session.reopen();
      expect(await traceOf(session)).toEqual(NOTHING);
      expect(await append(session, ...samples(3))).toEqual({ accepted: 3, duplicates: 0 });
    }));

  it('a fence that was never given out stores nothing', () =>
    withStorage(openHarness, async (session) => {
      const { fence, ...checkpoint } = await checkpointOf(session, 1);
      const forged = { ...checkpoint, fence: { lease: fence.lease, token: fence.token + 1 } };
      await expect(session.log.append({ events: samples(1), checkpoint: forged })).rejects.toMatchObject({
        code: 'fenced',
      });
      expect(await traceOf(session)).toEqual(NOTHING);
    }));

  it('a batch that fails half way leaves nothing behind, and the next one is stored as if it had never been', () =>
    withStorage(openHarness, async (session) => {
      const unreadable = {
        payload: '{}',
        get event(): SealedEvent['event'] {
          throw new Error('cannot be read');
        },
      };
      const [first, lost, next] = [1, 2, 3].map((version) => sample({ key: 'k', version }));
      if (first === undefined || lost === undefined || next === undefined) throw new Error('three versions were made');
      await session.log.register('r');
      await append(session, first);
      const checkpoint = await checkpointOf(session, { page: 2 });
      await expect(session.log.append({ events: [lost, unreadable], checkpoint })).rejects.toThrow();
      await append(session, next);
      expect((await session.log.stats()).size).toBe(2);
      expect(idsOf(await readAll(session, 'r', ALL_PARTITIONS))).toEqual(idsOf([first, next]));
      expect((await session.store.streams.get(SAMPLE_STREAM))?.cursor).toBeUndefined();
      expect(await session.store.entities.live(SAMPLE_STREAM, undefined, 10)).toEqual([{ key: 'k', version: 3 }]);
      expect(await append(session, lost)).toEqual({ accepted: 1, duplicates: 0 });
    }));

  it('the lease of another stream stores nothing', () =>
    withStorage(openHarness, async (session) => {
      const { fence } = await checkpointOf(session, 1, { ...SAMPLE_STREAM, stream: 'comments' });
      const checkpoint = { stream: SAMPLE_STREAM, connectorVersion: '1.0.0', cursor: 1, fence };
      await expect(session.log.append({ events: samples(1), checkpoint })).rejects.toMatchObject({ code: 'fenced' });
      expect(await traceOf(session)).toEqual(NOTHING);
    }));

  it('more than appendEventsMax events are refused with input_invalid, exactly as many are taken', () =>
    withStorage(openHarness, async (session) => {
      const events = samples(LOG_LIMITS.appendEventsMax + 1);
      const checkpoint = await checkpointOf(session, 1);
      await expect(session.log.append({ events, checkpoint })).rejects.toMatchObject({ code: 'input_invalid' });
      expect(await traceOf(session)).toEqual(NOTHING);
      expect(await session.log.append({ events: events.slice(1), checkpoint })).toEqual({
        accepted: LOG_LIMITS.appendEventsMax,
        duplicates: 0,
      });
    }));

  it('payload waiting beyond pendingBytesMax is refused with log_full, and what was refused is not stored', () =>
    withStorage(openHarness, async (session) => {
      const text = 'x'.repeat(1024 * 1024);
      const events = samples(LOG_LIMITS.pendingBytesMax / text.length + 4, 'big', { text });
      const outcomes = await Promise.allSettled(events.map((event) => append(session, event)));
      const stored = events.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      const refused = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [toFault(outcome.reason).code] : [],
      );
      expect(new Set(refused)).toEqual(new Set(['log_full']));
      expect(await storedIds(session)).toEqual(idsOf(stored).toSorted());
      expect(await append(session, sample({ key: 'after' }))).toEqual({ accepted: 1, duplicates: 0 });
    }));
}

function servesManyCallers(openHarness: OpenHarness): void {
  it('callers at the same time get their own counts', () =>
    withStorage(openHarness, async (session) => {
      const known = samples(7, 'known');
      await append(session, ...known);
      const calls = Array.from({ length: 60 }, (_, caller) => {
        const fresh = samples(caller % 5, `caller-${caller}`);
        return {
          events: [...fresh, ...known.slice(0, caller % 8)],
          expected: { accepted: fresh.length, duplicates: caller % 8 },
        };
      });
      const results = await Promise.all(calls.map(({ events }) => session.log.append({ events })));
      expect(results).toEqual(calls.map(({ expected }) => expected));
    }));

  it('a refused caller takes none of the callers of the same moment with it', () =>
    withStorage(openHarness, async (session) => {
      const { fence, ...checkpoint } = await checkpointOf(session, { page: 1 });
      const forged = { ...checkpoint, fence: { ...fence, token: fence.token + 1 } };
      const good = Array.from({ length: 10 }, (_, caller) => samples(3, `good-${caller}`));
      const bad = Array.from({ length: 10 }, (_, caller) => samples(3, `bad-${caller}`));
      const outcomes = await Promise.allSettled(
        good.flatMap((events, at) => [
          session.log.append({ events }),
          session.log.append({ events: bad[at] ?? [], checkpoint: forged }),
        ]),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(good.flatMap(() => ['fulfilled', 'rejected']));
      expect(await storedIds(session)).toEqual(idsOf(good.flat()).toSorted());
      expect((await session.store.streams.get(SAMPLE_STREAM))?.cursor).toBeUndefined();
    }));

  it('the events of one caller keep their order', () =>
    withStorage(openHarness, async (session) => {
      const callers = Array.from({ length: 8 }, (_, caller) =>
        Array.from({ length: 20 }, (_, at) => sample({ key: `key-${caller}`, version: at + 1 })),
      );
      await Promise.all(callers.map((events) => session.log.append({ events })));
      await session.log.register('r');
      const stored = await readAll(session, 'r', ALL_PARTITIONS);
      for (const events of callers) {
        const own = stored.filter((entry) => entry.event.key === events[0]?.event.key);
        expect(own.map(({ event }) => event.version)).toEqual(events.map(({ event }) => event.version));
      }
    }));
}
