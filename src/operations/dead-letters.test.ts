// Dead letters on a real engine and a real SQLite in memory: a sink that refuses what is titled poison, a parser that fails.

import { afterEach, describe, expect, test } from 'vitest';
import { EVENT_LIMITS, type Event } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import { LETTERS_SELECTED_MAX } from './dead-letter-view.ts';
import { discardDeadLetters } from './discard-dead-letters.ts';
import { editDeadLetter } from './edit-dead-letter.ts';
import { exportDeadLetters } from './export-dead-letters.ts';
import { draft, openWeir } from './fixtures/open-weir.ts';
import { scriptedSink } from './fixtures/scripted-sink.ts';
import { groupDeadLetters, listDeadLetters } from './list-dead-letters.ts';
import { runOperation, type Operation } from './operation.ts';
import { replayDeadLetters } from './replay-dead-letters.ts';
import { runConnector } from './run-connector.ts';
import { showDeadLetter } from './show-dead-letter.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const OTHER = { tenants: ['other'] };

/** Two sinks that refuse `p1` and `p2`, one raw record `broken`; and one letter of another tenant in each sink. */
async function withLetters() {
  const [crm, search] = [scriptedSink('crm'), scriptedSink('search')];
  const parts = openWeir({ sinks: [crm.binding, search.binding] });
  undo.push(parts.close);
  const { ask, source } = parts;
  source.pages = [
    {
      events: [draft('p1', { title: 'poison' }), draft('good'), draft('p2', { title: 'poison' })],
      failedKey: 'broken',
    },
  ];
  await ask(runConnector, { name: 'wiki' });
  source.pages = [{ events: [draft('theirs', { title: 'poison' })] }];
  await ask(runConnector, { name: 'theirs' }, OTHER);
  const letters = async (filter = {}) => (await ask(listDeadLetters, filter)).items;
  const idOf = async (key: string, sink: string) => {
    const [found] = await letters({ key, sink });
    if (found === undefined) throw new Error(`no letter of ${key}`);
    return found.id;
  };
  const [theirs] = (await ask(listDeadLetters, {}, OTHER)).items;
  if (theirs === undefined) throw new Error('no letter of the other tenant');
  const payloadOf = async (id: number) => (await ask(showDeadLetter, { id })).payload as unknown as Event;
  const code = async (operation: Operation<never, unknown>, input: unknown) =>
    parts.settle(runOperation(operation, parts.context, input)).then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );
  return { ...parts, crm: crm.script, search: search.script, letters, idOf, theirs, payloadOf, code };
}

describe('list and groups', () => {
  test('have the letters of the own tenant only, newest first, by cause', async () => {
    const { letters, ask } = await withLetters();
    const all = await letters();
    expect(all.map(({ key, sink }) => `${sink} ${key}`).sort()).toEqual([
      'crm p1',
      'crm p2',
      'pull broken',
      'search p1',
      'search p2',
    ]);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => b - a));
    expect(all.every(({ tenant }) => tenant === 'default')).toBe(true);
    const { total, groups } = await ask(groupDeadLetters);
    expect(total).toBe(5);
    expect(groups.map(({ sink, code, count }) => [sink, code, count])).toEqual(
      expect.arrayContaining([
        ['crm', 'sink_rejected', 2],
        ['search', 'sink_rejected', 2],
        ['pull', 'record_invalid', 1],
      ]),
    );
    expect(groups.find(({ sink }) => sink === 'pull')).toMatchObject({ class: 'source', queued: 0, connector: 'wiki' });
  });

  test('pages follow each other without a gap and end with null', async () => {
    const { ask, letters } = await withLetters();
    const first = await ask(listDeadLetters, { limit: '2' });
    const second = await ask(listDeadLetters, { limit: 2, before: first.next_before });
    const third = await ask(listDeadLetters, { limit: 2, before: second.next_before });
    expect([...first.items, ...second.items, ...third.items]).toEqual(await letters());
    expect(third.next_before).toBeNull();
  });

  test.for<[Readonly<Record<string, unknown>>, number]>([
    [{ connector: 'wiki' }, 5],
    [{ connector: 'theirs' }, 0],
    [{ sink: 'crm' }, 2],
    [{ sink: 'pull' }, 1],
    [{ code: 'sink_rejected' }, 4],
    [{ class: 'source' }, 1],
    [{ key: 'p1' }, 2],
    [{ state: 'queued' }, 0],
    [{ sink: 'crm', key: 'p2', state: 'dead' }, 1],
  ])('the filter %j means the same to the list, the count and every action: %i', async ([filter, count]) => {
    const { ask, letters } = await withLetters();
    expect(await letters(filter)).toHaveLength(count);
    expect((await ask(groupDeadLetters, filter)).total).toBe(count);
    expect((await ask(replayDeadLetters, { ...filter, dry_run: true })).matched).toBe(count);
    expect((await ask(exportDeadLetters, filter)).items).toHaveLength(count);
    expect(await ask(discardDeadLetters, { ...filter, dry_run: true })).toMatchObject({
      matched: count,
      discarded: count,
    });
    expect((await ask(discardDeadLetters, filter)).discarded).toBe(count);
    expect(await letters(filter)).toEqual([]);
    expect(await letters()).toHaveLength(5 - count);
    expect((await ask(listDeadLetters, {}, OTHER)).items).toHaveLength(2);
  });
});

