import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import { clientWorld, faultOf, sendJson, startServer, type LocalServer } from './fixtures/http-world.ts';
import { HTTP_STATUS_FAULTS } from './http-faults.ts';

const servers: LocalServer[] = [];
const SECRET = 'tok_live_5b1e0c2f9d';

async function serve(handler: RequestListener): Promise<LocalServer> {
  const server = await startServer(handler);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const authorize = ({ credentials }: { readonly credentials: Readonly<Record<string, string>> }) => ({
  Authorization: `Bearer ${credentials['token'] ?? ''}`,
});

describe('a request', () => {
  test('goes below the base URL with query, headers, credentials, request id and trace context, and is recorded', async () => {
    const server = await serve((_, response) => sendJson(response, { ok: true }, { 'set-cookie': 'a=1' }));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { http, calls } = clientWorld({
      baseUrl: `${server.url}/api/v3/`,
      credentials: { token: SECRET },
      profile: { authorize, headers: { 'X-Version': '7' } },
      traceparent,
    });
    const query = { page: 2, state: 'open', none: undefined };
    const answer = await http.request({ operation: 'list_issues', path: '/issues?sort=asc', query });

    expect(answer.json(z.object({ ok: z.boolean() }))).toEqual({ ok: true });
    expect(answer.headers.has('set-cookie')).toBe(false);
    const [asked] = server.requests;
    expect(asked?.url).toBe('/api/v3/issues?sort=asc&page=2&state=open');
    expect(asked?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, 'x-version': '7', traceparent });
    expect(asked?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(calls).toMatchObject([{ operation: 'list_issues' }]);
    expect(calls[0]?.fault).toBeUndefined();
    for (let more = 0; more < 8; more += 1) await http.request({ operation: 'list_issues', path: '/issues' });
    expect(server.requests[1]?.headers.cookie).toBeUndefined();
    expect(server.accepted()).toBeLessThanOrEqual(2); // kept alive; the library opens a second one now and then
  });

  test('of a path that climbs out of the base path or the host is never sent', async () => {
    const server = await serve((_, response) => sendJson(response, {}));
    const { http } = clientWorld({ baseUrl: `${server.url}/api/v3` });
    for (const path of ['/../../admin', '/%2e%2e/admin', '..', '/..\\x', '/a b'])
      expect((await faultOf(http.request({ operation: 'get_x', path }))).code).toBe('egress_blocked');
    expect(server.requests).toHaveLength(0);
    for (const path of ['@evil.example/', '.evil.example/', '//evil.example/x'])
      await http.request({ operation: 'get_x', path });
    expect(server.requests.every(({ url }) => url?.startsWith('/api/v3/'))).toBe(true);
  });

  test('to another origin is refused, unless it is anonymous: then no credentials go there', async () => {
    const home = await serve((_, response) => sendJson(response, {}));
    const other = await serve((_, response) => sendJson(response, {}));
    const { http } = clientWorld({ baseUrl: home.url, credentials: { token: SECRET }, profile: { authorize } });
    const path = `${other.url}/file`;
    expect((await faultOf(http.request({ operation: 'get_file', path }))).code).toBe('bad_upstream');
    expect(other.accepted()).toBe(0);
    await http.request({ operation: 'get_file', path, anonymous: true });
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });

  test('without any base URL says which setting is missing', async () => {
    const fault = await faultOf(clientWorld({}).http.request({ operation: 'get_x', path: '/x' }));
    expect(fault).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('base_url') });
  });

  test('is repeated by the guard when it reads, and never when it writes', async () => {
    const server = await serve((_, response) => sendJson(response, {}, {}, 500));
    const { http, clock } = clientWorld({ baseUrl: server.url, guard: { retry: { attemptsMax: 3 } } });
    const written = await faultOf(http.request({ operation: 'write_x', path: '/x', method: 'POST', json: { a: 1 } }));
    expect([written.code, server.requests.length]).toEqual(['upstream_unavailable', 1]);
    const reading = faultOf(http.request({ operation: 'read_x', path: '/x' }));
    let ended = false;
    void reading.then(() => (ended = true));
    while (!ended) await clock.advance(1_000);
    expect(server.requests).toHaveLength(4);
  });

  test('that its run stopped is cancelled and lets go of its socket', async () => {
    const stop = new AbortController();
    const server = await serve(() => stop.abort());
    const { http } = clientWorld({ baseUrl: server.url, signal: stop.signal });
    expect((await faultOf(http.request({ operation: 'get_x', path: '/x' }))).code).toBe('cancelled');
    await expect.poll(() => server.open()).toBe(0);
  });
});

