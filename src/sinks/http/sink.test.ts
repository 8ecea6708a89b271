import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { toCloudEvent } from '#core/cloud-event.ts';
import { Fault } from '#core/fault.ts';
import { SINK_POST_LIMITS } from '#sdk/sink-post.ts';
import { faultOf, until } from '#sdk/fixtures/http-world.ts';
import { answer, entriesOf, entry, isGenuine, openWorld, type Answerer, type World } from './fixtures/receiver.ts';
import definition from './sink.ts';
import { HTTP_SINK_LIMITS } from './write.ts';

const worlds: World[] = [];
const open = async (...args: Parameters<typeof openWorld>): Promise<World> => {
  const world = await openWorld(...args);
  worlds.push(world);
  return world;
};
const never = new AbortController().signal;

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});

describe('an event', () => {
  test('is one signed POST of its CloudEvent, which a receiver can check and trust', async () => {
    const { sink, got, clock } = await open(answer(204));
    const sent = entry({ key: 'Grüße/1', version: 7, title: 'a title', text: 'ein Wörtchen\u2028' });
    expect(await sink.write([sent], never)).toEqual([{ outcome: 'written' }]);
    const [one] = got;
    if (one === undefined) throw new Error('nothing came');
    expect([one.method, one.path, one.headers['content-type']]).toEqual([
      'POST',
      '/hooks/weir',
      'application/cloudevents+json',
    ]);
    expect(one.headers['webhook-id']).toBe(`${sent.event.id}_crm`);
    expect(JSON.parse(one.body)).toEqual(JSON.parse(JSON.stringify(toCloudEvent(sent.event))));
    expect(JSON.parse(one.body)).toMatchObject({ id: sent.event.id, sequence: '0000000000000007', subject: 'Grüße/1' });
    expect(isGenuine(one, clock.now())).toBe(true);
    expect(isGenuine({ ...one, body: `${one.body} ` }, clock.now())).toBe(false);
    expect(isGenuine(one, clock.now(), `whsec_${'A'.repeat(32)}`)).toBe(false);
    expect(isGenuine(one, clock.now() + 3_600_000)).toBe(false);
  });

  test('that is sent again has the same id and a new time', async () => {
    const { sink, got, clock } = await open(answer(500));
    await sink.write([entry()], never);
    await clock.advance(60_000);
    await sink.write([entry()], never);
    expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(got.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(2);
    expect(got.every((one) => isGenuine(one, clock.now()))).toBe(true);
  });

  test('above the limit of a request is rejected and not sent; what follows is', async () => {
    const { sink, got } = await open(answer(204));
    const data = 'x'.repeat(HTTP_SINK_LIMITS.bodyBytesMax);
    const results = await sink.write([entry({ data }), entry({ key: 'next' })], never);
    expect(results).toMatchObject([
      { outcome: 'reject', fault: { code: 'record_too_large', details: { limit: '1048576 bytes' } } },
      { outcome: 'written' },
    ]);
    expect(got).toHaveLength(1);
  });
});

describe('events of one partition', () => {
  test('arrive one after the other, in the order of the log', async () => {
    let busy = 0;
    const overlaps: number[] = [];
    const slow: Answerer = (_, response) => {
      busy += 1;
      overlaps.push(busy);
      setImmediate(() => {
        busy -= 1;
        response.writeHead(200).end('ok');
      });
    };
    const { sink, got, server } = await open(slow);
    const entries = entriesOf(20);
    expect(await sink.write(entries, never)).toHaveLength(20);
    expect(got.map(({ headers }) => headers['webhook-id'])).toEqual(entries.map(({ event }) => `${event.id}_crm`));
    expect(Math.max(...overlaps)).toBe(1);
    expect(server.accepted()).toBeLessThanOrEqual(2); // kept alive; the library opens a second one now and then
  });

  test('do not wait for another partition, and all of them together have a limit of sockets', async () => {
    const held: (() => void)[] = [];
    const { sink, server } = await open((_, response) => void held.push(() => response.writeHead(204).end()));
    const writes = Array.from({ length: 12 }, (_, index) => sink.write([entry({ key: `p-${index}` })], never));
    await until(() => held.length === SINK_POST_LIMITS.socketsMax);
    expect(server.open()).toBe(SINK_POST_LIMITS.socketsMax);
    const freeing = setInterval(() => held.splice(0).forEach((free) => free()), 1);
    await Promise.all(writes);
    clearInterval(freeing);
    expect(server.accepted()).toBe(SINK_POST_LIMITS.socketsMax);
  });

  test.for([403, 408, 425, 500, 502, 503, 504, 599])(
    'after the status %i the rest is not sent, and shares the fault of the one that failed',
    async (status) => {
      const entries = entriesOf(4);
      const second = entries[1]?.event.id ?? '';
      const { sink, got } = await open((one, ...rest) =>
        answer(one.headers['webhook-id'] === `${second}_crm` ? status : 200)(one, ...rest),
      );
      const results = await sink.write(entries, never);
      expect(results.map(({ outcome }) => outcome)).toEqual(['written', 'retry', 'retry', 'retry']);
      expect(new Set(results.slice(1).map((result) => ('fault' in result ? result.fault : undefined))).size).toBe(1);
      expect(got).toHaveLength(2);
    },
  );

  test.for([400, 404, 405, 409, 413, 415, 422, 499])(
    'the status %i refuses one event, with status and reason, and the rest is sent',
    async (status) => {
      const { sink } = await open((one, ...rest) =>
        answer(one.body.includes('page-1') ? status : 200, 'no such\ncolumn')(one, ...rest),
      );
      const results = await sink.write(entriesOf(3), never);
      expect(results).toMatchObject([
        { outcome: 'written' },
        { outcome: 'reject', fault: { code: 'sink_rejected' } },
        { outcome: 'written' },
      ]);
      const [, refused] = results;
      expect(refused !== undefined && 'fault' in refused ? refused.fault.message : '').toMatch(
        new RegExp(`^127\\.0\\.0\\.1:\\d+ answered with status ${status}: no such column$`),
      );
    },
  );

  test.for([
    [301, 'sink_unavailable'],
    [302, 'sink_unavailable'],
    [304, 'sink_unavailable'],
    [307, 'sink_unavailable'],
    [401, 'credential_rejected'],
    [410, 'sink_gone'],
    [429, 'rate_limited'],
  ] as const)(
    'the status %i is about no event: for a minute the sink counts as out, with %s',
    async ([status, code]) => {
      let left = 1;
      const { sink, got, clock } = await open((one, ...rest) =>
        answer(one.method === 'OPTIONS' || left-- > 0 ? 200 : status, '', { location: '/elsewhere' })(one, ...rest),
      );
      const results = await sink.write(entriesOf(3), never);
      expect(results.map(({ outcome }) => outcome)).toEqual(['written', 'retry', 'retry']);
      expect(await faultOf(sink.ping(never))).toMatchObject({ code });
      await clock.advance(59_999);
      expect(await faultOf(sink.ping(never))).toMatchObject({ code });
      await clock.advance(1);
      await sink.ping(never);
      expect(got.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'POST /hooks/weir',
        'POST /hooks/weir',
        'OPTIONS /hooks/weir',
      ]);
    },
  );

  test('that are taken slowly are not all begun: what was written is told in time, and the rest comes again', async () => {
    const { sink, clock, got } = await open((_, response) => {
      void clock.sleep(5000).then(() => response.writeHead(204).end());
    });
    let results: readonly { outcome: string }[] | undefined;
    const writing = sink.write(entriesOf(10), never).then((all) => (results = all));
    for (let asked = 1; results === undefined; asked += 1) {
      await until(() => results !== undefined || (got.length === asked && clock.sleeping === 2)); // its timeout, and the receiver
      await clock.advance(5000);
    }
    await writing;
    expect(got).toHaveLength(5);
    expect(results.map(({ outcome }) => outcome)).toEqual([
      ...Array<string>(5).fill('written'),
      ...Array<string>(5).fill('retry'),
    ]);
    expect(clock.monotonic()).toBeLessThanOrEqual(HTTP_SINK_LIMITS.sendingMs + 5000);
  });
});

