import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATIONS } from '#operations/registry.ts';
import { ProblemSchema } from '../../src/server/problem.ts';
import { runWeir, send, sendRaw, type RunningWeir } from '../../src/server/fixtures/running-weir.ts';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { INPUTS, SEED } from './inputs.ts';
import { chanceOf, mutate, type Chance } from './mutate.ts';

let weir: RunningWeir;
beforeAll(async () => {
  weir = await runWeir({
    server: { headersTimeoutMs: 500, requestTimeoutMs: 500, timeoutCheckMs: 50, keepAliveMs: 50 },
  });
  weir.source.add({ key: 'a.md', title: 'Weirs', text: 'A weir raises the river' });
  await weir.pull();
});
afterAll(() => weir.close());

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const BODY = Buffer.from(
  '{"name":"wiki","minutes":5,"reason":"x","ids":[1],"dry_run":true,"filter":{"connector":"wiki"}}',
);

function requestFrom(chance: Chance) {
  const { http, input } = chance.pick(OPERATIONS);
  const name = chance.pick(['wiki', 'a.md', '1', ...HOSTILE_TEXTS]).toWellFormed();
  const members = Object.keys(input.shape);
  const query = Array.from(
    { length: chance.below(3) },
    () =>
      `${chance.pick([...members, '__proto__', 'x'])}=${encodeURIComponent(chance.pick(HOSTILE_TEXTS).toWellFormed())}`,
  );
  const path = `${http.path.replaceAll(/:\w+/g, encodeURIComponent(name).slice(0, 500))}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  const method = chance.below(4) === 0 ? chance.pick(METHODS) : http.method;
  const body = method === 'POST' ? mutate(BODY, chance).toString('latin1') : undefined;
  const type = chance.pick([
    'application/json',
    'application/json',
    'text/plain',
    'application/json; charset=utf-16',
    '',
  ]);
  return {
    path,
    method,
    ...(body === undefined ? {} : { body, headers: type === '' ? {} : { 'content-type': type } }),
  };
}

const safeToRun = ({ path }: { path: string }): boolean => !path.includes('/stream');

test('any request to any operation is answered below 500, with a result of its shape or a problem', async () => {
  const chance = chanceOf(SEED);
  const statuses = new Map<number, number>();
  for (let input = 0; input < INPUTS; input += 1) {
    const request = requestFrom(chance);
    if (!safeToRun(request)) continue;
    const answer = await weir.settle(send(weir.running, request.path, request));
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    expect(answer.status, JSON.stringify(request)).toBeLessThan(500);
    if (answer.status >= 400 && request.method !== 'HEAD') ProblemSchema.strict().parse(answer.json);
  }
  expect(statuses.get(200)).toBeGreaterThan(INPUTS / 100);
  expect([...statuses.keys()]).toContain(422);
}, 600_000);

test('any bytes at all leave the server answering', async () => {
  const chance = chanceOf(SEED + 1);
  const valid = Buffer.from(
    `POST /api/v1/connectors/wiki/runs HTTP/1.1\r\nHost: 127.0.0.1:${weir.running.port}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
  );
  for (let input = 0; input < INPUTS / 10; input += 1) {
    const bytes = mutate(valid, chance);
    const answer = await weir.settle(sendRaw(weir.running, bytes, { end: true }));
    expect(answer, JSON.stringify(bytes.toString('latin1'))).not.toMatch(/^HTTP\/1\.1 5/);
  }
  expect(await weir.settle(send(weir.running, '/livez', {}))).toMatchObject({ status: 200 });
}, 600_000);
