// Every operation on a real engine and a real SQLite in memory; the source is a list, the clock moves only when a test moves it.

import { afterEach, describe, expect, test } from 'vitest';
import type { CheckFinding } from '#core/connector.ts';
import { sealEvent } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { Timeline, TimelineRow } from '#core/timeline.ts';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { checkConnections } from './check-connections.ts';
import { drillConnector } from './drill-connector.ts';
import { listConnectors } from './list-connectors.ts';
import { listEvents } from './list-events.ts';
import { listNeighbours } from './list-neighbours.ts';
import { draft, openWeir, SLICE_MS, TIME } from './fixtures/open-weir.ts';
import { runOperation, ROLES, type Operation } from './operation.ts';
import { getQueueStats, peekQueue } from './queue.ts';
import { OPERATIONS } from './registry.ts';
import { runConnector } from './run-connector.ts';
import { searchDocuments } from './search-documents.ts';
import { getWorkerLag } from './worker-lag.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

function weir(options: Parameters<typeof openWeir>[0] = {}): ReturnType<typeof openWeir> {
  const opened = openWeir(options);
  undo.push(opened.close);
  return opened;
}

function refused(operation: Operation<never, unknown>, input: unknown, code: string, message: RegExp): Promise<void> {
  const { context } = weir();
  return expect(runOperation(operation, context, input)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
}

describe('the registry', () => {
  test('names and paths are unique, changes are POST, every path member is an input', () => {
    expect(new Set(OPERATIONS.map(({ name }) => name)).size).toBe(OPERATIONS.length);
    expect(new Set(OPERATIONS.map(({ http }) => `${http.method} ${http.path}`)).size).toBe(OPERATIONS.length);
    for (const { name, changes, http, role, input } of OPERATIONS) {
      expect(name).toMatch(/^[a-z]+\.[a-z_]+$/);
      if (changes) expect([name, http.method]).toEqual([name, 'POST']);
      expect(ROLES).toContain(role);
      for (const [, member = ''] of http.path.matchAll(/:(\w+)/g)) expect(Object.keys(input.shape)).toContain(member);
    }
  });

  test('an unknown member is refused by every operation', async () => {
    const { context } = weir();
    for (const operation of OPERATIONS) {
      await expect(runOperation(operation, context, { nosuch: 1 })).rejects.toMatchObject({
        code: 'input_invalid',
        message: expect.stringContaining('nosuch'),
      });
    }
  });

  test('all that is wrong with an input is said at once, with the place of each', async () => {
    await expect(
      runOperation(listEvents, weir().context, { kind: 'x', severity: 'y', limit: 'many' }),
    ).rejects.toMatchObject({
      code: 'input_invalid',
      problems: [{ path: '/kind' }, { path: '/severity' }, { path: '/limit' }].map((one): unknown =>
        expect.objectContaining(one),
      ),
    });
  });
});

describe('list and drill', () => {
  test('list has the connectors of the tenant alone', async () => {
    const { connectors } = await weir().ask(listConnectors);
    expect(connectors.map(({ name }) => name).sort()).toEqual(['off', 'wiki']);
  });

  test('drill tells the cursor, the newest runs first, failures with their operation, and what could not be read', async () => {
    const { ask, source } = weir();
    source.pages = [
      { events: [draft('a')], failedKey: 'broken' },
      { throws: new Fault('upstream_unavailable', 'the wiki is down') },
    ];
    expect((await ask(runConnector, { name: 'wiki' })).result).toBe('failed');
    const drill = await ask(drillConnector, { name: 'wiki' });
    expect(drill.streams).toMatchObject([{ name: 'pages', cursor: 1, events_total: 1 }]);
    expect(drill.recent_runs[0]).toMatchObject({ outcome: 'failed', code: 'upstream_unavailable' });
    expect(drill.recent_failures[0]).toMatchObject({
      operation: 'list',
      message: 'the wiki is down',
      code: 'upstream_unavailable',
    });
    expect(drill).toMatchObject({ dead_letters: 1, recent_dead_letters: [{ key: 'broken', message: 'no title' }] });
    expect(drill.health.status).not.toBe('healthy');
  });

  test.for(['nosuch', 'theirs'])('drill and run of %s are not found', async (name) => {
    await refused(drillConnector, { name }, 'not_found', new RegExp(name));
    await refused(runConnector, { name }, 'not_found', new RegExp(name));
  });
});

describe('run', () => {
  test('waits until the sinks have what came, so that a search that follows finds it', async () => {
    const { ask, source, progress } = weir();
    source.pages = [{ events: [draft('a', { title: 'Alpha', text: 'the first letter' })] }];
    expect(await ask(runConnector, { name: 'wiki' })).toMatchObject({
      result: 'succeeded',
      runs: [{ stream: 'pages', outcome: 'succeeded', counts: { appended: 1 } }],
    });
    expect((await ask(searchDocuments, { words: 'letter' })).total).toBe(1);
    expect(progress).not.toEqual([]);
  });

  test('that needs several slices and reaches the end has succeeded', async () => {
    const { ask, source } = weir();
    source.pages = ['a', 'b', 'c'].map((key) => ({ events: [draft(key)], takesMs: SLICE_MS * 0.6 }));
    const answer = await ask(runConnector, { name: 'wiki' });
    expect(answer.runs.map(({ outcome }) => outcome)).toEqual(['yielded', 'succeeded']);
    expect(answer.result).toBe('succeeded');
  });

  test('that met a record it could not read is partial', async () => {
    const { ask, source } = weir();
    source.pages = [{ events: [draft('a')], failedKey: 'broken' }];
    expect((await ask(runConnector, { name: 'wiki' })).result).toBe('partial');
  });

  test('of a stream that is not there names those that are', async () => {
    await refused(runConnector, { name: 'wiki', stream: 'nosuch' }, 'not_found', /no stream nosuch; it has pages/);
  });
});

describe('check', () => {
  const wrong: CheckFinding = {
    ok: false,
    message: 'the path is gone',
    fault: new Fault('source_missing', 'gone', { details: { connection: 'wiki' } }),
  };

  test('tests what is enabled and belongs to the tenant; one wrong finding makes it not ok, with code and hint', async () => {
    const { ask, source } = weir();
    source.findings = [{ ok: true, message: 'reachable' }, wrong];
    expect(await ask(checkConnections)).toEqual({
      schemaVersion: 1,
      ok: false,
      connectors: [
        {
          name: 'wiki',
          ok: false,
          findings: [
            { ok: true, message: 'reachable', code: null, hint: null },
            { ok: false, message: 'the path is gone', code: 'source_missing', hint: expect.stringContaining('wiki') },
          ],
        },
      ],
    });
  });

  test.for(['nosuch', 'theirs'])('of %s is not found: nothing tested must not read as ok', async (name) => {
    await refused(checkConnections, { connector: name }, 'not_found', new RegExp(name));
  });

  test('of one that is switched off but asked for by name tests it', async () => {
    const { ask, source } = weir();
    source.findings = [wrong];
    expect(await ask(checkConnections, { connector: 'off' })).toMatchObject({
      ok: false,
      connectors: [{ name: 'off' }],
    });
  });
});

describe('events', () => {
  async function withEvents() {
    const parts = weir();
    parts.source.pages = [
      {
        events: [
          draft('a', {
            kind: 'signal',
            severity: 'high',
            tags: ['ci'],
            title: 'Build broken',
            time: '2025-12-31T21:00:00.000Z',
          }),
          draft('b', { kind: 'signal', severity: 'low', title: 'Build mended', time: '2025-12-31T22:00:00.000Z' }),
          draft('c', { title: 'A page', time: '2025-12-31T23:00:00.000Z' }),
        ],
      },
    ];
    await parts.ask(runConnector, { name: 'wiki' });
    return parts;
  }

  test.for<[Readonly<Record<string, unknown>>, readonly string[]]>([
    [{}, ['c', 'b', 'a']],
    [{ connector: 'wiki' }, ['c', 'b', 'a']],
    [{ connector: 'theirs' }, []],
    [{ kind: 'signal' }, ['b', 'a']],
    [{ severity: 'high' }, ['a']],
    [{ tag: 'ci' }, ['a']],
    [{ text: 'BUILD' }, ['b', 'a']],
    [{ since: '2025-12-31T22:00:00Z' }, ['c', 'b']],
    [{ until: '2025-12-31T22:00:00Z' }, ['a']],
    [{ since: '150m' }, ['c', 'b']],
    [{ since: '2025-12-31T22:00:00Z', until: '2025-12-31T22:00:00Z' }, []],
    [{ kind: 'signal', severity: 'low', text: 'mended' }, ['b']],
    [{ limit: '2' }, ['c', 'b']],
  ])('%j finds %j', async ([filter, keys]) => {
    const { ask } = await withEvents();
    expect((await ask(listEvents, filter)).items.map(({ subject }) => subject)).toEqual(keys);
  });

  test('pages follow each other without a gap and end with null', async () => {
    const { ask } = await withEvents();
    const first = await ask(listEvents, { limit: 2 });
    const second = await ask(listEvents, { limit: 2, cursor: first.next_cursor });
    expect([...first.items, ...second.items].map(({ subject }) => subject)).toEqual(['c', 'b', 'a']);
    expect(second.next_cursor).toBeNull();
  });

  test('are CloudEvents with the tenant, the connector and the severity as extensions', async () => {
    const { ask } = await withEvents();
    expect((await ask(listEvents, { severity: 'high' })).items).toMatchObject([
      {
        specversion: '1.0',
        source: '/tenants/default/connectors/wiki/pages',
        type: 'weir.sample.pages.upsert',
        subject: 'a',
        tenantid: 'default',
        connectorid: 'wiki',
        severity: 'high',
        data: { title: 'Build broken' },
      },
    ]);
  });

  test('following with after gives each event once, however small the pages', async () => {
    const { ask } = await withEvents();
    const seen: string[] = [];
    for (let after = 0, more = true; more;) {
      const page = await ask(listEvents, { after, limit: 1 });
      seen.push(...page.items.map(({ subject }) => subject));
      more = page.items.length > 0;
      after = page.newest;
    }
    // Each key has a partition of its own, and between partitions nothing is promised: the set counts.
    expect(seen.toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('following goes on after what was shown, also when an event was stored while it looked', async () => {
    const { ask, context } = await withEvents();
    const { rows } = await context.store.timeline.query({ tenants: ['default'], limit: 10 });
    const newest = Math.max(...rows.map(({ row }) => row));
    const raced = {
      ...context.store.timeline,
      newest: () => Promise.resolve(newest - 1),
      query: () => Promise.resolve({ rows: rows as readonly TimelineRow[], next: undefined }),
    };
    const store = { ...context.store, timeline: raced as unknown as Timeline }; // only what the operation calls
    expect((await ask(listEvents, {}, { store })).newest).toBe(newest);
    expect((await ask(listEvents, { after: 0 }, { store })).newest).toBe(newest);
  });

  test.for([
    { since: 'yesterday' },
    { until: '2026-13-01' },
    { kind: 'x' },
    { limit: 0 },
    { limit: 201 },
    { after: -1 },
    { after: 1.5 },
  ])('%j is refused', async (input) => {
    await refused(listEvents, input, 'input_invalid', /./);
  });

  test('a cursor that no page gave is refused or finds nothing, but never fails', async () => {
    const { ask } = await withEvents();
    for (const cursor of ['x', '0', '-1', "'; DROP TABLE timeline; --", '9'.repeat(64)]) {
      await ask(listEvents, { cursor }).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'input_invalid' }),
      );
    }
  });
});

describe('search and neighbours', () => {
  test('a result has the names that scripts rely on; hits are marked', async () => {
    const { ask, source } = weir();
    source.pages = [
      { events: [draft('a.md', { title: 'Alpha', text: 'one\n\nthe weir holds', url: 'file:///a.md#L{line}' })] },
    ];
    await ask(runConnector, { name: 'wiki' });
    const { results } = await ask(searchDocuments, { words: 'weir' });
    expect(results).toMatchObject([
      {
        connector: 'wiki',
        tenant: 'default',
        key: 'a.md',
        title: 'Alpha',
        url: 'file:///a.md#L3',
        line: 3,
        snippet: expect.stringContaining('\u0002weir\u0003'),
        time: TIME,
      },
    ]);
  });

  test('a score tells hits apart even where the library is small', async () => {
    const { ask, source } = weir();
    source.pages = [
      {
        events: [
          draft('a', { title: 'A', text: 'weir weir weir' }),
          draft('b', { title: 'B', text: `weir ${'water '.repeat(200)}` }),
        ],
      },
    ];
    await ask(runConnector, { name: 'wiki' });
    const [first, second] = (await ask(searchDocuments, { words: 'weir' })).results;
    expect(first?.score).toBeGreaterThan(second?.score ?? Number.POSITIVE_INFINITY);
    expect(second?.score).toBeGreaterThan(0);
  });

  test('whatever the words are, the answer is an answer', async () => {
    const { ask } = weir();
    for (const words of HOSTILE_TEXTS.filter((text) => text !== '' && text.length <= 500))
      expect((await ask(searchDocuments, { words })).total).toBe(0);
  });

  test('no words, too many letters and too many results are refused', async () => {
    await refused(searchDocuments, { words: '' }, 'input_invalid', /words/);
    await refused(searchDocuments, { words: 'x'.repeat(501) }, 'input_invalid', /words/);
    await refused(searchDocuments, { words: 'x', limit: 201 }, 'input_invalid', /limit/);
  });

  test('neighbours tells both directions, and a target that is not in the library as the link says it', async () => {
    const { ask, source } = weir();
    const links = [
      { rel: 'links', to: 'b' },
      { rel: 'links', to: 'https://example.com/' },
    ];
    source.pages = [{ events: [draft('a', { title: 'A', links }), draft('b', { title: 'B' })] }];
    await ask(runConnector, { name: 'wiki' });
    expect((await ask(listNeighbours, { connector: 'wiki', key: 'a' })).neighbours).toEqual([
      { direction: 'out', rel: 'links', to: 'b', document: { connector: 'wiki', key: 'b', title: 'B', url: null } },
      { direction: 'out', rel: 'links', to: 'https://example.com/', document: null },
    ]);
    expect((await ask(listNeighbours, { connector: 'wiki', key: 'b' })).neighbours).toMatchObject([
      { direction: 'in', document: { key: 'a' } },
    ]);
    await expect(ask(listNeighbours, { connector: 'wiki', key: 'nosuch' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(ask(listNeighbours, { connector: 'theirs', key: 'a' })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('queue and worker', () => {
  test('stats of an empty queue', async () => {
    const { ask, storage, settle } = weir();
    await settle(storage.log.register('timeline'));
    const { sinks, ...rest } = await ask(getQueueStats);
    expect(rest).toEqual({
      schemaVersion: 1,
      queue_name: 'ingestion:queue',
      size: 0,
      max_size: 10_000,
      usage_pct: 0,
      backpressure: false,
      oldest_age_seconds: null,
      bytes: 0,
      max_bytes: 1e9,
      intake: 'open',
      tenants: [{ tenant: 'default', size: 0, usage_pct: 0, backpressure: false }],
      disk: null,
    });
    expect(sinks.length).toBeGreaterThan(0);
    for (const sink of sinks) expect(sink).toEqual({ name: sink.name, lag: 0, oldest_age_seconds: null });
  });

  test('stats tell a caller of his own tenants only, each against its share (I9)', async () => {
    const { ask, settle, context, storage } = weir({ deliver: false });
    await storage.log.register('timeline');
    const append = (tenant: string, count: number, page = 0) =>
      settle(
        context.log.append({
          events: Array.from({ length: count }, (_, index) =>
            sealEvent({ tenant, connection: 'hook', connector: 'sample', stream: 'pages' }, draft(`${page}-${index}`)),
          ),
        }),
      );
    await append('default', 50);
    for (let page = 0; page < 5; page += 1) await append('other', 1000, page);
    const mine = { tenant: 'default', size: 50, usage_pct: 1, backpressure: false };
    const theirs = { tenant: 'other', size: 5000, usage_pct: 100, backpressure: true };
    expect(await ask(getQueueStats)).toMatchObject({ tenants: [mine], intake: 'open' });
    expect(await ask(getQueueStats, {}, { tenants: ['other'] })).toMatchObject({
      tenants: [theirs],
      intake: 'refusing',
    });
  });

  test('45 of 10000 is 0.45 percent, and peek shows the oldest first', async () => {
    const { ask, settle, context, engine, clock, storage } = weir({ deliver: false });
    await storage.log.register('timeline');
    const events = Array.from({ length: 45 }, (_, index) =>
      sealEvent({ tenant: 'default', connection: 'wiki', connector: 'sample', stream: 'pages' }, draft(`k${index}`)),
    );
    for (const event of events) await settle(context.log.append({ events: [event] }));
    const waitedMs = clock.now() - Date.UTC(2026, 0, 1);
    await clock.advance(60_000 - waitedMs);
    expect(await ask(getQueueStats)).toMatchObject({
      size: 45,
      usage_pct: 0.45,
      backpressure: false,
      sinks: [{ name: 'timeline', lag: 45, oldest_age_seconds: expect.closeTo(58, -1) }],
    });
    const { oldest_age_seconds: age } = await ask(getQueueStats);
    expect(age).toBeGreaterThan(55);
    expect(age).toBeLessThanOrEqual(61);
    expect((await ask(peekQueue, { limit: 3 })).items.map(({ subject }) => subject)).toEqual(['k0', 'k1', 'k2']);
    expect((await ask(peekQueue, {}, { tenants: ['other'] })).items).toEqual([]);
    expect(engine.runsInflight).toBe(0);
  });

  test.for<[number | undefined, boolean, number | null]>([
    [undefined, false, null],
    [0, true, 0],
    [60_000, true, 60],
    [60_001, false, 60],
    [90_040, false, 90],
    [-5000, true, 0],
  ])('a heartbeat %j ms old is alive: %s', async ([ageMs, alive, lag]) => {
    const { ask, clock } = weir();
    const beat = ageMs === undefined ? undefined : { pid: 7, atMs: clock.now() - ageMs, cycle: 1, runsInflight: 2 };
    // The answer is asked for before the clock moves.
    const answer = await ask(getWorkerLag, {}, { heartbeat: () => Promise.resolve(beat) });
    expect(answer).toMatchObject({ alive, lag_seconds: lag, limit_seconds: 60, pid: beat === undefined ? null : 7 });
  });
});
