import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_LIMITS } from '#core/event.ts';
import { scriptedSink } from '#operations/fixtures/scripted-sink.ts';
import { OPERATIONS } from '#operations/registry.ts';
import { runWeir, send, type RunningWeir } from './fixtures/running-weir.ts';

let weir: RunningWeir;
beforeAll(async () => {
  weir = await runWeir({ sinks: [scriptedSink('crm').binding] });
  weir.source.add(
    {
      key: 'a.md',
      title: 'Weirs',
      text: 'A weir raises the river',
      url: 'file:///a.md#L{line}',
      links: [{ rel: 'links', to: 'b.md' }],
    },
    { key: 'b.md', title: 'Rivers', text: 'Rivers flow', severity: 'high', tags: ['water'] },
    { key: 'c.md', title: 'poison' }, // refused by the sink crm: the first dead letter
  );
  await weir.pull();
  await weir.settle(weir.storage.log.register('left', 'newest')); // of a sink that is configured no more
});
afterAll(() => weir.close());

const EXAMPLES: Readonly<Record<string, { readonly path: string; readonly body?: unknown }>> = {
  'connectors.list': { path: '/api/v1/connectors' },
  'connectors.drill': { path: '/api/v1/connectors/wiki' },
  'connectors.run': { path: '/api/v1/connectors/wiki/runs', body: { stream: 'pages' } },
  'connectors.check': { path: '/api/v1/check', body: {} },
  'documents.search': { path: '/api/v1/search?words=river&limit=5' },
  'documents.neighbours': { path: '/api/v1/neighbours?connector=wiki&key=a.md' },
  'events.list': { path: '/api/v1/events?severity=high' },
  'queue.stats': { path: '/api/v1/queue' },
  'queue.peek': { path: '/api/v1/queue/peek' },
  'dlq.list': { path: '/api/v1/dead-letters?sink=crm&class=sink&limit=5' },
  'dlq.groups': { path: '/api/v1/dead-letters/groups' },
  'dlq.show': { path: '/api/v1/dead-letters/1' },
  'dlq.replay': { path: '/api/v1/dead-letter-replays', body: { all: true, dry_run: true } },
  'dlq.edit': { path: '/api/v1/dead-letters/1/edit', body: { reset: true } },
  'dlq.discard': { path: '/api/v1/dead-letter-discards', body: { ids: [1], dry_run: true } },
  'dlq.export': { path: '/api/v1/dead-letters/export' },
  'sinks.list': { path: '/api/v1/sinks' },
  'sinks.resume': { path: '/api/v1/sinks/crm/resume', body: {} },
  'sinks.reread': { path: '/api/v1/sinks/crm/reread', body: { from: 'oldest', dry_run: true } },
  'sinks.remove': { path: '/api/v1/sinks/left/remove', body: { dry_run: true } },
  'worker.lag': { path: '/api/v1/worker' },
  'connectors.reset_circuit': { path: '/api/v1/connectors/wiki/circuit/reset', body: {} },
  'alerts.list': { path: '/api/v1/alerts' },
  'alerts.silence': { path: '/api/v1/alerts/silences', body: { reason: 'a test' } },
};

describe('every operation', () => {
  test.for(OPERATIONS.map((operation) => [operation.name, operation] as const))(
    '%s answers exactly what its output schema describes',
    async ([name, operation]) => {
      const { path = '', body } = EXAMPLES[name] ?? {};
      const answer = body === undefined ? await weir.ask(path) : await weir.post(path, body);
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(answer.headers['cache-control']).toBe('no-store');
      // A member that the schema does not have would be missing from what it parses to.
      expect(operation.output.parse(answer.json)).toEqual(answer.json);
    },
  );

  test('a search finds the document, with the line of its hit', async () => {
    const { json } = await weir.ask('/api/v1/search?words=raises%20river');
    expect(json).toMatchObject({
      total: 1,
      results: [{ connector: 'wiki', key: 'a.md', line: 1, url: 'file:///a.md#L1' }],
    });
  });
});

