// An alert from a real process to a real recipient, and the verbs that go with it.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startWeir, until, weir, weirJson } from './process/weir-process.ts';

const KEY = Buffer.alloc(24, 7);
const SECRET = `whsec_${KEY.toString('base64')}`;
const CHECKS = 12; // an error rate is judged from ten calls on

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

async function recipient() {
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((request, answer) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      answer.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  undo.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return { got, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

test('a connector whose calls fail is told to the webhook, signed, and listed until then', async () => {
  const { got, port } = await recipient();
  const folder = mkdtempSync(join(tmpdir(), 'weir-alerts-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'empty'));
  writeFileSync(
    join(folder, 'weir.yaml'),
    `connectors:\n  git:\n    metadata: { path: empty, commits: false }\nalerts:\n  webhook_url: http://127.0.0.1:${port}/hook\n  webhook_secret: ${SECRET}\n`,
  );
  expect((await weir(folder, ['alerts', 'list'])).stderr).toContain('[instance_missing]');
  expect((await weir(folder, ['reset', 'git', 'circuit'])).code).toBe(3);

  const running = await startWeir(folder);
  undo.push(() => running.child.kill('SIGKILL'));
  expect((await weir(folder, ['alerts', 'list'])).code).toBe(0);
  for (let i = 0; i < CHECKS; i += 1) {
    const url = new URL('/api/v1/check', running.url);
    await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  }
  await until('the alert has arrived', () => Promise.resolve(got.length > 0));

  const { headers, body } = got[0] ?? { headers: {}, body: '' };
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`);
  expect(JSON.parse(body)).toMatchObject({ type: 'weir.alert.fired', data: { alert: 'error_rate', connector: 'git' } });
  expect((await weir(folder, ['alerts', 'list'])).code).toBe(1);
  expect(await weirJson(folder, ['alerts', 'list'])).toMatchObject({
    firing: 1,
    alerts: [{ rule: 'error_rate', connector: 'git', state: 'firing' }],
  });
  expect(await weirJson(folder, ['alerts', 'silence', 'a test', '--connector', 'git'])).toMatchObject({ rule: null });
  expect(await weirJson(folder, ['reset', 'git', 'circuit'])).toMatchObject({ circuit_state: 'closed' });
  expect((await weir(folder, ['config', 'show'])).stdout).not.toContain(SECRET);
  expect(await running.end('SIGTERM')).toBe(0);
  expect(running.stdout()).toMatch(/alert: .* of the calls of git failed/);
  expect(running.stdout() + running.stderr()).not.toContain(SECRET);
  expect(got).toHaveLength(1);
});
