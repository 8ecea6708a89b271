// How letters go without a replay: the record came through, an operator discarded them, or they are too old or too many.

import { describe, expect, it } from 'vitest';
import { DEAD_LETTER_LIMITS } from '#core/dead-letter.ts';
import { failRaw, lettersOfA, reject } from './dead-letter-samples.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { append, checkpointOf, sample, SAMPLE_STREAM, samples } from './event-samples.ts';

export function deadLetterRemovalSuite(openHarness: OpenHarness): void {
  describe('removal', () => {
    comesThrough(openHarness);
    discards(openHarness);
    forgets(openHarness);
  });
}

const ALL_OF_A = { tenants: ['a'] };

async function keysLeft(session: StorageSession, tenants = ['a']): Promise<string[]> {
  const letters = await session.store.deadLetters.list({ tenants }, 500);
  return letters.map(({ key }) => key).toReversed();
}

function comesThrough(openHarness: OpenHarness): void {
  it('the letter of a raw record goes with the append that accepts an event of its key', () =>
    withStorage(openHarness, async (session) => {
      for (const key of ['k', 'other']) await failRaw(session, key);
      await failRaw(session, 'k', { of: { ...SAMPLE_STREAM, stream: 'blogs' } });
      await failRaw(session, 'k', { of: { ...SAMPLE_STREAM, connection: 'code' } });
      await failRaw(session, 'k', { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      await reject(session, 'r', [sample({ key: 'k', version: 1, of: { ...SAMPLE_STREAM, stream: 'notes' } })]);
      await append(session, sample({ key: 'k', version: 2 }));
      await session.crash();
      const left = await session.store.deadLetters.list({ tenants: ['a', 'b'] }, 100);
      expect(
        left.map(({ tenant, connection, stream, stage, key }) => [tenant, connection, stream, stage, key]),
      ).toEqual([
        ['a', 'wiki', 'notes', 'r', 'k'],
        ['b', 'wiki', 'pages', 'pull', 'k'],
        ['a', 'code', 'pages', 'pull', 'k'],
        ['a', 'wiki', 'blogs', 'pull', 'k'],
        ['a', 'wiki', 'pages', 'pull', 'other'],
      ]);
    }));

  it('an event that was known already resolves nothing, and a record that fails after its event stays', () =>
    withStorage(openHarness, async (session) => {
      const known = sample({ key: 'k', version: 1 });
      await append(session, known);
      await failRaw(session, 'k');
      await append(session, known);
      expect(await keysLeft(session)).toEqual(['k']);
      const both = {
        events: [sample({ key: 'k', version: 2 })],
        failures: [{ key: 'k', code: 'record_invalid', message: 'm' }],
      } as const;
      await session.log.append({ ...both, checkpoint: await checkpointOf(session, 2) });
      expect(await keysLeft(session)).toEqual(['k']);
      await append(session, sample({ key: 'k', version: 3 }));
      expect(await keysLeft(session)).toEqual([]);
    }));

  it('a letter comes back when its record fails again, and goes again, whatever became of the others', () =>
    withStorage(openHarness, async (session) => {
      for (let version = 1; version <= 3; version += 1) {
        await failRaw(session, 'k');
        if (version === 2) await session.reopen();
        expect(await keysLeft(session)).toEqual(['k']);
        await append(session, sample({ key: 'k', version }));
        expect(await keysLeft(session)).toEqual([]);
      }
    }));

  it('an append that stores nothing resolves nothing', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'k');
      const checkpoint = await checkpointOf(session, 5);
      const lost = { ...checkpoint, fence: { ...checkpoint.fence, token: checkpoint.fence.token + 1 } };
      const fenced = session.log.append({ events: [sample({ key: 'k' })], checkpoint: lost });
      await expect(fenced).rejects.toMatchObject({ code: 'fenced' });
      expect(await keysLeft(session)).toEqual(['k']);
      // A batch that cannot be read is undone as a whole, also what it had resolved by then.
      const unreadable = { ...sample({ key: 'z' }), payload: undefined as unknown as string }; // what a defect would hand in
      await expect(session.log.append({ events: [sample({ key: 'k' }), unreadable] })).rejects.toThrow();
      expect(await keysLeft(session)).toEqual(['k']);
      await append(session, sample({ key: 'k' }));
      expect(await keysLeft(session)).toEqual([]);
    }));
}

