import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpRequest } from '#core/http.ts';
import { clientWorld, faultOf, sendJson, startServer, until, type LocalServer } from './fixtures/http-world.ts';
import { REDIRECTS_MAX } from './http-transport.ts';

let home: LocalServer;
let other: LocalServer;
let handler: RequestListener;

beforeEach(async () => {
  home = await startServer((request, response) => handler(request, response));
  other = await startServer((_, response) => sendJson(response, { from: 'other' }));
});
afterEach(() => Promise.all([home.close(), other.close()]));

/** `/hop/n` leads through n redirects to `/end`. */
const hops: RequestListener = (request, response) => {
  const left = Number(/^\/hop\/(\d+)$/.exec(request.url ?? '')?.[1] ?? 0);
  if (left === 0) sendJson(response, { from: 'home' });
  else response.writeHead(302, { location: left === 1 ? '/end' : `/hop/${left - 1}` }).end('moved');
};

function ask(request: Partial<HttpRequest>): ReturnType<ReturnType<typeof clientWorld>['http']['request']> {
  const { http } = clientWorld({
    baseUrl: home.url,
    credentials: { token: 'tok_live_1' },
    profile: { authorize: ({ credentials }) => ({ authorization: credentials['token'] ?? '' }) },
  });
  return http.request({ operation: 'get_x', path: '/x', headers: { 'x-api-key': 'k' }, ...request });
}

describe('redirects', () => {
  test('are not followed unless the request says so', async () => {
    handler = hops;
    expect((await faultOf(ask({ path: '/hop/1' }))).code).toBe('bad_upstream');
    expect(home.requests).toHaveLength(1);
  });

  test('are followed three times and never four, with credentials inside the origin', async () => {
    handler = hops;
    expect((await ask({ path: `/hop/${REDIRECTS_MAX}`, redirectsMax: 99 })).json()).toEqual({ from: 'home' });
    expect(home.requests.every(({ headers }) => headers.authorization === 'tok_live_1')).toBe(true);
    expect((await faultOf(ask({ path: `/hop/${REDIRECTS_MAX + 1}`, redirectsMax: 99 }))).code).toBe('bad_upstream');
  });

  test('to another origin lose everything that could prove who asks', async () => {
    handler = (_, response) => void response.writeHead(307, { location: `${other.url}/file` }).end();
    const answer = await ask({ redirectsMax: 1 });
    expect([answer.json(), answer.url]).toEqual([{ from: 'other' }, `${other.url}/file`]);
    expect(home.requests[0]?.headers).toMatchObject({ authorization: 'tok_live_1', 'x-api-key': 'k' });
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
    expect(other.requests[0]?.headers['x-api-key']).toBeUndefined();
    expect(other.requests[0]?.headers['x-request-id']).toBeUndefined();
  });

  test.each([
    ['http://169.254.169.254/latest/meta-data/', 'egress_blocked'],
    ['http://[::ffff:a9fe:a9fe]/', 'egress_blocked'],
    ['http://127.0.0.1:6379/', 'egress_blocked'],
    ['file:///etc/passwd', 'egress_blocked'],
    ['http://', 'bad_upstream'],
  ])('to %s are %s, followed or not', async (location, code) => {
    handler = (_, response) => void response.writeHead(302, { location }).end();
    expect((await faultOf(ask({ redirectsMax: 3 }))).code).toBe(code);
    expect((await faultOf(ask({}))).code).toBe(code);
    expect(home.requests).toHaveLength(2);
  });

  test('without a location are bad_upstream, and of a write they are never followed', async () => {
    handler = (request, response) =>
      void response.writeHead(308, request.method === 'POST' ? { location: '/end' } : {}).end();
    expect((await faultOf(ask({ redirectsMax: 3 }))).code).toBe('bad_upstream');
    expect((await faultOf(ask({ redirectsMax: 3, method: 'POST', json: {} }))).code).toBe('bad_upstream');
    expect(home.requests).toHaveLength(2);
  });

  test('leave no socket behind when their own bodies never end', async () => {
    handler = (request, response) => {
      if (request.url === '/end') sendJson(response, {}, { connection: 'close' });
      else response.writeHead(302, { location: '/end' }).write('x');
    };
    await ask({ redirectsMax: 1 });
    await until(() => home.open() === 0);
  });
});
