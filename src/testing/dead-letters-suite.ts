// What DeadLetterStore promises to people: what a letter holds, lists, groups and filters. Replay and removal have suites of their own.

import { describe, expect, it } from 'vitest';
import { DEAD_LETTER_LIMITS, type DeadLetterFilter } from '#core/dead-letter.ts';
import { deadLetterPropertySuite } from './dead-letter-property-suite.ts';
import { deadLetterRemovalSuite } from './dead-letter-removal-suite.ts';
import { deadLetterReplaySuite } from './dead-letter-replay-suite.ts';
import { failRaw, lettersOfA, onlyLetter, reject, rejectEntries } from './dead-letter-samples.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { checkpointOf, partitionOfEvent, sample, SAMPLE_STREAM, samples } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { WIKI } from './store-samples.ts';

export function deadLettersSuite(openHarness: OpenHarness): void {
  describe('dead letters', () => {
    lists(openHarness);
    keepsContent(openHarness);
    keepsTries(openHarness);
    deadLetterReplaySuite(openHarness);
    deadLetterRemovalSuite(openHarness);
    deadLetterPropertySuite(openHarness);
  });
}

/** Letters that differ in every member a filter can name; keys say which they are. */
async function variety(session: StorageSession): Promise<void> {
  await failRaw(session, 'raw');
  await failRaw(session, 'raw-access', { code: 'permission_missing' });
  await failRaw(session, 'elsewhere', { of: { ...SAMPLE_STREAM, connection: 'other' } });
  await failRaw(session, 'foreign', { of: { ...SAMPLE_STREAM, tenant: 'b' } });
  await reject(session, 'r', [sample({ key: 'one' }), sample({ key: 'two' })]);
  await reject(session, 'r', [sample({ key: 'odd' })], { code: 'internal' });
  await session.log.register('s');
  const [one] = await session.log.read('s', partitionOfEvent(session, sample({ key: 'one' })), 1);
  if (one !== undefined) await rejectEntries(session, 's', partitionOfEvent(session, one), [one]);
  await session.store.deadLetters.queue({ tenants: ['a'], key: 'two' });
}

