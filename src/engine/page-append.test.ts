import { describe, expect, test } from 'vitest';
import type { Page } from '#core/connector.ts';
import type { EventDraft } from '#core/event.ts';
import { LOG_LIMITS, type AppendBatch, type EventLog } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import { streamLeaseName } from '#core/names.ts';
import { doc, docs, keysIn, OF, openWorld, type World } from './fixtures/engine-world.ts';
import { appendPage, type PageAppend } from './page-append.ts';
import { RunTally } from './run-counts.ts';

/** The log of the world, and every batch it was given. */
function watched(log: EventLog): { log: EventLog; batches: AppendBatch[] } {
  const batches: AppendBatch[] = [];
  const append: EventLog['append'] = (batch) => {
    batches.push(batch);
    return log.append(batch);
  };
  return {
    batches,
    log: new Proxy(log, { get: (of, name) => (name === 'append' ? append : (Reflect.get(of, name) as unknown)) }),
  };
}

async function appending(world: World) {
  const fence = await world.leases.acquire(streamLeaseName(OF), 'test', 60_000);
  if (fence === undefined) throw new Error('the lease is free');
  const { log, batches } = watched(world.log);
  const tally = new RunTally();
  const to: PageAppend = {
    log,
    source: { ...OF, connector: 'scripted' },
    tally,
    checkpoint: { stream: OF, connectorVersion: '1.0.0', fence },
  };
  const put = (page: Partial<Page<JsonValue>>, reconcile?: 'due' | 'done') =>
    appendPage(to, { events: [], cursor: 1, ...page }, reconcile);
  return { put, batches, tally, fence };
}
// A connector is code: what it gives may have any shape.
const malformed = (value: unknown): EventDraft => value as EventDraft;

describe('one page', () => {
  test('events, failures and cursor are one append (I2)', async () => {
    const world = openWorld();
    const { put, batches } = await appending(world);
    await put({
      events: docs(3),
      failures: [{ key: 'bad', code: 'record_invalid', message: 'no title' }],
      cursor: { at: 3 },
    });
    expect(batches).toHaveLength(1);
    expect(await world.store.streams.get(OF)).toMatchObject({
      cursor: { at: 3 },
      eventsTotal: 3,
      connectorVersion: '1.0.0',
    });
    expect(await world.store.deadLetters.list({ tenants: ['a'] }, 10)).toMatchObject([
      { stage: 'pull', key: 'bad', message: 'no title' },
    ]);
  });

  test('an empty page moves the cursor', async () => {
    const world = openWorld();
    const { put } = await appending(world);
    await put({ cursor: 'next' });
    expect((await world.store.streams.get(OF))?.cursor).toBe('next');
  });

  test('what it counted is in the tally: new, known, deleted, failed, left out', async () => {
    const { put, tally } = await appending(openWorld());
    await put({ events: [doc('a'), doc('b')] });
    await put({
      events: [doc('a'), doc('c'), doc('b', 2, { op: 'delete' })],
      failures: [{ key: 'bad', code: 'record_invalid', message: '' }],
      skipped: { binary: 2 },
    });
    expect(tally.snapshot()).toEqual({
      pages: 2,
      appended: 4,
      unchanged: 1,
      deleted: 1,
      failed: 1,
      skipped: { binary: 2 },
    });
  });

  test.for([
    { what: 'an empty key', draft: doc('') },
    { what: 'a version that is no integer', draft: doc('bad', 1.5) },
    { what: 'a member nobody knows', draft: malformed({ ...doc('bad'), extra: 1 }) },
    { what: 'data that cannot be written as JSON', draft: malformed({ ...doc('bad'), data: { big: 1n } }) },
    { what: 'too many bytes', draft: doc('bad', 1, { data: 'x'.repeat(5 * 1024 * 1024) }) },
    { what: 'no key', draft: malformed({ kind: 'document' }) },
    { what: 'no record at all', draft: malformed(null) },
  ])('a record with $what becomes a failure, and the rest of the page goes on (I3)', async ({ draft }) => {
    const world = openWorld();
    const { put, tally } = await appending(world);
    await put({ events: [doc('before'), draft, doc('after')], cursor: 'past it' });
    expect(await keysIn(world)).toEqual(['after', 'before']);
    expect((await world.store.streams.get(OF))?.cursor).toBe('past it');
    expect(tally.snapshot()).toMatchObject({ appended: 2, failed: 1 });
    expect(await world.store.deadLetters.count(OF)).toBe(1);
  });

  test('two different records without a key are two dead letters', async () => {
    const world = openWorld();
    const { put } = await appending(world);
    await put({ events: [doc('', 1, { title: 'one' }), doc('', 1, { title: 'two' })] });
    expect(await world.store.deadLetters.count(OF)).toBe(2);
  });

  test('a record that could not become an event is kept with its content', async () => {
    const { put, batches } = await appending(openWorld());
    await put({ events: [doc('bad', 1.5, { title: 'worth keeping' })] });
    expect(JSON.stringify(batches[0]?.failures)).toContain('worth keeping');
  });
});

describe('a page larger than one append', () => {
  const COUNT = 2 * LOG_LIMITS.appendEventsMax + 100;

  test('is stored whole, and the cursor comes with the last of its events', async () => {
    const world = openWorld();
    const { put, batches, tally } = await appending(world);
    await put({ events: docs(COUNT), cursor: 'end' });
    expect(batches.map(({ events, checkpoint }) => [events.length, checkpoint?.cursor])).toEqual([
      [1024, undefined],
      [1024, undefined],
      [100, 'end'],
    ]);
    expect(tally.snapshot()).toMatchObject({ pages: 1, appended: COUNT });
  });

  test('of exactly one append is one append', async () => {
    const { put, batches } = await appending(openWorld());
    await put({ events: docs(LOG_LIMITS.appendEventsMax) });
    expect(batches).toHaveLength(1);
  });

  test('counts all its events for the stream', async () => {
    const world = openWorld();
    const { put } = await appending(world);
    await put({ events: docs(COUNT) });
    expect((await world.store.streams.get(OF))?.eventsTotal).toBe(COUNT);
  });

  test('of a puller that has lost its stream stores nothing at all (I5)', async () => {
    const world = openWorld();
    const { put, fence } = await appending(world);
    await world.leases.release(fence);
    await expect(put({ events: docs(COUNT) })).rejects.toMatchObject({ code: 'fenced' });
    expect(await keysIn(world)).toEqual([]);
    expect(await world.store.streams.get(OF)).toBeUndefined();
  });
});
