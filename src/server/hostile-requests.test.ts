import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Operation } from '#operations/operation.ts';
import { OPERATIONS } from '#operations/registry.ts';
import { HOSTILE_TEXTS, hostileText } from '#testing/hostile-text.ts';
import { runWeir, send, sendRaw, type RunningWeir } from './fixtures/running-weir.ts';
import { ProblemSchema } from './problem.ts';

const RUNS = 250;

let weir: RunningWeir;
beforeAll(async () => {
  weir = await runWeir();
  weir.source.add({ key: 'a.md', title: 'Weirs', text: 'A weir raises the river' });
  await weir.pull();
});
afterAll(() => weir.close());

/** Members an operation takes, and some it does not. */
const members = (operation: Pick<Operation, 'input'>) => [
  ...Object.keys(operation.input.shape),
  '__proto__',
  'constructor',
  'x',
];

describe('no text in any member makes a route fail', () => {
  test.for(OPERATIONS.map((operation) => [operation.name, operation] as const))(
    '%s',
    async ([, { http, ...operation }]) => {
      const path = (name: string) => http.path.replace(':name', encodeURIComponent(name));
      const value = fc.oneof(
        hostileText(400),
        fc.constantFrom('wiki', 'a.md', '1', '-1', '15m', '2026-01-01', '0.0', '99999999999999999999'),
      );
      const others = members(operation).filter((member) => member !== 'name');
      const sent = fc.record(
        {
          name: fc.oneof(value, fc.constant('wiki')),
          query: fc.dictionary(fc.constantFrom(...others), value, { maxKeys: 4 }),
          body: fc.jsonValue({ maxDepth: 4 }),
        },
        { requiredKeys: ['name', 'query', 'body'] },
      );
      await fc.assert(
        fc.asyncProperty(sent, async ({ name, query, body }) => {
          const search = http.method === 'GET' ? `?${new URLSearchParams(query).toString()}` : '';
          const answer =
            http.method === 'GET'
              ? await weir.ask(`${path(name)}${search}`)
              : await weir.post(path(name), Object.keys(query).length > 1 ? query : body);
          expect(answer.status).toBeLessThan(500);
          if (answer.status === 200) operation.output.parse(answer.json);
          else ProblemSchema.strict().parse(answer.json);
        }),
        { numRuns: RUNS, seed: 20_260_101 },
      );
    },
  );
});

test('a hostile word is searched for literally: nothing but its own document answers', async () => {
  for (const words of HOSTILE_TEXTS.filter((text) => text.trim() !== '' && text.length <= 500)) {
    const { status, json } = await weir.ask(`/api/v1/search?${new URLSearchParams({ words }).toString()}`);
    expect(status, JSON.stringify(words)).toBe(200);
    expect(json, JSON.stringify(words)).toMatchObject({ schemaVersion: 1 });
  }
  expect(await weir.ask('/api/v1/search?words=river')).toMatchObject({ json: { total: 1 } });
});

test('no path at all makes the server fail', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'api',
      'v1',
      'connectors',
      'wiki',
      'runs',
      '..',
      '.',
      '%2e%2e',
      '%00',
      ';',
      '%',
      '//',
      '*',
      '?',
      '#',
      ':name',
      '__proto__',
    ),
    fc.webSegment(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
      const path = `/${pieces.join('/')}`;
      if (path.includes('stream') || path === '/') return;
      const answer = await weir.ask(path);
      expect(answer.status).toBeLessThan(500);
    }),
    { numRuns: RUNS, seed: 20_260_101 },
  );
});

test('no bytes at all make the server fail or stop', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((raw) => Buffer.from(raw)),
    fc
      .tuple(
        fc.constantFrom('GET', 'POST', 'get', 'CONNECT', 'PRI'),
        fc.string({ maxLength: 40 }),
        fc.string({ maxLength: 80 }),
      )
      .map(([method, target, rest]) =>
        Buffer.from(
          `${method} /${target} HTTP/1.1\r\nHost: 127.0.0.1:${weir.running.port}\r\n${rest}\r\n\r\n`,
          'latin1',
        ),
      ),
  );
  const quick = await runWeir({
    server: { headersTimeoutMs: 30, requestTimeoutMs: 40, timeoutCheckMs: 10, keepAliveMs: 10 },
  });
  await fc.assert(
    fc.asyncProperty(bytes, async (raw) => {
      const answer = await quick.settle(sendRaw(quick.running, raw));
      expect(answer).not.toMatch(/^HTTP\/1\.1 5/);
    }),
    { numRuns: 100, seed: 20_260_101 },
  );
  expect(await quick.settle(send(quick.running, '/livez', {}))).toMatchObject({ status: 200 });
  await quick.close();
}, 60_000);