function lists(openHarness: OpenHarness): void {
  const keysOf = async ({ store }: StorageSession, filter: DeadLetterFilter, limit = 100, beforeId?: number) =>
    (await store.deadLetters.list(filter, limit, beforeId)).map(({ key }) => key);

  it('lists the newest first, of the given tenants and connection, at most limit', () =>
    withStorage(openHarness, async (session) => {
      for (const key of ['one', 'two', 'three']) await failRaw(session, key);
      await failRaw(session, 'elsewhere', { of: { ...SAMPLE_STREAM, connection: 'other' } });
      await failRaw(session, 'foreign', { of: { ...SAMPLE_STREAM, tenant: 'b' } });
      expect(await keysOf(session, { tenants: ['a'], connection: 'wiki' }, 2)).toEqual(['three', 'two']);
      expect(await keysOf(session, { tenants: ['a'] })).toEqual(['elsewhere', 'three', 'two', 'one']);
      expect(await keysOf(session, { tenants: ['b', 'a'] })).toEqual(['foreign', 'elsewhere', 'three', 'two', 'one']);
      expect(await keysOf(session, { tenants: [] })).toEqual([]);
      expect(await session.store.deadLetters.count(WIKI)).toBe(3);
      expect(await session.store.deadLetters.count({ tenant: 'b', connection: 'wiki' })).toBe(1);
    }));

  it('the next page begins after the last letter of the one before, and a page has at most listMax', () =>
    withStorage(openHarness, async (session) => {
      const failures = Array.from({ length: DEAD_LETTER_LIMITS.listMax + 3 }, (_, at) => {
        return { key: `k${at}`, code: 'record_invalid', message: 'm' } as const;
      });
      await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, 1) });
      const first = await session.store.deadLetters.list({ tenants: ['a'] }, 10_000);
      expect(first.map(({ key }) => key)).toEqual(
        failures
          .map(({ key }) => key)
          .toReversed()
          .slice(0, DEAD_LETTER_LIMITS.listMax),
      );
      expect(await keysOf(session, { tenants: ['a'] }, 2, first.at(-1)?.id)).toEqual(['k2', 'k1']);
    }));

  it('every member of a filter narrows, alone and with the others', () =>
    withStorage(openHarness, async (session) => {
      await variety(session);
      const all = await session.store.deadLetters.list({ tenants: ['a', 'b'] }, 100);
      const ids = all.filter(({ key }) => key === 'odd' || key === 'foreign').map(({ id }) => id);
      const found = async (filter: Partial<DeadLetterFilter>) =>
        (await keysOf(session, { tenants: ['a'], ...filter })).toSorted();
      expect(await found({})).toEqual(['elsewhere', 'odd', 'one', 'one', 'raw', 'raw-access', 'two']);
      expect(await found({ ids })).toEqual(['odd']);
      expect(await found({ ids: [] })).toEqual([]);
      expect(await found({ connection: 'other' })).toEqual(['elsewhere']);
      expect(await found({ stage: 's' })).toEqual(['one']);
      expect(await found({ code: 'sink_rejected' })).toEqual(['one', 'one', 'two']);
      expect(await found({ class: 'source' })).toEqual(['elsewhere', 'raw']);
      expect(await found({ class: 'authorisation' })).toEqual(['raw-access']);
      expect(await found({ class: 'sink' })).toEqual(['one', 'one', 'two']);
      expect(await found({ class: 'defect' })).toEqual(['odd']);
      expect(await found({ key: 'one' })).toEqual(['one', 'one']);
      expect(await found({ state: 'queued' })).toEqual(['two']);
      expect(await found({ state: 'dead', stage: 'r' })).toEqual(['odd', 'one']);
      expect(await found({ class: 'sink', code: 'internal' })).toEqual([]);
    }));

  it('hostile texts in a filter find what bears them and nothing else', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'plain');
      for (const text of HOSTILE_TEXTS) {
        expect(await keysOf(session, { tenants: [text] })).toEqual([]);
        expect(await keysOf(session, { tenants: ['a'], connection: text, stage: text })).toEqual([]);
        expect(await keysOf(session, { tenants: ['a'], key: text })).toEqual([]);
        await failRaw(session, text);
        expect(await keysOf(session, { tenants: ['a'], key: text })).toEqual([text]);
      }
    }));

  it('groups letters by their cause, largest first, and counts what a replay of the group would take', () =>
    withStorage(openHarness, async (session) => {
      const began = session.clock.now();
      await variety(session);
      const { deadLetters } = session.store;
      const groups = await deadLetters.groups({ tenants: ['a'] });
      const brief = groups.map(({ stage, connection, stream, code, count, queued }) =>
        [stage, connection, stream, code, count, queued].join(' '),
      );
      expect(brief[0]).toBe('r wiki pages sink_rejected 2 1');
      expect(brief.toSorted()).toEqual([
        'pull other pages record_invalid 1 0',
        'pull wiki pages permission_missing 1 0',
        'pull wiki pages record_invalid 1 0',
        'r wiki pages internal 1 0',
        'r wiki pages sink_rejected 2 1',
        's wiki pages sink_rejected 1 0',
      ]);
      expect(groups[0]).toMatchObject({ tenant: 'a', firstAtMs: began + 4_000, lastAtMs: began + 4_000 });
      for (const { sampleId, message, lastAtMs } of groups)
        expect(await deadLetters.get(['a'], sampleId)).toMatchObject({ message, lastAtMs });
      expect(await deadLetters.groups({ tenants: ['a'], stage: 's' })).toHaveLength(1);
      expect(await deadLetters.groups({ tenants: ['c'] })).toEqual([]);
    }));

  it("a group's times span its letters and its message is the newest letter's", () =>
    withStorage(openHarness, async (session) => {
      const began = session.clock.now();
      for (const key of ['first', 'second', 'third']) await failRaw(session, key);
      const [group] = await session.store.deadLetters.groups({ tenants: ['a'] });
      expect(group).toMatchObject({ count: 3, firstAtMs: began, lastAtMs: began + 2_000, message: 'third' });
    }));
}

