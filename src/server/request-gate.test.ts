import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runWeir, sendRaw, type RunningWeir } from './fixtures/running-weir.ts';
import { checkOrigin } from './host-check.ts';

let weir: RunningWeir;
let port: number;
beforeAll(async () => {
  weir = await runWeir();
  ({ port } = weir.running);
});
afterAll(() => weir.close());

const PATHS = ['/', '/livez', '/api/v1/connectors', '/api/v1/stream', '/metrics', '/nope'];

describe('the Host header', () => {
  test.for(PATHS)('of another name is refused at %s', async (path) => {
    for (const host of [
      `evil.example:${port}`,
      `127.0.0.1.evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `localhost.:${port}`,
      `user@127.0.0.1:${port}`,
    ]) {
      expect(await weir.ask(path, { headers: { host } }), host).toMatchObject({
        status: 403,
        json: { code: 'origin_refused' },
      });
    }
  });

  test('of any loopback spelling is taken', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
      expect(await weir.ask('/livez', { headers: { host } }), host).toMatchObject({ status: 200 });
    }
  });

  test('missing, empty or doubled is refused', async () => {
    for (const hosts of ['', 'Host: \r\n', `Host: 127.0.0.1:${port}\r\nHost: evil.example\r\n`]) {
      const answer = await weir.settle(
        sendRaw(weir.running, `GET /livez HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 40[03] /);
    }
  });

  test('is not replaced by the host of an absolute target', async () => {
    const answer = await weir.settle(
      sendRaw(
        weir.running,
        `GET http://evil.example/livez HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
      ),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('without a port means 80', () => {
    expect(() =>
      checkOrigin({ hosts: ['localhost'], origin: 'http://localhost' }, { host: '127.0.0.1', port: 80 }),
    ).not.toThrow();
  });
});

describe('the Origin header', () => {
  test.for(['http://evil.example', 'null', 'https://127.0.0.1', 'http://127.0.0.1:1'])(
    '%s is refused',
    async (origin) => {
      expect(await weir.post('/api/v1/check', {}, { origin })).toMatchObject({
        status: 403,
        json: { code: 'origin_refused' },
      });
      expect(await weir.ask('/api/v1/connectors', { headers: { origin } })).toMatchObject({ status: 403 });
    },
  );

  test('of our own page is taken', async () => {
    expect(await weir.post('/api/v1/check', {}, { origin: `http://127.0.0.1:${port}` })).toMatchObject({ status: 200 });
  });

  test('never earns a CORS permission', async () => {
    const { headers } = await weir.ask('/livez', { headers: { origin: `http://127.0.0.1:${port}` } });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('each request', () => {
  test('keeps a harmless id of the caller and replaces any other', async () => {
    expect((await weir.ask('/livez', { headers: { 'x-request-id': 'Job-7.a_b' } })).headers['x-request-id']).toBe(
      'Job-7.a_b',
    );
    for (const id of ['x'.repeat(65), 'a b', 'a"b', '<script>', '']) {
      expect((await weir.ask('/livez', { headers: { 'x-request-id': id } })).headers['x-request-id'], id).toMatch(
        /^[0-9a-f-]{36}$/,
      );
    }
  });

  test('carries the security headers, whatever its answer', async () => {
    for (const path of [...PATHS.filter((path) => path !== '/api/v1/stream'), '/%zz']) {
      const { headers } = await weir.ask(path);
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect(headers, path).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    }
  });

  test('leaves one line in the log, without its query', async () => {
    await weir.ask('/livez?token=hunter2', { headers: { 'x-request-id': 'line-1' } });
    await weir.until(() => weir.logged.some(({ extra }) => extra['request_id'] === 'line-1'));
    const lines = weir.logged.filter(({ extra }) => extra['request_id'] === 'line-1');
    expect(lines).toMatchObject([
      { level: 'debug', message: 'GET /livez 422', extra: { route: '/livez', status: 422 } },
    ]);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });
});