describe('a receiver that misbehaves', () => {
  test.for<[what: string, answerer: Answerer]>([
    ['closes the connection', (_, response) => response.destroy()],
    ['answers half a head', (_, response) => response.socket?.end('HTTP/1.1 20')],
    ['speaks no HTTP', (_, response) => response.socket?.end('hello\r\n\r\n')],
    [
      'answers with endless headers',
      (_, response) => response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(99_999)}\r\n\r\n`),
    ],
  ])('that %s is retried: nobody knows what it did', async ([, answerer]) => {
    const { sink, server } = await open(answerer);
    const results = await sink.write(entriesOf(2), never);
    expect(results).toMatchObject([
      { outcome: 'retry', fault: { code: 'sink_unavailable' } },
      { outcome: 'retry', fault: { code: 'sink_unavailable' } },
    ]);
    expect(server.requests).toHaveLength(1);
  });

  test('that is not there is retried, and the message names its host alone', async () => {
    const { sink, server } = await open(answer(200));
    await server.close();
    worlds.pop();
    const [result] = await sink.write([entry()], never);
    expect(result).toMatchObject({ outcome: 'retry', fault: { code: 'sink_unavailable' } });
    expect(result !== undefined && 'fault' in result ? result.fault.message : '').toMatch(
      /^127\.0\.0\.1:\d+: the connection failed \(ECONNREFUSED\)$/,
    );
  });

  test('that does not answer in time is retried after exactly that time', async () => {
    const { sink, clock, got } = await open(() => {}, { timeout_seconds: 5 });
    let results: unknown;
    const writing = sink.write([entry()], never).then((all) => (results = all));
    await until(() => got.length === 1);
    await clock.advance(4999);
    expect(results).toBeUndefined();
    await clock.advance(1);
    await writing;
    expect(results).toMatchObject([{ outcome: 'retry', fault: { code: 'sink_unavailable' } }]);
    expect(clock.sleeping).toBe(0);
  });

  test.for([
    ['breaks off', (response: { destroy(): void }) => response.destroy()],
    ['never ends', () => {}],
  ] as const)('whose answer says 200 and %s has taken the event', async ([, then]) => {
    const { sink, clock, got } = await open((_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => then(response));
    });
    let results: unknown;
    const writing = sink.write([entry()], never).then((all) => (results = all));
    await until(() => got.length === 1);
    for (let pass = 0; results === undefined && pass < 1000; pass += 1) await clock.advance(1000);
    await writing;
    expect(results).toEqual([{ outcome: 'written' }]);
  });

  test('whose answer never ends costs neither memory nor time: only its beginning is read', async () => {
    let sent = 0;
    const { sink, server } = await open((_, response) => {
      response.writeHead(400);
      const more = (): void => {
        if (response.destroyed) return;
        sent += 65_536;
        response.write('z'.repeat(65_536), more);
      };
      more();
    });
    const [result] = await sink.write([entry()], never);
    await until(() => server.open() === 0);
    expect(result).toMatchObject({ outcome: 'reject' });
    expect(result !== undefined && 'fault' in result ? result.fault.message.length : 0).toBeLessThan(300);
    expect(sent).toBeLessThan(32 * 1024 * 1024); // what the sockets hold
  });

  test('cannot put its own words to use: one printable line without control characters or the address it was told', async () => {
    const echo: Answerer = ({ path }, ...rest) =>
      answer(404, `\u001b[2JCannot POST ${path}\r\nk3y-of ours \u202e token=abcdef123`)(
        { method: '', path, headers: {}, body: '' },
        ...rest,
      );
    const { sink } = await open(echo, {}, '/hooks/T0PSECRET/k3y-of%20ours?token=abcdef123');
    const [result] = await sink.write([entry()], never);
    const message = result !== undefined && 'fault' in result ? result.fault.message : '';
    expect(message).toContain('Cannot POST');
    expect(message).not.toMatch(/T0PSECRET|k3y-of|abcdef123|whsec|[\u0000-\u001f\u202e]/);
  });

  test('does not keep Weir from stopping', async () => {
    const { sink, got } = await open(() => {});
    const stop = new AbortController();
    const writing = sink.write(entriesOf(2), stop.signal);
    await until(() => got.length === 1);
    stop.abort();
    expect(await writing).toMatchObject([
      { outcome: 'retry', fault: { code: 'cancelled' } },
      { outcome: 'retry', fault: { code: 'cancelled' } },
    ]);
    expect(await sink.write([entry()], stop.signal)).toMatchObject([
      { outcome: 'retry', fault: { code: 'cancelled' } },
    ]);
    expect(got).toHaveLength(1);
  });
});

describe('a wait that the receiver states', () => {
  test('is in the fault, and until it is over the sink does not count as well', async () => {
    let status = 503;
    const { sink, clock, got } = await open((one, ...rest) =>
      answer(one.method === 'OPTIONS' ? 204 : status, '', { 'retry-after': '120' })(one, ...rest),
    );
    const nowMs = clock.now();
    const [result] = await sink.write([entry()], never);
    expect(result).toMatchObject({ outcome: 'retry', fault: { retryAtMs: nowMs + 120_000 } });
    clock.stepWall(-3_600_000);
    await clock.advance(119_999);
    expect(await faultOf(sink.ping(never))).toMatchObject({ code: 'sink_unavailable', retryAtMs: nowMs + 120_000 });
    expect(got).toHaveLength(1);
    await clock.advance(1);
    await sink.ping(never);
    expect(got.map(({ method }) => method)).toEqual(['POST', 'OPTIONS']);
    await sink.write([entry()], never);
    status = 200;
    await sink.write([entry()], never);
    await sink.ping(never); // an event that was taken ends the wait before its time
  });

  test('of 429 without a time is one minute, and an absurd one is cut to an hour', async () => {
    const told: Record<string, string>[] = [{}, { 'retry-after': '99999999' }];
    const { sink, clock } = await open((one, ...rest) => answer(429, '', told.shift() ?? {})(one, ...rest));
    const nowMs = clock.now();
    for (const waitMs of [60_000, 3_600_000])
      expect(await sink.write([entry()], never)).toMatchObject([{ fault: { retryAtMs: nowMs + waitMs } }]);
  });
});

describe('a ping', () => {
  test('touches no event: a signed OPTIONS without a body', async () => {
    const { sink, got, clock } = await open(answer(204));
    await sink.ping(never);
    expect(got).toMatchObject([{ method: 'OPTIONS', path: '/hooks/weir', body: '' }]);
    expect(got.every((one) => isGenuine(one, clock.now()))).toBe(true);
  });

  test.for([200, 204, 301, 400, 401, 403, 404, 405])('answered with %i finds somebody there', async (status) => {
    const { sink } = await open(answer(status));
    await expect(sink.ping(never)).resolves.toBeUndefined();
  });

  test.for([
    [410, 'sink_gone'],
    [429, 'rate_limited'],
    [500, 'sink_unavailable'],
    [503, 'sink_unavailable'],
  ] as const)('answered with %i finds the sink down', async ([status, code]) => {
    const { sink } = await open(answer(status));
    expect(await faultOf(sink.ping(never))).toMatchObject({ code });
  });

  test('that nobody answers finds the sink down', async () => {
    const { sink, clock, got } = await open(() => {});
    const pinging = faultOf(sink.ping(never));
    await until(() => got.length === 1);
    await clock.advance(15_000);
    expect(await pinging).toMatchObject({ code: 'sink_unavailable' });
  });

  test.for([
    [200, true],
    [204, true],
    [301, false],
    [401, false],
    [404, false],
    [503, false],
  ] as const)('of an address of its own goes by its health: %i is up: %s', async ([status, up]) => {
    const health = await open(answer(status));
    const { sink, got } = await open(answer(204), { ping_url: `${health.server.url}/healthz` });
    const fault = await sink.ping(never).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(fault === undefined).toBe(up);
    expect(health.got).toMatchObject([{ method: 'GET', path: '/healthz', body: '' }]);
    expect(health.got[0]?.headers).not.toHaveProperty('webhook-signature'); // another address may be another party
    expect(got).toHaveLength(0);
  });
});

describe('settings', () => {
  const url = 'https://crm.example.com/hooks';
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const warned = (to: string) => definition.warnings?.({ url: to, secret, timeout_seconds: 15 }) ?? [];

  test('need an address and a secret', () => {
    expect(definition.settings.safeParse({ url, secret }).data).toEqual({ url, secret, timeout_seconds: 15 });
    for (const bad of [
      { url },
      { secret },
      { url: 'crm.example.com', secret },
      { url: 'ftp://crm.example.com', secret },
      { url: 'https://user:pass@crm.example.com', secret },
      { url, secret: 'hush' },
      { url, secret: `whsec_${'A'.repeat(31)}` },
      { url, secret, timeout_seconds: 0 },
      { url, secret, timeout_seconds: 31 },
      { url, secret, retries: 3 },
    ])
      expect(definition.settings.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  });

  test('mark the secret, so that it is never shown', () => {
    expect(z.toJSONSchema(definition.settings, { io: 'input' })).toMatchObject({
      properties: { secret: { writeOnly: true } },
    });
  });

  test('warn of plain http to another machine', () => {
    expect(warned('http://10.0.0.5/x')).toMatchObject([{ key: 'url' }]);
    expect(warned('http://127.0.0.1.example.com/x')).toHaveLength(1);
    for (const fine of [url, 'http://localhost:9/x', 'http://127.0.0.1/x', 'http://[::1]/x'])
      expect(warned(fine)).toEqual([]);
  });

  test('alone open nothing: creating, opening and closing a sink sends no request', async () => {
    const post = () => Promise.reject(new Fault('internal', 'no request was asked for'));
    const { sink: unused, clock } = await open(answer(200));
    const sink = definition.create(
      { url, secret, timeout_seconds: 15 },
      { name: 'crm', post, env: { clock, random: { float: () => 0, id: () => '' } } },
    );
    await sink.open(never);
    expect(await sink.write([], never)).toEqual([]);
    await sink.close();
    expect(sink.name).toBe(unused.name);
  });
});