describe('what a status means', () => {
  const CASES: readonly [number, string][] = [
    ...Object.entries(HTTP_STATUS_FAULTS).map(([status, code]): [number, string] => [Number(status), code]),
    [400, 'bad_upstream'],
    [409, 'bad_upstream'],
    [418, 'bad_upstream'],
    [500, 'upstream_unavailable'],
    [503, 'upstream_unavailable'],
    [599, 'upstream_unavailable'],
  ];
  test.each(CASES)('%i is %s', async (status, code) => {
    const server = await serve((_, response) => sendJson(response, { message: 'no' }, {}, status));
    const { http, calls } = clientWorld({ baseUrl: server.url, credentials: { token: SECRET } });
    const fault = await faultOf(http.request({ operation: 'get_x', path: '/x' }));
    expect([fault.code, calls[0]?.fault?.code]).toEqual([code, code]);
  });

  test('a refused write is the fault of its record; a 401 without any credential says that it is missing', async () => {
    const server = await serve((request, response) =>
      sendJson(response, {}, {}, request.method === 'POST' ? 422 : 401),
    );
    const { http } = clientWorld({ baseUrl: server.url });
    const write = http.request({ operation: 'write_x', path: '/x', method: 'POST', json: 1 });
    expect((await faultOf(write)).code).toBe('record_invalid');
    expect((await faultOf(http.request({ operation: 'read_x', path: '/x' }))).code).toBe('credential_missing');
  });

  test('a connector overrides the table, also for an error inside a 200', async () => {
    const server = await serve((request, response) =>
      sendJson(response, { ok: false, error: 'invalid_auth' }, {}, request.url === '/200' ? 200 : 400),
    );
    const toFault = (_: number, body: unknown): Fault | undefined =>
      z.object({ error: z.literal('invalid_auth') }).safeParse(body).success
        ? new Fault('credential_rejected', `it was refused: ${SECRET}`)
        : undefined;
    const { http } = clientWorld({ baseUrl: server.url, credentials: { token: SECRET }, profile: { toFault } });
    for (const path of ['/200', '/400']) {
      const fault = await faultOf(http.request({ operation: 'get_x', path }));
      expect(fault.code).toBe('credential_rejected');
      expect(fault.message).not.toContain(SECRET);
    }
  });

  test('an accepted status is an answer', async () => {
    const server = await serve((_, response) => sendJson(response, { gone: true }, {}, 404));
    const { http } = clientWorld({ baseUrl: server.url });
    const answer = await http.request({ operation: 'get_x', path: '/x', acceptStatuses: [404] });
    expect([answer.status, answer.json()]).toEqual([404, { gone: true }]);
  });

  test('JSON of another shape names the place and never the value', async () => {
    const server = await serve((_, response) => sendJson(response, { items: [{ id: SECRET }] }));
    const { http } = clientWorld({ baseUrl: server.url });
    const answer = await http.request({ operation: 'get_x', path: '/x' });
    expect(() => answer.json(z.object({ items: z.array(z.object({ id: z.number() })) }))).toThrow(/items\[0\]\.id/);
    expect(() => answer.json(z.object({ items: z.array(z.object({ id: z.number() })) }))).not.toThrow(SECRET);
  });
});

describe('limits that answers state', () => {
  test.each([
    ['seconds', 429, { 'retry-after': '7' }],
    ['a date', 429, { 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }],
    ['a window', 429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '7', 'x-ratelimit-limit': '60' }],
    ['a 403 for a secondary limit', 403, { 'retry-after': '7' }],
  ] as const)('%s: the call waits as long, and so does the next one', async (_, status, headers) => {
    const server = await serve((request, response) =>
      request.url === '/first' ? sendJson(response, {}, headers, status) : sendJson(response, {}),
    );
    const { http, clock } = clientWorld({ baseUrl: server.url });
    const fault = await faultOf(http.request({ operation: 'get_x', path: '/first' }));
    expect([fault.code, fault.retryAtMs]).toEqual(['rate_limited', clock.now() + 7_000]);
    const next = http.request({ operation: 'get_x', path: '/next' });
    await clock.advance(6_900);
    expect(server.requests).toHaveLength(1);
    await clock.advance(5_000);
    await next;
    expect(server.requests).toHaveLength(2);
  });

  test('a Retry-After of centuries is cut and carried by the fault', async () => {
    const server = await serve((_, response) => sendJson(response, {}, { 'retry-after': '9999999999' }, 503));
    const { http, clock } = clientWorld({ baseUrl: server.url });
    const fault = await faultOf(http.request({ operation: 'get_x', path: '/x' }));
    expect([fault.code, fault.retryAtMs]).toEqual(['upstream_unavailable', clock.now() + 3_600_000]);
  });

  test('a success that says nothing is left holds the next call back', async () => {
    const server = await serve((_, response) => sendJson(response, {}, { ratelimit: '"default";r=0;t=600' }));
    const { http } = clientWorld({ baseUrl: server.url });
    await http.request({ operation: 'get_x', path: '/x' });
    expect((await faultOf(http.request({ operation: 'get_x', path: '/x' }))).code).toBe('rate_limited');
    expect(server.requests).toHaveLength(1);
  });
});

describe('credentials', () => {
  test('that no header can carry end in a fault that does not show them', async () => {
    const server = await serve((_, response) => sendJson(response, {}));
    const { http, calls } = clientWorld({
      baseUrl: server.url,
      credentials: { token: `${SECRET}\r\nx: y` },
      profile: { authorize },
    });
    const fault = await faultOf(http.request({ operation: 'get_x', path: '/x' }));
    expect(fault.code).toBe('internal');
    expect(JSON.stringify([fault, calls, fault.message, String(fault.cause), fault.stack])).not.toContain(SECRET);
    expect(server.requests).toHaveLength(0);
  });

  test('echoed by the other side appear in no message', async () => {
    const server = await serve((request, response) => {
      response.writeHead(302, { location: `http://user:${request.headers.authorization?.slice(7)}@127.0.0.1/` });
      response.end();
    });
    const { http } = clientWorld({ baseUrl: server.url, credentials: { token: SECRET }, profile: { authorize } });
    const fault = await faultOf(http.request({ operation: 'get_x', path: `/x?token=${SECRET}` }));
    expect(fault.code).toBe('egress_blocked');
    expect(`${fault.message} ${fault.stack}`).not.toContain(SECRET);
  });
});
