// The other side misbehaves on purpose. After every case the call has one known fault and no socket is left.

import type { RequestListener } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpRequest } from '#core/http.ts';
import { clientWorld, faultOf, sendJson, startServer, until, type LocalServer } from './fixtures/http-world.ts';
import { createEgressPolicy, type EgressPolicy } from './http-egress.ts';
import { Fault } from '#core/fault.ts';
import type { ResolvedAddress } from './http-agent.ts';

const MIB = 1024 * 1024;
const asked: HttpRequest = { operation: 'list_items', path: '/items' };

let handler: RequestListener;
let server: LocalServer;

beforeEach(async () => {
  server = await startServer((request, response) => handler(request, response));
});
afterEach(() => server.close());

async function outcomeOf(request: Partial<HttpRequest> = {}): Promise<string> {
  const { http } = clientWorld({ baseUrl: server.url });
  const fault = await faultOf(http.request({ ...asked, ...request }));
  await until(() => server.open() === 0);
  return fault.code;
}

describe('bodies', () => {
  test('an endless body ends at the limit', async () => {
    let sent = 0;
    handler = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 0x20))) sent += 64 * 1024;
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    expect(await outcomeOf()).toBe('bad_upstream');
    expect(sent).toBeLessThan(64 * MIB);
  });

  test('a body that announces more than the limit is not read', async () => {
    handler = (_, response) => void response.writeHead(200, { 'content-length': 11 * MIB }).write('[');
    expect(await outcomeOf()).toBe('bad_upstream');
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(64 * MIB))],
    ['br', brotliCompressSync(Buffer.alloc(64 * MIB))],
  ])('a %s bomb of 64 MiB ends at the limit', async (encoding, bomb) => {
    expect(bomb.byteLength).toBeLessThan(MIB);
    handler = (_, response) =>
      void response.writeHead(200, { 'content-encoding': encoding, connection: 'close' }).end(bomb);
    expect(await outcomeOf()).toBe('bad_upstream');
  });

  test('the limit counts compressed bytes as well', async () => {
    const noise = gzipSync(Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 7919) % 251)));
    handler = (_, response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip', connection: 'close' }).end(noise);
    expect(await outcomeOf({ bodyBytesMax: 100, expects: 'bytes' })).toBe('bad_upstream');
  });

  test('compressed JSON within the limits is read, byte for byte at the limit itself', async () => {
    const text = JSON.stringify({ text: 'x'.repeat(1_000) });
    handler = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text));
    const { http } = clientWorld({ baseUrl: server.url });
    expect((await http.request({ ...asked, bodyBytesMax: text.length })).text()).toBe(text);
    expect((await faultOf(http.request({ ...asked, bodyBytesMax: text.length - 1 }))).code).toBe('bad_upstream');
  });

  test.each([
    ['an encoding nobody asked for', { 'content-encoding': 'gzip, gzip' }, 'x'],
    ['broken gzip', { 'content-encoding': 'gzip' }, 'this is no gzip'],
    ['half a gzip', { 'content-encoding': 'gzip' }, gzipSync('{"a":1}').subarray(0, 18)],
    ['an HTML page', { 'content-type': 'text/html; charset=utf-8' }, '<html>Sign in</html>'],
    ['HTML that says it is JSON', { 'content-type': 'application/json' }, '<html>Sign in</html>'],
    ['half a JSON text', {}, '{"a":'],
    ['JSON that is no UTF-8', {}, Buffer.from([0x22, 0xff, 0x22])],
    ['headers beyond the limit', { 'x-long': 'a'.repeat(40 * 1024) }, '{}'],
  ])('%s is bad_upstream', async (_, headers, body) => {
    handler = (_request, response) => void response.writeHead(200, { ...headers, connection: 'close' }).end(body);
    expect(await outcomeOf()).toBe('bad_upstream');
  });

  test('a reset in the middle of a body is an outage', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"a":', () => response.socket?.resetAndDestroy());
    };
    expect(await outcomeOf()).toBe('upstream_unavailable');
  });

  test('what is not HTTP is bad_upstream, a closed port an outage', async () => {
    handler = (_, response) => void response.socket?.end('SSH-2.0-OpenSSH_9\r\n\r\n');
    expect(await outcomeOf()).toBe('bad_upstream');
    const closed = await startServer(() => {});
    await closed.close();
    const { http } = clientWorld({ baseUrl: closed.url });
    expect((await faultOf(http.request(asked))).code).toBe('upstream_unavailable');
  });

  test('a HEAD may announce any length, and an empty answer has no JSON', async () => {
    handler = (request, response) => {
      if (request.method === 'HEAD')
        response.writeHead(200, { 'content-length': 50 * MIB, 'content-encoding': 'gzip' });
      else response.writeHead(204);
      response.end();
    };
    const { http } = clientWorld({ baseUrl: server.url });
    expect((await http.request({ ...asked, method: 'HEAD' })).status).toBe(200);
    const empty = await http.request(asked);
    expect(() => empty.json()).toThrow(/no JSON/);
  });
});

