import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { faultOf, startServer, until, type LocalServer } from './fixtures/http-world.ts';
import { createSinkPost, SINK_POST_LIMITS, type SinkPost } from './sink-post.ts';

const signal = new AbortController().signal;
let server: LocalServer | undefined;
let sockets: SinkPost | undefined;

async function serve(...args: Parameters<typeof startServer>) {
  server = await startServer(...args);
  const clock = new SimulatedClock();
  sockets = createSinkPost(clock);
  return { server, sockets, clock };
}
const requestTo = ({ url }: LocalServer) => ({ url: `${url}/x?y=1`, headers: {}, timeoutMs: 1000, signal });

afterEach(async () => {
  await sockets?.close();
  await server?.close();
  [server, sockets] = [undefined, undefined];
});

test('an answer is its status, its headers in lower case without cookies, and its first bytes', async () => {
  const long = 'é'.repeat(SINK_POST_LIMITS.answerBytesKept);
  const world = await serve((_, response) =>
    response.writeHead(418, { 'Retry-After': '3', 'Set-Cookie': 'a=b', 'X-Two': ['1', '2'] }).end(long),
  );
  const answer = await world.sockets.post({ ...requestTo(world.server), body: '{}' });
  expect(answer.status).toBe(418);
  expect(answer.headers).toMatchObject({ 'retry-after': '3', 'x-two': '1, 2' });
  expect(answer.headers).not.toHaveProperty('set-cookie');
  expect(answer.text).toBe('é'.repeat(SINK_POST_LIMITS.answerBytesKept / 2));
  const [asked] = world.server.requests;
  expect([asked?.method, asked?.url, asked?.headers['content-length']]).toEqual(['POST', '/x?y=1', '2']);
});

test('an answer in an encoding that was not asked for has no text', async () => {
  const world = await serve((_, response) =>
    response.writeHead(500, { 'content-encoding': 'gzip' }).end(gzipSync('z'.repeat(1e6))),
  );
  expect(await world.sockets.post(requestTo(world.server))).toMatchObject({ status: 500, text: '' });
});

test('a redirect is an answer: nothing is sent to where it leads', async () => {
  const world = await serve((_, response) => response.writeHead(307, { location: '/other' }).end());
  expect(await world.sockets.post(requestTo(world.server))).toMatchObject({ status: 307 });
  expect(world.server.requests).toHaveLength(1);
  expect(world.clock.sleeping).toBe(0); // no timer is left behind
});

test('closing ends sockets that wait for more, and requests under way', async () => {
  const world = await serve((request, response) => {
    if (request.url === '/x?y=1') response.writeHead(204).end();
  });
  await world.sockets.post(requestTo(world.server));
  const hanging = faultOf(world.sockets.post({ ...requestTo(world.server), url: `${world.server.url}/hangs` }));
  await until(() => world.server.requests.length === 2);
  await world.sockets.close();
  expect(await hanging).toMatchObject({ code: 'upstream_unavailable' });
  await until(() => world.server.open() === 0);
});

test('a pool that was never used closes', async () => {
  await createSinkPost(new SimulatedClock()).close();
});