describe('show', () => {
  test('has the event, every try, what its reason means and what to do', async () => {
    const { ask, idOf } = await withLetters();
    const shown = await ask(showDeadLetter, { id: String(await idOf('p1', 'crm')) });
    expect(shown).toMatchObject({
      payload: { key: 'p1', title: 'poison', tenant: 'default' },
      edited_payload: null,
      replayable: true,
      class: 'sink',
      history: [{ code: 'sink_rejected', message: expect.stringContaining('no such account') }],
      next_step: expect.stringMatching(/weir dlq edit \d+/),
    });
  });

  test('of a raw record says that it is no event yet', async () => {
    const { ask, idOf } = await withLetters();
    expect(await ask(showDeadLetter, { id: await idOf('broken', 'pull') })).toMatchObject({
      replayable: false,
      payload: null,
      event_id: null,
      message: 'no title',
      next_step: expect.stringContaining('no event yet'),
    });
  });
});

describe('replay', () => {
  test('leaves letters of a sink that nobody delivers to where they are, and says why', async () => {
    const { ask, engine, context, letters } = await withLetters();
    const without = new Proxy(engine, {
      get: (of, name) => {
        if (name === 'sinks') return async () => (await of.sinks()).filter((sink) => sink.name !== 'crm');
        const member: unknown = Reflect.get(of, name, of);
        return typeof member === 'function' ? (member.bind(of) as unknown) : member;
      },
    });
    const answer = await ask(replayDeadLetters, { sink: 'crm' }, { ...context, engine: without });
    expect(answer).toMatchObject({ matched: 2, queued: 0, not_replayable: 2 });
    expect(answer.hint).toContain('2 are of sinks that are not delivered to');
    expect((await letters({ sink: 'crm' })).map(({ state }) => state)).toEqual(['dead', 'dead']);
  });

  test('offers the same event again; taken, its letter is gone, and a second replay finds nothing to do', async () => {
    const { ask, idOf, crm, until, letters, payloadOf, code } = await withLetters();
    const id = await idOf('p1', 'crm');
    const event = await payloadOf(id);
    crm.refuses = () => false;
    expect(await ask(replayDeadLetters, { ids: [id] })).toMatchObject({
      matched: 1,
      queued: 1,
      not_replayable: 0,
      hint: null,
    });
    await until(async () => (await letters({ key: 'p1', sink: 'crm' })).length === 0);
    expect(crm.taken.filter(({ key }) => key === 'p1')).toEqual([event]);
    expect(await code(replayDeadLetters, { ids: [id] })).toBe('not_found');
  });

  test('refused again comes back with one try more', async () => {
    const { ask, idOf, until, letters } = await withLetters();
    const id = await idOf('p1', 'crm');
    await ask(replayDeadLetters, { ids: [id] });
    await until(async () => (await letters({ key: 'p1', sink: 'crm' }))[0]?.attempts === 2);
    expect((await ask(showDeadLetter, { id })).history).toHaveLength(2);
    expect(await letters({ state: 'queued' })).toEqual([]);
  });

  test('a dry run counts and changes nothing; to one sink nothing of another is touched', async () => {
    const { ask, letters, search, crm, until } = await withLetters();
    const before = await letters();
    expect(await ask(replayDeadLetters, { all: true, dry_run: true })).toMatchObject({
      matched: 5,
      queued: 4,
      not_replayable: 1,
      by_reason: expect.arrayContaining([{ sink: 'crm', connector: 'wiki', code: 'sink_rejected', count: 2 }]),
    });
    expect(await letters()).toEqual(before);
    [crm, search].forEach((script) => (script.refuses = () => false));
    await ask(replayDeadLetters, { sink: 'search' });
    await until(async () => (await letters({ sink: 'search' })).length === 0);
    expect(crm.taken.map(({ key }) => key)).toEqual(['good']);
    expect(await letters({ sink: 'crm' })).toEqual(before.filter(({ sink }) => sink === 'crm'));
  });

  test('while a sink is out, letters stay queued and are not counted as new', async () => {
    const { ask, crm } = await withLetters();
    crm.out = new Fault('sink_unavailable', 'connection refused');
    expect(await ask(replayDeadLetters, { sink: 'crm' })).toMatchObject({ queued: 2, already_queued: 0 });
    expect(await ask(replayDeadLetters, { sink: 'crm' })).toMatchObject({ matched: 2, queued: 0, already_queued: 2 });
  });

  test('of a raw record is counted as not replayable, with what to do', async () => {
    const { ask, idOf, letters } = await withLetters();
    expect(await ask(replayDeadLetters, { ids: [await idOf('broken', 'pull')] })).toMatchObject({
      matched: 1,
      queued: 0,
      not_replayable: 1,
      hint: expect.stringContaining('the next pull brings it'),
    });
    expect(await letters({ sink: 'pull' })).toMatchObject([{ state: 'dead' }]);
  });
});