describe('input', () => {
  test.for([
    ['a member of the query that is not known', '/api/v1/queue?x=1', '/'],
    ['a number out of bounds', '/api/v1/search?words=a&limit=100000', '/limit'],
    ['a member given twice', '/api/v1/search?words=a&words=b', '/words'],
    ['a missing member', '/api/v1/search', '/words'],
    ['a number of a dead letter that is none', '/api/v1/dead-letters/one', '/id'],
    ['a class that does not exist', '/api/v1/dead-letters?class=nosuch', '/class'],
    ['a member of the path given again in the query', '/api/v1/connectors/wiki?name=other', '/name'],
    ['a cursor nobody has given out', '/api/v1/events?cursor=x', undefined],
    ['a time that is none', '/api/v1/events?since=yesterday', undefined],
  ])('%s is 422', async ([, path, pointer]) => {
    const { status, json } = await weir.ask(path ?? '');
    expect(status).toBe(422);
    expect(json).toMatchObject({ code: 'input_invalid', ...(pointer === undefined ? {} : { errors: [{ pointer }] }) });
  });

  test.for([
    [null],
    ['text'],
    [[]],
    [{ name: 'other' }],
    [{ tenant: 'someone-else' }],
    [{ accept_deletes: 'yes' }],
    [JSON.parse('{"role":"admin"}')],
  ])('the body %j is 422', async ([body]) => {
    expect(await weir.post('/api/v1/connectors/wiki/runs', body)).toMatchObject({
      status: 422,
      json: { code: 'input_invalid' },
    });
  });

  test('a body that would change the prototype of objects is refused', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await weir.ask('/api/v1/check', { method: 'POST', headers, body: '{"__proto__":{"admin":true}}' });
    expect(answer).toMatchObject({ status: 400, json: { code: 'body_malformed' } });
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  test("another tenant's connector is answered like one that does not exist", async () => {
    const theirs = await weir.ask('/api/v1/connectors/other');
    const nobodys = await weir.ask('/api/v1/connectors/absent');
    expect([theirs.status, nobodys.status]).toEqual([404, 404]);
    expect((await weir.ask('/api/v1/connectors')).text).not.toContain('someone-else');
  });

  test('a role or tenant named in a header changes nothing', async () => {
    const headers = {
      'x-tenant-id': 'someone-else',
      'x-user-role': 'admin',
      'x-http-method-override': 'POST',
      'x-forwarded-host': 'evil.example',
    };
    expect((await weir.ask('/api/v1/connectors', { headers })).text).toBe((await weir.ask('/api/v1/connectors')).text);
  });
});

describe('dead letters', () => {
  test('a letter that is not there is 404, a raw selection of nothing 422', async () => {
    expect(await weir.ask('/api/v1/dead-letters/999')).toMatchObject({ status: 404, json: { code: 'not_found' } });
    expect(await weir.post('/api/v1/dead-letter-discards', {})).toMatchObject({ status: 422 });
  });

  test('an edit names each field that may not change, and may be as large as an event, larger than other bodies', async () => {
    const { json } = await weir.ask('/api/v1/dead-letters/1');
    const { payload } = json as { payload: object };
    const changed = await weir.post('/api/v1/dead-letters/1/edit', {
      payload: { ...payload, key: 'a.md', version: 99 },
    });
    expect(changed).toMatchObject({
      status: 422,
      json: { errors: [{ pointer: '/payload/key' }, { pointer: '/payload/version' }] },
    });
    const data = 'x'.repeat(3 * 1024 * 1024);
    expect(await weir.post('/api/v1/dead-letters/1/edit', { payload: { ...payload, data } })).toMatchObject({
      status: 200,
      json: { edited: true },
    });
    const tooLarge = 'x'.repeat(2 * EVENT_LIMITS.payloadBytesMax);
    const refused = await weir.post('/api/v1/dead-letters/1/edit', { payload: { ...payload, data: tooLarge } });
    expect(refused).toMatchObject({
      status: 413,
      json: { code: 'body_too_large', hint: expect.stringMatching(/4\d{6} bytes/) },
    });
    expect((await weir.post('/api/v1/dead-letter-discards', { ids: [1], x: data })).status).toBe(413);
  });
});

test('a client that goes away aborts the run it asked for, and what was durable stays', async () => {
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  weir.source.onPull = (signal) => {
    started.resolve();
    signal.addEventListener('abort', () => aborted.resolve(), { once: true });
    return aborted.promise;
  };
  const { request } = await import('node:http');
  const asked = request({
    host: '127.0.0.1',
    port: weir.running.port,
    path: '/api/v1/connectors/wiki/runs',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  asked.on('error', () => {});
  asked.end('{}');
  await weir.settle(started.promise);
  asked.destroy();
  await weir.settle(aborted.promise);
  weir.source.onPull = () => Promise.resolve();
  await weir.until(() => weir.logged.some(({ extra }) => extra['client_gone'] === true));
  expect(await weir.ask('/api/v1/search?words=river')).toMatchObject({ status: 200, json: { total: 1 } });
});

test('a run answers although it takes longer than a request may take to arrive', async () => {
  const held = Promise.withResolvers<void>();
  const slow = await runWeir({ server: { requestTimeoutMs: 60, headersTimeoutMs: 50, timeoutCheckMs: 20 } });
  slow.source.onPull = () => held.promise;
  const answer = send(slow.running, '/api/v1/connectors/wiki/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const before = performance.now();
  await slow.until(() => performance.now() - before > 200, 0);
  held.resolve();
  expect(await slow.settle(answer)).toMatchObject({ status: 200, json: { result: 'succeeded' } });
  await slow.close();
});
