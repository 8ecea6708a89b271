// What DeadLetterStore promises to a replay: what is offered to a sink, what becomes of it, and who may say so.

import { describe, expect, it } from 'vitest';
import { DEAD_LETTER_LIMITS } from '#core/dead-letter.ts';
import { PARTITIONS } from '#core/partition.ts';
import {
  failRaw,
  lettersOfA,
  onlyLetter,
  queuedOf,
  REFUSED,
  reject,
  rejectWaiting,
  retitled,
  settleQueued,
  STALE,
  UNAVAILABLE,
  WRITTEN,
} from './dead-letter-samples.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import {
  append,
  hold,
  holdPartition,
  partitionOfEvent,
  partitionsOfEvents,
  readAll,
  sample,
  samples,
} from './event-samples.ts';

export function deadLetterReplaySuite(openHarness: OpenHarness): void {
  describe('replay', () => {
    queues(openHarness);
    settles(openHarness);
    fences(openHarness);
    edits(openHarness);
    wakes(openHarness);
  });
}

const ALL_OF_A = { tenants: ['a'] };

function queues(openHarness: OpenHarness): void {
  it('a queued letter is offered to its own sink with its first position, id and version, also after a crash', () =>
    withStorage(openHarness, async (session) => {
      const events = [...samples(20), sample({ key: 'page-3', version: 9 })];
      for (const sink of ['r', 's']) await session.log.register(sink);
      await append(session, ...events);
      const entries = await readAll(session, 'r', partitionsOfEvents(session, events));
      for (const sink of ['r', 's']) await rejectWaiting(session, sink, events);
      await session.clock.advance(1_000);
      expect(await session.store.deadLetters.queue({ ...ALL_OF_A, stage: 'r' })).toBe(events.length);
      await session.crash();
      const queued = await queuedOf(session, 'r', events);
      const firstAtMs = session.clock.now() - 1_000;
      expect(queued.map(({ entry }) => entry)).toEqual(entries.map((entry) => ({ ...entry, observedAtMs: firstAtMs })));
      expect(await queuedOf(session, 's', events)).toEqual([]);
      expect((await lettersOfA(session)).filter(({ state }) => state === 'queued').map(({ stage }) => stage)).toEqual(
        events.map(() => 'r'),
      );
    }));

  it('letters of a partition are offered in the order of their positions, at most limit', () =>
    withStorage(openHarness, async (session) => {
      const events = [5, 1, 9, 2].map((version) => sample({ key: 'k', version }));
      await reject(session, 'r', events);
      for (const { id } of (await lettersOfA(session)).toReversed())
        await session.store.deadLetters.queue({ ...ALL_OF_A, ids: [id] });
      const partition = partitionOfEvent(session, sample({ key: 'k' }));
      const versions = async (limit: number) =>
        (await session.store.deadLetters.queued('r', partition, limit)).map(({ entry }) => entry.event.version);
      expect(await versions(10)).toEqual([5, 1, 9, 2]);
      expect(await versions(3)).toEqual([5, 1, 9]);
    }));

  it('queue counts what it queued: no raw record, nothing that is queued already, nothing beyond the filter', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'raw');
      await reject(session, 'r', samples(3));
      const { deadLetters } = session.store;
      expect(await deadLetters.queue({ ...ALL_OF_A, key: 'page-1' })).toBe(1);
      expect(await deadLetters.queue({ ...ALL_OF_A, state: 'queued' })).toBe(0);
      expect(await deadLetters.queue({ tenants: ['b'] })).toBe(0);
      expect(await deadLetters.queue({ ...ALL_OF_A, stage: 'pull' })).toBe(0);
      expect(await deadLetters.queue(ALL_OF_A)).toBe(2);
      expect(await deadLetters.queue(ALL_OF_A)).toBe(0);
      expect((await lettersOfA(session)).map(({ stage, state }) => `${stage} ${state}`)).toEqual([
        'pull dead',
        'r queued',
        'r queued',
        'r queued',
      ]);
    }));

  it('more letters than one commit may change are queued and discarded all', () =>
    withStorage(openHarness, async (session) => {
      const count = DEAD_LETTER_LIMITS.changeLettersMax + 20;
      const events = samples(count);
      await session.log.register('r');
      for (let at = 0; at < count; at += 500) await append(session, ...events.slice(at, at + 500));
      await rejectWaiting(session, 'r', events);
      const { deadLetters } = session.store;
      expect(await deadLetters.queue(ALL_OF_A)).toBe(count);
      const [group] = await deadLetters.groups(ALL_OF_A);
      expect([group?.count, group?.queued]).toEqual([count, count]);
      expect(await deadLetters.discard(ALL_OF_A)).toBe(count);
      expect(await deadLetters.list(ALL_OF_A, 1)).toEqual([]);
    }));
}