describe('time', () => {
  test.each([
    ['sends no header', () => {}],
    ['sends a byte now and then', (response: { write(text: string): void }) => response.write('[')],
  ] as const)('a server that %s is left at the deadline, with its socket', async (_, begin) => {
    handler = (_request, response) => begin(response);
    const { http, clock, calls } = clientWorld({ baseUrl: server.url, guard: { attemptTimeoutMs: 5_000 } });
    const ended = faultOf(http.request(asked));
    await until(() => server.requests.length === 1);
    await clock.advance(5_001);
    expect((await ended).code).toBe('upstream_timeout');
    expect(calls).toMatchObject([{ durationMs: 5_000, fault: { code: 'upstream_timeout' } }]);
    await until(() => server.open() === 0);
  });
});

describe('streams', () => {
  test('hand over the decompressed pieces and keep to their own limit', async () => {
    const text = 'line\n'.repeat(10_000);
    handler = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text));
    const { http } = clientWorld({ baseUrl: server.url });
    const read = (bodyBytesMax: number): Promise<number> =>
      http.stream({ ...asked, bodyBytesMax }, async ({ body }) => {
        let bytes = 0;
        for await (const piece of body) bytes += piece.byteLength;
        return bytes;
      });
    expect(await read(text.length)).toBe(text.length);
    expect((await faultOf(read(text.length - 1))).code).toBe('bad_upstream');
  });

  test.each([
    ['left early', async (body: AsyncIterable<Uint8Array>) => void (await body[Symbol.asyncIterator]().next())],
    ['never read', () => Promise.resolve()],
  ])('a stream that is %s leaves no socket', async (_, consume) => {
    handler = (_request, response) => void response.writeHead(200).write('x');
    const { http } = clientWorld({ baseUrl: server.url });
    await http.stream(asked, ({ body }) => consume(body));
    await until(() => server.open() === 0);
  });
});

describe('names that lie', () => {
  const publicOnly = createEgressPolicy({ connection: 'sample', allowPrivateAddresses: false });
  const worldOf = (answers: readonly (readonly string[])[], egress: EgressPolicy) => {
    let asks = 0;
    const resolve = (): Promise<readonly ResolvedAddress[]> => {
      const addresses = answers[Math.min(asks, answers.length - 1)] ?? [];
      asks += 1;
      return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    };
    return { ...clientWorld({ baseUrl: `http://rebind.example:${server.port}`, resolve, egress }), asks: () => asks };
  };
  /** Stands in for the Internet: 127.0.0.2 counts as public, all else on this machine as private. */
  const loopbackWorld: EgressPolicy = {
    checkUrl: (text) => new URL(text),
    checkAddress(address) {
      if (address !== '127.0.0.2') throw new Fault('egress_blocked', `sample may not call ${address}`);
    },
  };

  test.each([
    [['127.0.0.1']],
    [['93.184.216.34', '127.0.0.1']],
    [['::ffff:127.0.0.1']],
    [['::1']],
    [['169.254.169.254']],
  ])('a name that resolves to %j is never connected to', async (addresses) => {
    handler = (_, response) => sendJson(response, {});
    const egress = { ...publicOnly, checkUrl: (text: string) => new URL(text) };
    const { http } = worldOf([addresses], egress);
    expect((await faultOf(http.request(asked))).code).toBe('egress_blocked');
    expect(server.accepted()).toBe(0);
  });

  test('a name that turns from public to private after the first answer is not followed there', async () => {
    const good = await startServer(
      (_, response) => sendJson(response, {}, { connection: 'close' }),
      '127.0.0.2',
      server.port,
    );
    const { http, asks, calls, guard } = worldOf([['127.0.0.2'], ['127.0.0.1']], loopbackWorld);
    await http.request(asked);
    expect([good.accepted(), asks()]).toEqual([1, 1]); // one resolution per connect: what was checked is what is used
    expect((await faultOf(http.request(asked))).code).toBe('egress_blocked');
    expect([good.accepted(), server.accepted()]).toEqual([1, 0]);
    expect(calls.at(-1)?.fault?.code).toBe('egress_blocked');
    expect(guard.stats().circuit).toBe('closed');
    await good.close();
  });

  test('the address that was connected to is asked again: a policy that changed its mind sends nothing', async () => {
    let looks = 0;
    const fickle: EgressPolicy = {
      checkUrl: (text) => new URL(text),
      checkAddress() {
        looks += 1;
        if (looks > 1) throw new Fault('egress_blocked', 'sample may not call it');
      },
    };
    const { http } = worldOf([['127.0.0.1']], fickle);
    expect((await faultOf(http.request(asked))).code).toBe('egress_blocked');
    expect([looks, server.requests.length]).toEqual([2, 0]);
  });

  test('a name without addresses is an outage', async () => {
    const { http } = worldOf([[]], loopbackWorld);
    expect((await faultOf(http.request(asked))).code).toBe('upstream_unavailable');
  });
});
