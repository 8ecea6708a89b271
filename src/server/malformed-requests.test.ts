import { afterAll, beforeAll, expect, test } from 'vitest';
import { runWeir, sendRaw, type RunningWeir } from './fixtures/running-weir.ts';
import { SERVER_LIMITS } from './server-limits.ts';

let weir: RunningWeir;
beforeAll(
  async () => (weir = await runWeir({ server: { headersTimeoutMs: 100, requestTimeoutMs: 150, timeoutCheckMs: 20 } })),
);
afterAll(() => weir.close());

const SECOND = 'GET /second HTTP/1.1\r\nHost: HOST\r\n\r\n';
const CASES: readonly [what: string, bytes: string][] = [
  ['line feeds alone', 'GET /livez HTTP/1.1\nHost: HOST\n\n'],
  ['a bare line feed between headers', 'GET /livez HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n'],
  [
    'two Content-Lengths',
    `POST /api/v1/check HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 50\r\n\r\n{}${SECOND}`,
  ],
  [
    'Content-Length beside chunked',
    `POST /api/v1/check HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECOND}`,
  ],
  [
    'a coding that only looks chunked',
    `POST /api/v1/check HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SECOND}`,
  ],
  ['a NUL in a header', 'GET /livez HTTP/1.1\r\nHost: HOST\r\nX-A: a\u0000b\r\n\r\n'],
  ['a NUL in the target', 'GET /live\u0000z HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['a folded header', 'GET /livez HTTP/1.1\r\nHost: HOST\r\nX-A: a\r\n b\r\n\r\n'],
  ['a space before the colon', 'GET /livez HTTP/1.1\r\nHost: HOST\r\nX-A : a\r\n\r\n'],
  ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
  ['no HTTP at all', 'hello\r\n\r\n'],
];

test.for(CASES)('%s: 400 and close, and no second request is answered', async ([, bytes]) => {
  const host = `127.0.0.1:${weir.running.port}`;
  const answer = await weir.settle(sendRaw(weir.running, Buffer.from(bytes.replaceAll('HOST', host), 'latin1')));
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toMatch(/connection: close/i);
  expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  expect(answer).not.toContain('route_unknown');
});

test('surplus bytes after a body are judged after its answer: 200, then 400 and close', async () => {
  const head = `POST /api/v1/check HTTP/1.1\r\nHost: 127.0.0.1:${weir.running.port}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n`;
  const answer = await weir.settle(sendRaw(weir.running, `${head}{}garbage\r\n\r\n`));
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
});

test.for([
  ['headers that never end', 'GET /livez HTTP/1.1\r\nHost: x\r\nX: '],
  [
    'a body that never ends',
    'POST /api/v1/check HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{',
  ],
])('%s: 408 and close in bounded time', async ([, bytes = '']) => {
  const answer = await weir.settle(sendRaw(weir.running, bytes.replace('HOST', `127.0.0.1:${weir.running.port}`)));
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('application/problem+json');
});

test('a body shorter than announced is 400, never taken for the whole', async () => {
  const head = `POST /api/v1/check HTTP/1.1\r\nHost: 127.0.0.1:${weir.running.port}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n`;
  const answer = await weir.settle(sendRaw(weir.running, `${head}{}`, { end: true }));
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
});

test('a body without end is refused at the limit while it is still arriving', async () => {
  const head = `POST /api/v1/check HTTP/1.1\r\nHost: 127.0.0.1:${weir.running.port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const answer = await weir.settle(
    sendRaw(weir.running, head + chunk.repeat(SERVER_LIMITS.bodyBytesMax / 0x10000 + 1)),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toMatch(/connection: close/i);
});