function settles(openHarness: OpenHarness): void {
  /** One letter of r per key, all queued. */
  async function queuedLetters(session: StorageSession, count: number) {
    const events = samples(count);
    await reject(session, 'r', events, { attempts: 5 });
    await session.store.deadLetters.queue(ALL_OF_A);
    return { events, letters: await lettersOfA(session) };
  }

  it('what was written or stale is removed', () =>
    withStorage(openHarness, async (session) => {
      for (const result of [WRITTEN, STALE]) {
        const { events } = await queuedLetters(session, 3);
        await settleQueued(session, 'r', events, result);
        await session.crash();
        expect(await lettersOfA(session)).toEqual([]);
        expect(await queuedOf(session, 'r', events)).toEqual([]);
        await session.log.rewind('r', 'oldest');
      }
    }));

  it('what is refused or cannot be written now is dead again, with one try more and the reason of that try', () =>
    withStorage(openHarness, async (session) => {
      const { events, letters } = await queuedLetters(session, 1);
      for (const [time, result] of [REFUSED, UNAVAILABLE].entries()) {
        const before = await onlyLetter(session);
        const atMs = session.clock.now();
        await settleQueued(session, 'r', events, result);
        await session.crash();
        const { code, message } = result.fault;
        const history = [...before.history, { atMs, code, message }];
        const after = { code, message, attempts: 6 + time, lastAtMs: atMs, state: 'dead', history };
        expect(await onlyLetter(session)).toEqual({ ...before, ...after });
        expect(await queuedOf(session, 'r', events)).toEqual([]);
        await session.store.deadLetters.queue(ALL_OF_A);
      }
      expect((await onlyLetter(session)).firstAtMs).toBe(letters[0]?.firstAtMs);
    }));

  it('one without a result stays queued', () =>
    withStorage(openHarness, async (session) => {
      const events = [1, 2, 3].map((version) => sample({ key: 'k', version }));
      await reject(session, 'r', events);
      await session.store.deadLetters.queue(ALL_OF_A);
      const partition = partitionOfEvent(session, sample({ key: 'k' }));
      const [first, second] = await session.store.deadLetters.queued('r', partition, 10);
      const results = [first, second].map((letter) => ({ id: letter?.id ?? 0, result: WRITTEN }));
      const fence = await holdPartition(session, 'r', partition);
      await session.store.deadLetters.settle('r', partition, results.slice(0, 1), fence);
      const left = await session.store.deadLetters.queued('r', partition, 10);
      expect(left.map(({ entry }) => entry.event.version)).toEqual([2, 3]);
    }));

  it('a settle that is repeated because its answer was lost counts no try twice', () =>
    withStorage(openHarness, async (session) => {
      const { events, letters } = await queuedLetters(session, 1);
      const [partition = 0] = partitionsOfEvents(session, events);
      const results = letters.map(({ id }) => ({ id, result: REFUSED }));
      const fence = await holdPartition(session, 'r', partition);
      for (let time = 0; time < 2; time += 1)
        expect(await session.store.deadLetters.settle('r', partition, results, fence)).toBe('committed');
      expect(await onlyLetter(session)).toMatchObject({ attempts: 6, state: 'dead' });
    }));

  it('a letter discarded while it was being written is not missed, and none that comes later bears its id', () =>
    withStorage(openHarness, async (session) => {
      const { events, letters } = await queuedLetters(session, 1);
      const [partition = 0] = partitionsOfEvents(session, events);
      expect(await session.store.deadLetters.discard(ALL_OF_A)).toBe(1);
      const late = sample({ key: 'page-0', version: 2 });
      await reject(session, 'r', [late]);
      await session.store.deadLetters.queue(ALL_OF_A);
      const results = letters.map(({ id }) => ({ id, result: WRITTEN }));
      const fence = await holdPartition(session, 'r', partition);
      expect(await session.store.deadLetters.settle('r', partition, results, fence)).toBe('committed');
      expect(await onlyLetter(session)).toMatchObject({ version: 2, state: 'queued' });
    }));

  it('an event that its sink refuses again is one letter still, dead and with all its tries', () =>
    withStorage(openHarness, async (session) => {
      const { events, letters } = await queuedLetters(session, 1);
      await session.log.rewind('r', 'oldest');
      await rejectWaiting(session, 'r', events, { attempts: 2, message: 'refused again' });
      const lastAtMs = session.clock.now();
      const [before] = letters;
      const again = { atMs: lastAtMs, code: 'sink_rejected', message: 'refused again' };
      expect(await onlyLetter(session)).toEqual({
        ...before,
        ...{
          attempts: 7,
          lastAtMs,
          message: 'refused again',
          state: 'dead',
          history: [...(before?.history ?? []), again],
        },
      });
    }));
}

