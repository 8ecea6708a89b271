import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HttpRequest } from '#core/http.ts';
import { clientWorld, faultOf, sendJson, startServer, type LocalServer } from './fixtures/http-world.ts';
import { ConditionalCache, CONDITIONAL_LIMITS } from './http-conditional.ts';

let server: LocalServer;
let handler: RequestListener;

beforeEach(async () => {
  server = await startServer((request, response) => handler(request, response));
});
afterEach(() => server.close());

const asked: HttpRequest = { operation: 'list_items', path: '/items', conditional: 'items' };
const LAST_MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';
const tagged: RequestListener = (request, response) => {
  if (request.headers['if-none-match'] === '"v1"') response.writeHead(304, { etag: '"v1"' }).end();
  else sendJson(response, [1], { etag: '"v1"', 'last-modified': LAST_MODIFIED });
};

test('an unchanged answer is told by 304 once the first one was kept, and only to the stream that kept it', async () => {
  handler = tagged;
  const { http } = clientWorld({ baseUrl: server.url });
  const answer = await http.request(asked);
  answer.keepValidators();
  const again = await http.request(asked);
  expect([again.notModified, again.status]).toEqual([true, 304]);
  expect(server.requests[1]?.headers['if-modified-since']).toBe(LAST_MODIFIED);
  expect(() => again.json()).toThrow(/no JSON/);
  again.keepValidators();
  expect((await http.request(asked)).notModified).toBe(true);
  expect((await http.request({ ...asked, conditional: 'others' })).notModified).toBe(false);
  expect((await http.request({ ...asked, query: { page: 2 } })).notModified).toBe(false);
  expect(server.accepted()).toBeLessThanOrEqual(2);
});

test('an answer that was not kept is asked for in full again: its page may never have become durable', async () => {
  handler = tagged;
  const { http } = clientWorld({ baseUrl: server.url });
  await http.request(asked);
  expect((await http.request(asked)).notModified).toBe(false);
});

test('a 304 nobody asked for is bad_upstream', async () => {
  handler = (_, response) => void response.writeHead(304).end();
  const { http } = clientWorld({ baseUrl: server.url });
  expect((await faultOf(http.request({ operation: 'list_items', path: '/items' }))).code).toBe('bad_upstream');
  expect((await faultOf(http.request(asked))).code).toBe('bad_upstream');
});

test('beyond its limit the entry used longest ago is forgotten, and a long ETag is never kept', () => {
  const cache = new ConditionalCache(2);
  const etag = (value: string): ReadonlyMap<string, string> => new Map([['etag', value]]);
  cache.keep('s', '/a', etag('a'));
  cache.keep('s', '/b', etag('b'));
  cache.headersFor('s', '/a');
  cache.keep('s', '/c', etag('c'));
  expect(cache.size).toBe(2);
  expect(cache.headersFor('s', '/a')).toEqual({ 'if-none-match': 'a' });
  expect(cache.headersFor('s', '/b')).toEqual({});
  cache.keep('s', '/a', etag('x'.repeat(CONDITIONAL_LIMITS.validatorCharsMax + 1)));
  expect(cache.headersFor('s', '/a')).toEqual({});
});
