// A real connection of the real engine against a server that misbehaves on purpose. What each trouble does becomes the table in
// docs/misbehaviour.md; the test fails when the page and the behaviour differ (`npm test -- test/misbehaviour.test.ts -u` rewrites it).

import type { RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import type { Engine } from '#engine/engine.ts';
import { connectionOf, doc, engineOf, openWorld, scripted, type World } from '../src/engine/fixtures/engine-world.ts';
import { sendJson, startServer, type LocalServer } from '../src/sdk/fixtures/http-world.ts';
import { exitOfHealth } from '#cli/exit-code.ts';

const MIB = 1024 * 1024;
const RUNS = 3;
const HOUR_MS = 3_600_000;
const STEPS_MAX = 200_000;

interface Trouble {
  readonly what: string;
  readonly answer: (response: ServerResponse, request: number, world: World) => void;
  /** The answer itself takes time, so time passes while it is awaited. */
  readonly slow?: true;
}

const json =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    sendJson(response, { message: 'no' }, headers, status);

const TROUBLES: readonly Trouble[] = [
  { what: 'nothing: it answers', answer: (response) => sendJson(response, []) },
  {
    what: '429 with `Retry-After: 2`',
    answer: (response, n) => (n === 1 ? json(429, { 'retry-after': '2' })(response) : sendJson(response, [])),
  },
  { what: '429 with `Retry-After: 600`', answer: json(429, { 'retry-after': '600' }) },
  {
    what: '429 with `Retry-After` as a date in 10 minutes',
    answer: (response, _, { clock }) => {
      const date = new Date(clock.now()).toUTCString();
      json(429, { date, 'retry-after': new Date(clock.now() + 600_000).toUTCString() })(response);
    },
  },
  { what: '503 once, then well', answer: (response, n) => (n === 1 ? json(503)(response) : sendJson(response, [])) },
  { what: '503 always', answer: json(503) },
  {
    what: '500 with an HTML page',
    answer: (response) => void response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Oops</h1>'),
  },
  { what: '401', answer: json(401) },
  { what: '403', answer: json(403) },
  { what: '404', answer: json(404) },
  {
    what: 'resets the connection in the middle of the body',
    answer: (response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('[{"a":', () => response.socket?.resetAndDestroy());
    },
  },
  { what: 'one byte, then silence', answer: (response) => void response.writeHead(200).write('['), slow: true },
  {
    what: 'a body without end',
    answer: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(256 * 1024, 0x20)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    },
  },
  {
    what: 'a gzip bomb (64 MiB of zeros)',
    answer: (response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * MIB))),
  },
  {
    what: '200 with a sign-in page',
    answer: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
  },
  {
    what: 'redirects to `http://169.254.169.254/`',
    answer: (response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
  },
  {
    what: 'a `next` link to another origin',
    answer: (response) => sendJson(response, [], { link: '<https://elsewhere.example/items?page=2>; rel="next"' }),
  },
  {
    what: '503 once, and the wall clock is stepped back by an hour',
    answer(response, n, { clock }) {
      if (n > 1) return sendJson(response, []);
      clock.stepWall(-HOUR_MS);
      json(503)(response);
    },
  },
];

interface Row {
  readonly tries: number;
  readonly ending: string;
  readonly circuit: string;
  readonly health: string;
  readonly exit: number;
}

const servers: LocalServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function suffer(trouble: Trouble): Promise<Row> {
  const world = openWorld();
  let asked = 0;
  const handler: RequestListener = (_, response) => {
    asked += 1;
    trouble.answer(response, asked, world);
  };
  const server = await startServer(handler);
  servers.push(server);
  const connector = scripted({
    async *pull(ctx) {
      for await (const page of linkPagesOf(ctx)) yield { events: [doc(`page-${page}`)], cursor: page };
    },
  });
  const connection = connectionOf(connector, {
    baseUrl: server.url,
    allowPrivateAddresses: true,
    credentials: { token: 'secret-token' },
  });
  const engine = engineOf(world, [connection]);
  const runs = [];
  let tries = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const pulling = engine.pullToEnd(connection, 'docs', {
      signal: new AbortController().signal,
      acceptDeletes: false,
      progress: () => {},
    });
    runs.push(...(await finish(world, engine, pulling, trouble.slow === true)));
    if (run === 0) tries = asked;
    await world.clock.advance(60_000);
  }
  const { health, circuit } = await engine.status(connection);
  const stopping = engine.stop();
  await world.clock.advance(1000);
  await stopping;
  const [first] = runs;
  const ending = first?.code === undefined ? `\`${first?.outcome}\`` : `\`${first.outcome}\`, \`${first.code}\``;
  return {
    tries,
    ending,
    circuit: circuit.replace('_', ' '),
    health: health.state,
    exit: exitOfHealth([health.state]),
  };

  async function* linkPagesOf(ctx: Parameters<Parameters<typeof scripted>[0]['pull']>[0]) {
    const { linkPages } = await import('#sdk/index.ts');
    let page = 0;
    for await (const answer of linkPages(ctx.http, { operation: 'list_items', path: '/items' })) {
      answer.json();
      page += 1;
      yield page;
    }
  }
}

/** Lets time pass only while the call waits on it, or while a slow answer is awaited: real sockets and a simulated clock together. */
async function finish<T>(world: World, engine: Engine, work: Promise<T>, slow: boolean): Promise<T> {
  let ended = false;
  const mark = (): void => void (ended = true);
  work.then(mark, mark);
  const [connection] = engine.connections;
  for (let step = 0; step < STEPS_MAX && !ended; step += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (step % 20 !== 0 || connection === undefined) continue;
    const { activity } = await engine.status(connection);
    if (activity.kind !== 'running' && activity.kind !== 'idle') await world.clock.advance(250);
    else if (slow && servers.at(-1)?.open() !== 0) await world.clock.advance(1000);
  }
  return work;
}

test('docs/misbehaviour.md says what each trouble does to the call, the circuit, the health and the exit code', async () => {
  const lines = [];
  for (const trouble of TROUBLES) {
    const { tries, ending, circuit, health, exit } = await suffer(trouble);
    lines.push(`| ${trouble.what} | ${tries} | ${ending} | ${circuit} | ${health} | ${exit} |`);
  }
  await expect(`${HEAD}${lines.join('\n')}\n\n<!-- prettier-ignore-end -->\n`).toMatchFileSnapshot(
    '../docs/misbehaviour.md',
  );
}, 120_000);

const HEAD = `# When the other side misbehaves

<!-- Written by test/misbehaviour.test.ts from what happened. Do not edit: \`npm test -- test/misbehaviour.test.ts -u\` rewrites it. -->
<!-- prettier-ignore-start -->

One connection, three runs a minute apart, with the usual settings: three tries of a call, a circuit that opens after five
failures in a row, health judged over an hour. Requests are those of the first run. A run that \`yielded\` resumes by itself at the
time the server stated. Nothing that was stored before is touched, and the cursor stays where it was.

| the server answers with | requests | the run ends | circuit after three runs | health | exit code of \`weir list\` |
| --- | --- | --- | --- | --- | --- |
`;