function fences(openHarness: OpenHarness): void {
  it('who does not own the partition settles nothing', () =>
    withStorage(openHarness, async (session) => {
      const events = [sample({ key: 'k' })];
      await reject(session, 'r', events);
      await session.store.deadLetters.queue(ALL_OF_A);
      const before = await onlyLetter(session);
      const [partition = 0] = partitionsOfEvents(session, events);
      const owned = await holdPartition(session, 'r', partition);
      const neighbour = await holdPartition(session, 'r', (partition + 1) % PARTITIONS);
      const namesake = await holdPartition(session, 's', partition);
      const unknown = { lease: owned.lease, token: owned.token + 1 };
      for (const fence of [neighbour, namesake, unknown])
        for (const result of [WRITTEN, REFUSED])
          expect(await session.store.deadLetters.settle('r', partition, [{ id: before.id, result }], fence)).toBe(
            'fenced',
          );
      await session.leases.release(owned);
      await hold(session, owned.lease, 'second');
      expect(await session.store.deadLetters.settle('r', partition, [{ id: before.id, result: WRITTEN }], owned)).toBe(
        'fenced',
      );
      expect(await onlyLetter(session)).toEqual(before);
    }));

  it("the owner of another partition or sink settles nothing of this one's", () =>
    withStorage(openHarness, async (session) => {
      const events = [sample({ key: 'k' })];
      await reject(session, 'r', events);
      await session.store.deadLetters.queue(ALL_OF_A);
      const before = await onlyLetter(session);
      const [partition = 0] = partitionsOfEvents(session, events);
      const other = (partition + 1) % PARTITIONS;
      for (const result of [WRITTEN, REFUSED]) {
        const results = [{ id: before.id, result }];
        const { deadLetters } = session.store;
        await deadLetters.settle('r', other, results, await holdPartition(session, 'r', other));
        await deadLetters.settle('s', partition, results, await holdPartition(session, 's', partition));
      }
      expect(await onlyLetter(session)).toEqual(before);
    }));
}

function edits(openHarness: OpenHarness): void {
  it('an edit is what a replay sends, next to the first payload, until it is taken back', () =>
    withStorage(openHarness, async (session) => {
      const sealed = sample({ key: 'k', title: 'too long' });
      await reject(session, 'r', [sealed]);
      const before = await onlyLetter(session);
      const { deadLetters } = session.store;
      const edited = retitled(sealed, 'short');
      expect(await deadLetters.edit(['a'], before.id, edited)).toBe(true);
      await session.crash();
      const editedPayload = JSON.stringify(edited);
      expect(await onlyLetter(session)).toEqual({ ...before, edited: true, editedPayload });
      await session.store.deadLetters.queue(ALL_OF_A);
      expect((await queuedOf(session, 'r', [sealed])).map(({ entry }) => entry.event)).toEqual([edited]);
      await settleQueued(session, 'r', [sealed], REFUSED);
      expect(await onlyLetter(session)).toMatchObject({ edited: true, editedPayload, payload: sealed.payload });
      expect(await session.store.deadLetters.edit(['a'], before.id, undefined)).toBe(true);
      expect(await onlyLetter(session)).toMatchObject({ edited: false, editedPayload: undefined });
      await session.store.deadLetters.queue(ALL_OF_A);
      expect((await queuedOf(session, 'r', [sealed])).map(({ entry }) => entry.event)).toEqual([sealed.event]);
    }));

  it('a queued letter, an unknown one and one of another tenant are not edited', () =>
    withStorage(openHarness, async (session) => {
      await reject(session, 'r', samples(1));
      const { id } = await onlyLetter(session);
      const { deadLetters } = session.store;
      expect(await deadLetters.edit(['b'], id, { title: 'x' })).toBe(false);
      expect(await deadLetters.edit([], id, { title: 'x' })).toBe(false);
      expect(await deadLetters.edit(['a'], id + 1, { title: 'x' })).toBe(false);
      await deadLetters.queue(ALL_OF_A);
      expect(await deadLetters.edit(['a'], id, { title: 'x' })).toBe(false);
      expect(await onlyLetter(session)).toMatchObject({ edited: false, editedPayload: undefined });
    }));
}

function wakes(openHarness: OpenHarness): void {
  it('who waits for a partition is woken by a letter queued for it, and waits for nothing while one is', () =>
    withStorage(openHarness, async (session) => {
      const events = [sample({ key: 'k' })];
      await reject(session, 'r', events);
      const [partition = 0] = partitionsOfEvents(session, events);
      const patience = new AbortController();
      let woken = 0;
      const waiting = session.log.wait('r', partition, patience.signal).then(() => (woken += 1));
      await session.clock.advance(1);
      expect(woken).toBe(0);
      await session.store.deadLetters.queue(ALL_OF_A);
      await session.clock.advance(1);
      expect(woken).toBe(1);
      await session.log.wait('r', partition, patience.signal);
      await settleQueued(session, 'r', events, REFUSED);
      const again = session.log.wait('r', partition, patience.signal).then(() => (woken += 1));
      await session.clock.advance(1);
      expect(woken).toBe(1);
      patience.abort();
      await Promise.all([waiting, again]);
    }));
}