describe('a selection', () => {
  test.for<[string, object, string]>([
    ['of nothing', {}, 'input_invalid'],
    ['that only counts nothing', { dry_run: true }, 'input_invalid'],
    ['of all and of some', { ids: [1], all: true }, 'input_invalid'],
    ['of no ids', { ids: [] }, 'input_invalid'],
    ['of an id that is no number', { ids: [true] }, 'input_invalid'],
    [
      'of more ids than one call takes',
      { ids: Array.from({ length: LETTERS_SELECTED_MAX + 1 }, (_, at) => at + 1) },
      'input_invalid',
    ],
    ['of a code that does not exist', { code: 'nosuch' }, 'input_invalid'],
    ['of an id that is not there', { ids: [999_999] }, 'not_found'],
  ])('%s is refused by replay and discard, and nothing changes', async ([, selection, expected]) => {
    const { code, letters } = await withLetters();
    const before = await letters();
    expect(await code(replayDeadLetters, selection)).toBe(expected);
    expect(await code(discardDeadLetters, selection)).toBe(expected);
    expect(await letters()).toEqual(before);
  });

  test('with one id that is missing names it and acts on none', async () => {
    const { idOf, letters, context, settle } = await withLetters();
    const id = await idOf('p1', 'crm');
    const asked = settle(runOperation(discardDeadLetters, context, { ids: [id, 999_999] }));
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining('999999') });
    expect(await letters({ key: 'p1', sink: 'crm' })).toHaveLength(1);
  });

  test('narrows its ids by the filter beside them', async () => {
    const { ask, idOf, letters } = await withLetters();
    const ids = [await idOf('p1', 'crm'), await idOf('p1', 'search')];
    expect((await ask(discardDeadLetters, { ids, sink: 'crm' })).discarded).toBe(1);
    expect(await letters({ key: 'p1' })).toMatchObject([{ sink: 'search' }]);
  });
});

describe("another tenant's letter (I9)", () => {
  test.for<[string, Operation<never, unknown>, (id: number) => object]>([
    ['show', showDeadLetter, (id) => ({ id })],
    ['replay', replayDeadLetters, (id) => ({ ids: [id] })],
    ['discard', discardDeadLetters, (id) => ({ ids: [id] })],
    ['edit', editDeadLetter, (id) => ({ id, reset: true })],
  ])('is not found by %s', async ([, operation, input]) => {
    const { code, theirs, ask } = await withLetters();
    expect(await code(operation, input(theirs.id))).toBe('not_found');
    expect((await ask(showDeadLetter, { id: theirs.id }, OTHER)).state).toBe('dead');
  });

  test('is in no export, and stays where it is when everything is discarded', async () => {
    const { ask, theirs } = await withLetters();
    expect((await ask(exportDeadLetters)).items.every(({ tenant }) => tenant === 'default')).toBe(true);
    await ask(discardDeadLetters, { all: true });
    expect((await ask(showDeadLetter, { id: theirs.id }, OTHER)).id).toBe(theirs.id);
  });
});