function keepsContent(openHarness: OpenHarness): void {
  it('keeps keys, reasons and raw records byte for byte', () =>
    withStorage(openHarness, async (session) => {
      const failures = HOSTILE_TEXTS.map((text) => {
        return { key: text, code: 'record_invalid', message: text, payload: { [text]: text } } as const;
      });
      await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, 1) });
      await session.crash();
      const letters = await lettersOfA(session);
      expect(letters.map(({ key, message, payload }) => [key, message, payload]).toSorted()).toEqual(
        failures.map(({ key, message, payload }) => [key, message, JSON.stringify(payload)]).toSorted(),
      );
      for (const { payload = '', payloadBytes } of letters) expect(payloadBytes).toBe(Buffer.byteLength(payload));
    }));

  it("a sink's letter holds the event as the log has it, whatever the sink did to the one it was given", () =>
    withStorage(openHarness, async (session) => {
      const sealed = sample({ key: 'k', version: 7, text: 'ä\u0000\ud83d\ude00', data: { b: [1, 'x'], a: null } });
      await session.log.register('r');
      await session.log.append({ events: [sealed] });
      const partition = partitionOfEvent(session, sealed);
      const entries = await session.log.read('r', partition, 1);
      for (const { event } of entries) Object.assign(event, { title: 'changed', text: undefined });
      await rejectEntries(session, 'r', partition, entries);
      await session.crash();
      expect(await onlyLetter(session)).toMatchObject({
        ...{ ...SAMPLE_STREAM, stage: 'r', key: 'k', eventId: sealed.event.id, version: 7, state: 'dead' },
        ...{ payload: sealed.payload, payloadBytes: Buffer.byteLength(sealed.payload), payloadCut: false },
        ...{ edited: false, editedPayload: undefined },
      });
    }));

  it('a raw record has no event id and no version, and none of its content when the parser kept none', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'k');
      const none = { eventId: undefined, version: undefined, payload: undefined, payloadBytes: 0, payloadCut: false };
      expect(await onlyLetter(session)).toMatchObject({ stage: 'pull', ...none });
    }));

  it('a raw record that is too long is cut and marked, never within a character', () =>
    withStorage(openHarness, async (session) => {
      const max = DEAD_LETTER_LIMITS.rawPayloadCharsMax;
      await failRaw(session, 'fits', { payload: 'x'.repeat(max - 2) }); // and two quotes
      await failRaw(session, 'longer', { payload: 'x'.repeat(max - 1) });
      await failRaw(session, 'pair', { payload: `${'x'.repeat(max - 2)}\u{1f600}` });
      const kept = (await lettersOfA(session)).map(({ key, payload, payloadCut }) => [key, payload, payloadCut]);
      const cut = `"${'x'.repeat(max - 2)}`;
      expect(kept).toEqual([
        ['fits', `${cut}"`, false],
        ['longer', `"${'x'.repeat(max - 1)}`, true],
        ['pair', cut, true],
      ]);
    }));

  it('a raw record nested too deeply to be written keeps its reason, and the page it came with is stored', () =>
    withStorage(openHarness, async (session) => {
      const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) as null; // some JSON value
      await failRaw(session, 'deep', { payload: deep });
      expect(await onlyLetter(session)).toMatchObject({ key: 'deep', payload: undefined, payloadCut: true });
      expect(await session.store.streams.get(SAMPLE_STREAM)).toMatchObject({ cursor: 'deep' });
    }));

  it('an unknown letter and one of another tenant are not found', () =>
    withStorage(openHarness, async (session) => {
      await failRaw(session, 'k');
      const { id } = await onlyLetter(session);
      expect(await session.store.deadLetters.get(['b'], id)).toBeUndefined();
      expect(await session.store.deadLetters.get([], id)).toBeUndefined();
      expect(await session.store.deadLetters.get(['a'], id + 1)).toBeUndefined();
    }));
}

function keepsTries(openHarness: OpenHarness): void {
  it('a record that fails again adds a try to its letter and changes neither its first time nor its payload', () =>
    withStorage(openHarness, async (session) => {
      const began = session.clock.now();
      await failRaw(session, 'k', { payload: 'first', message: 'no title' });
      const first = await onlyLetter(session);
      await failRaw(session, 'k', { payload: 'second', message: 'no date', code: 'record_too_large' });
      const history = [
        { atMs: began, code: 'record_invalid', message: 'no title' },
        { atMs: began + 1_000, code: 'record_too_large', message: 'no date' },
      ];
      expect(first.history).toEqual(history.slice(0, 1));
      expect(await onlyLetter(session)).toEqual({
        ...first,
        ...{ code: 'record_too_large', message: 'no date', attempts: 2, lastAtMs: began + 1_000, history },
      });
    }));

  it('the tries of a draft are kept as they were, and its own reason when it names none', () =>
    withStorage(openHarness, async (session) => {
      const history = [
        { atMs: 5, code: 'upstream_timeout', message: 'slow' },
        { atMs: 6, code: 'sink_rejected', message: 'too long' },
      ] as const;
      await reject(session, 'r', [sample({ key: 'told' })], { attempts: 5, history });
      const silent = { code: 'dispatch_unfinished', message: 'ended', attempts: 3, history: [] } as const;
      await reject(session, 'r', [sample({ key: 'silent' })], silent);
      const [told, untold] = await lettersOfA(session);
      expect(told).toMatchObject({ attempts: 5, history });
      const own = { atMs: untold?.lastAtMs, code: 'dispatch_unfinished', message: 'ended' };
      expect(untold).toMatchObject({ attempts: 3, history: [own] });
    }));

  it('of many tries the newest attemptsKeptMax are kept, and all are counted', () =>
    withStorage(openHarness, async (session) => {
      const kept = DEAD_LETTER_LIMITS.attemptsKeptMax;
      const history = Array.from({ length: kept + 5 }, (_, at) => {
        return { atMs: at, code: 'sink_rejected', message: `try ${at}` } as const;
      });
      await reject(session, 'r', samples(1), { attempts: kept + 5, history });
      expect((await onlyLetter(session)).history).toEqual(history.slice(5));
      for (let time = 0; time < kept - 1; time += 1) await failRaw(session, 'k', { message: `raw ${time}` });
      for (let time = 0; time < 3; time += 1) await failRaw(session, 'k', { message: `late ${time}` });
      const raw = (await lettersOfA(session)).find(({ stage }) => stage === 'pull');
      expect(raw?.attempts).toBe(kept + 2);
      expect(raw?.history).toHaveLength(kept);
      expect([raw?.history[0]?.message, raw?.history.at(-1)?.message]).toEqual(['raw 2', 'late 2']);
    }));
}
