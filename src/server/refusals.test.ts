import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import type { Operation } from '#operations/operation.ts';
import { runWeir, type AskOptions, type RunningWeir } from './fixtures/running-weir.ts';
import { ProblemSchema } from './problem.ts';
import { SERVER_LIMITS } from './server-limits.ts';

const SECRET = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz';

const broken: Operation = {
  name: 'test.broken',
  title: 'throws what the query asks for',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/broken' },
  input: z.strictObject({ how: z.string() }),
  output: z.object({}),
  run(_, input) {
    const { how } = z.object({ how: z.string() }).parse(input);
    if (how === 'unknown') throw new Error(`cannot read ${SECRET}`);
    if (how === 'text') throw Object.assign(new Error('a string was thrown'), { statusCode: 'no number' });
    if (how === 'later') throw new Fault('log_full', 'the log holds 10000 of 10000 events');
    throw new Fault('rate_limited', 'too much', { retryAtMs: Date.UTC(2026, 0, 1) + 3_600_000 });
  },
};

let weir: RunningWeir;
beforeAll(
  async () =>
    (weir = await runWeir({
      change: { operations: [broken, ...(await import('#operations/registry.ts')).OPERATIONS] },
    })),
);
afterAll(() => weir.close());

const json = { 'content-type': 'application/json' };
const CASES: readonly [what: string, path: string, options: AskOptions, status: number, code: string | undefined][] = [
  ['a path that does not exist', '/nope', {}, 404, 'route_unknown'],
  [
    'the same with a body of any kind',
    '/nope',
    { method: 'POST', headers: { 'content-type': 'x/y' }, body: 'x' },
    404,
    'route_unknown',
  ],
  ['an unknown connector', '/api/v1/connectors/nope', {}, 404, 'not_found'],
  ['another method', '/api/v1/queue', { method: 'DELETE' }, 405, 'method_unknown'],
  ['another method on a path with members', '/api/v1/connectors/wiki/runs', {}, 405, 'method_unknown'],
  ['a method nobody knows', '/api/v1/queue', { method: 'PROPFIND' }, 405, 'method_unknown'],
  ['OPTIONS', '/api/v1/queue', { method: 'OPTIONS' }, 405, 'method_unknown'],
  [
    'a body that is too large',
    '/api/v1/check',
    { method: 'POST', headers: json, body: `"${'x'.repeat(SERVER_LIMITS.bodyBytesMax)}"` },
    413,
    'body_too_large',
  ],
  ['a body without a type', '/api/v1/check', { method: 'POST' }, 415, 'media_type_unsupported'],
  [
    'a form',
    '/api/v1/check',
    { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' },
    415,
    'media_type_unsupported',
  ],
  [
    'JSON sent as text',
    '/api/v1/check',
    { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' },
    415,
    'media_type_unsupported',
  ],
  [
    'a type that only begins like JSON',
    '/api/v1/check',
    { method: 'POST', headers: { 'content-type': 'application/jsonp' }, body: '{}' },
    415,
    'media_type_unsupported',
  ],
  [
    'a compressed body',
    '/api/v1/check',
    { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: '{}' },
    415,
    'media_type_unsupported',
  ],
  ['a body that is not JSON', '/api/v1/check', { method: 'POST', headers: json, body: '{' }, 400, 'body_malformed'],
  ['an empty body', '/api/v1/check', { method: 'POST', headers: json }, 400, 'body_malformed'],
  ['a path that cannot be decoded', '/api/v1/connectors/%zz', {}, 400, undefined],
  ['a GET with a body', '/api/v1/queue', { headers: { 'content-length': '2' }, body: '{}' }, 400, undefined],
  ['a path member without end', `/api/v1/connectors/${'x'.repeat(2000)}`, {}, 414, undefined],
  [
    'headers without end',
    '/livez',
    { headers: { 'x-long': 'x'.repeat(SERVER_LIMITS.headerBytesMax) } },
    431,
    undefined,
  ],
  ['metrics members', '/metrics?name=x', {}, 422, 'input_invalid'],
  ['a defect', '/api/v1/broken?how=unknown', {}, 500, 'internal'],
  ['a defect that looks like a library error', '/api/v1/broken?how=text', {}, 500, 'internal'],
  ['a full log', '/api/v1/broken?how=later', {}, 503, 'log_full'],
  ['a limit that ends at a known time', '/api/v1/broken?how=at', {}, 429, 'rate_limited'],
];

describe('a problem document', () => {
  test.for(CASES)('%s: is answered in one shape', async ([, path, options, status, code]) => {
    const answer = await weir.ask(path, options);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    const problem = ProblemSchema.strict().parse(answer.json);
    expect(problem).toMatchObject({ status, type: code === undefined ? 'about:blank' : `/docs/faults#${code}` });
    expect(problem.code).toBe(code);
    expect(problem.request_id).toBe(answer.headers['x-request-id']);
  });

  test('405 names the methods there are', async () => {
    expect((await weir.ask('/api/v1/queue', { method: 'PUT' })).headers.allow).toBe('GET, HEAD');
    expect((await weir.ask('/api/v1/connectors/wiki/runs', { method: 'PUT' })).headers.allow).toBe('POST');
    expect((await weir.ask('/api/v1/stream', { method: 'HEAD' })).headers.allow).toBe('GET');
  });

  test('429 and 503 say when to come back', async () => {
    expect((await weir.ask('/api/v1/broken?how=later')).headers['retry-after']).toBe(
      String(SERVER_LIMITS.retryAfterSeconds),
    );
    const left = Number((await weir.ask('/api/v1/broken?how=at')).headers['retry-after']);
    expect(left).toBeGreaterThan(3500);
    expect(left).toBeLessThanOrEqual(3600);
  });

  test('a defect shows neither message nor stack, and is in the log under its request id', async () => {
    const answer = await weir.ask('/api/v1/broken?how=unknown', { headers: { 'x-request-id': 'find-me' } });
    expect(answer.text).not.toMatch(/ghp_|cannot read|\.ts|node_modules/);
    const line = weir.logged.find(({ level, extra }) => level === 'error' && extra['request_id'] === 'find-me');
    expect(line?.extra['stack']).toContain('refusals.test.ts');
    expect(JSON.stringify(weir.logged)).not.toContain(SECRET);
  });

  test('every problem lists at most so many findings, each of bounded length', async () => {
    const body = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`member-${index}`, index]));
    const { text, status } = await weir.post('/api/v1/check', body);
    expect(status).toBe(422);
    expect(text.length).toBeLessThan(5_000);
  });

  test('the page that types lead to has an entry for each code', async () => {
    const { text, headers } = await weir.ask('/docs/faults');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    for (const code of ['internal', 'route_unknown', 'log_full']) expect(text).toContain(`id="${code}"`);
  });
});