describe('edit', () => {
  test('changes what a replay sends, the first contents stay to be seen, and reset takes it back', async () => {
    const { ask, idOf, payloadOf, until, letters, crm } = await withLetters();
    const id = await idOf('p1', 'crm');
    const first = await payloadOf(id);
    expect(await ask(editDeadLetter, { id, payload: { ...first, title: 'mended' } })).toMatchObject({
      id,
      edited: true,
    });
    expect(await ask(showDeadLetter, { id })).toMatchObject({ payload: first, edited_payload: { title: 'mended' } });
    expect(await ask(editDeadLetter, { id, reset: true })).toMatchObject({ edited: false });
    await ask(editDeadLetter, { id, payload: { ...first, title: 'mended' } });
    await ask(replayDeadLetters, { ids: [id] });
    await until(async () => (await letters({ key: 'p1', sink: 'crm' })).length === 0);
    expect(crm.taken.filter(({ key }) => key === 'p1')).toEqual([{ ...first, title: 'mended' }]);
  });

  test.for<[string, (event: Event) => unknown]>([
    ['id', (event) => ({ ...event, id: 'a'.repeat(40) })],
    ['tenant', (event) => ({ ...event, tenant: 'other' })],
    ['connection', (event) => ({ ...event, connection: 'theirs' })],
    ['connector', (event) => ({ ...event, connector: 'git' })],
    ['stream', (event) => ({ ...event, stream: 'others' })],
    ['key', (event) => ({ ...event, key: 'p2' })],
    ['version', (event) => ({ ...event, version: event.version + 1 })],
    ['op', (event) => ({ ...event, op: 'delete' })],
    ['title', (event) => ({ ...event, title: 7 })],
    ['tags', (event) => ({ ...event, tags: Array.from({ length: EVENT_LIMITS.tagsMax + 1 }, () => 't') })],
    ['text', (event) => ({ ...event, text: 'x'.repeat(EVENT_LIMITS.textCharsMax + 1) })],
    ['data', ({ data: _, ...event }) => event],
  ])('that breaks %s names the field and changes nothing', async ([member, change]) => {
    const { idOf, payloadOf, context, ask, settle } = await withLetters();
    const id = await idOf('p1', 'crm');
    const payload = change(await payloadOf(id));
    await expect(settle(runOperation(editDeadLetter, context, { id, payload }))).rejects.toMatchObject({
      code: 'input_invalid',
      problems: [{ path: expect.stringContaining(`/payload/${member}`) }],
    });
    expect((await ask(showDeadLetter, { id })).edited).toBe(false);
  });

  test('that would be larger than an event may be is refused as such', async () => {
    const { idOf, payloadOf, code } = await withLetters();
    const id = await idOf('p1', 'crm');
    const data = 'x'.repeat(EVENT_LIMITS.payloadBytesMax);
    expect(await code(editDeadLetter, { id, payload: { ...(await payloadOf(id)), data } })).toBe('record_too_large');
  });

  test('of a raw record, of nothing, of both and of one that is queued is refused', async () => {
    const { idOf, payloadOf, code, ask, crm } = await withLetters();
    const id = await idOf('p1', 'crm');
    const payload = await payloadOf(id);
    expect(await code(editDeadLetter, { id: await idOf('broken', 'pull'), payload })).toBe('not_replayable');
    expect(await code(editDeadLetter, { id })).toBe('input_invalid');
    expect(await code(editDeadLetter, { id, payload, reset: true })).toBe('input_invalid');
    crm.out = new Fault('sink_unavailable', 'connection refused');
    await ask(replayDeadLetters, { ids: [id] });
    expect(await code(editDeadLetter, { id, payload })).toBe('already_running');
  });
});

describe('export', () => {
  test('pages follow each other and hold the contents; a page ends before it gets too large', async () => {
    const { ask, source, letters } = await withLetters();
    const text = 'x'.repeat(EVENT_LIMITS.textCharsMax);
    const large = Array.from({ length: 10 }, (_, at) => draft(`large${at}`, { title: 'poison', text }));
    source.pages = [{}, { events: large }];
    await ask(runConnector, { name: 'wiki' });
    const pages = [];
    for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null;) {
      const page: Awaited<ReturnType<typeof exportDeadLetters.run>> = await ask(exportDeadLetters, {
        before,
        sink: 'crm',
      });
      pages.push(page.items);
      before = page.next_before;
    }
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flat().map(({ id }) => id)).toEqual((await letters({ sink: 'crm' })).map(({ id }) => id));
    expect(pages.flat().every(({ payload }) => payload !== null)).toBe(true);
  });
});