function discards(openHarness: OpenHarness): void {
  it('discard removes what matches, queued letters and raw records too, for good', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'raw');
      await reject(session, 'r', samples(3));
      await failRaw(session, 'raw', { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      const { deadLetters } = session.store;
      await deadLetters.queue({ ...ALL_OF_A, key: 'page-1' });
      expect(await deadLetters.discard({ ...ALL_OF_A, key: 'page-0' })).toBe(1);
      expect(await deadLetters.discard({ ...ALL_OF_A, key: 'page-0' })).toBe(0);
      expect(await deadLetters.discard({ ...ALL_OF_A, state: 'queued' })).toBe(1);
      expect(await deadLetters.discard({ tenants: [], stage: 'r' })).toBe(0);
      expect((await keysLeft(session)).toSorted()).toEqual(['page-2', 'raw']);
      expect(await deadLetters.discard(ALL_OF_A)).toBe(2);
      await session.crash();
      expect(await keysLeft(session)).toEqual([]);
      expect(await keysLeft(session, ['b'])).toEqual(['raw']);
      expect(await session.store.deadLetters.count({ tenant: 'a', connection: 'wiki' })).toBe(0);
    }));

  it('a letter that comes again after it was discarded begins anew', () =>
    withStorage(openHarness, async (session) => {
      for (let time = 0; time < 3; time += 1) await failRaw(session, 'k', { payload: 'old' });
      await session.store.deadLetters.discard(ALL_OF_A);
      const began = session.clock.now();
      await failRaw(session, 'k', { payload: 'new' });
      const [letter, ...more] = await lettersOfA(session);
      expect(more).toEqual([]);
      expect(letter).toMatchObject({ attempts: 1, firstAtMs: began, payload: '"new"' });
      expect(letter?.history).toHaveLength(1);
    }));
}

function forgets(openHarness: OpenHarness): void {
  it('letters last tried before the given time expire, queued ones stay', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'old');
      await failRaw(session, 'again');
      await reject(session, 'r', [sample({ key: 'queued' })]);
      await session.store.deadLetters.queue({ ...ALL_OF_A, key: 'queued' });
      const boundary = session.clock.now();
      await failRaw(session, 'young');
      await failRaw(session, 'again');
      await failRaw(session, 'foreign', { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      const { deadLetters } = session.store;
      expect(await deadLetters.forget(boundary, 100)).toEqual({ expired: 1, evicted: 0 });
      expect(await keysLeft(session)).toEqual(['again', 'queued', 'young']);
      expect(await deadLetters.forget(boundary + 1, 100)).toEqual({ expired: 1, evicted: 0 });
      expect(await keysLeft(session)).toEqual(['again', 'queued']);
      expect(await keysLeft(session, ['b'])).toEqual(['foreign']);
    }));

  it('of a tenant with too many letters those go whose last try is the oldest, and no other tenant loses one', () =>
    withStorage(openHarness, async (session) => {
      for (const key of ['one', 'two', 'three', 'four', 'five']) await failRaw(session, key);
      await failRaw(session, 'one');
      await reject(session, 'r', [sample({ key: 'queued' })]);
      await session.store.deadLetters.queue({ ...ALL_OF_A, key: 'queued' });
      for (const key of ['x', 'y', 'z']) await failRaw(session, key, { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      const { deadLetters } = session.store;
      expect(await deadLetters.forget(0, 3)).toEqual({ expired: 0, evicted: 3 });
      expect(await keysLeft(session)).toEqual(['one', 'five', 'queued']);
      expect(await keysLeft(session, ['b'])).toEqual(['x', 'y', 'z']);
      expect(await deadLetters.forget(0, 0)).toEqual({ expired: 0, evicted: 5 });
      expect(await keysLeft(session, ['a', 'b'])).toEqual(['queued']);
    }));

  it('a call removes at most changeLettersMax of all tenants together, expired ones first, and the next calls the rest', () =>
    withStorage(openHarness, async (session) => {
      const max = DEAD_LETTER_LIMITS.changeLettersMax;
      const failures = Array.from({ length: max + 10 }, (_, at) => {
        return { key: `k${at}`, code: 'record_invalid', message: 'm' } as const;
      });
      await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, 1) });
      for (const key of ['x', 'y']) await failRaw(session, key, { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      const boundary = session.clock.now();
      for (const key of ['young-1', 'young-2', 'young-3']) await failRaw(session, key);
      const { deadLetters } = session.store;
      expect(await deadLetters.forget(boundary, 2)).toEqual({ expired: max, evicted: 0 });
      expect(await deadLetters.forget(boundary, 2)).toEqual({ expired: 12, evicted: 1 });
      expect(await deadLetters.forget(boundary, 2)).toEqual({ expired: 0, evicted: 0 });
      expect(await keysLeft(session)).toEqual(['young-2', 'young-3']);
    }));
}
