// A poisoned event from a real process to a real receiver: refused, looked at, edited, replayed; and the life of its sink.

import { createServer } from 'node:http';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { GIT_ONLY, temporaryRepository } from './process/temporary-repository.ts';
import { startWeir, until, weir } from './process/weir-process.ts';

const SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const WITH_SECRET = { CRM_SECRET: SECRET };

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** Takes everything but what holds the word `poison`. */
async function receiver() {
  const taken: { subject: string; data: { text: string } }[] = [];
  const server = createServer((request, answer) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const bad = body.includes('poison');
      // What Weir posts is a CloudEvent.
      if (!bad && request.method === 'POST') taken.push(JSON.parse(body) as (typeof taken)[number]);
      answer.writeHead(bad ? 422 : 204).end(bad ? 'no such account' : undefined);
    });
  }).listen(0, '127.0.0.1');
  undo.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return { taken, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

async function poisonedRepository() {
  const { taken, port } = await receiver();
  const repository = temporaryRepository(`# mine\n${GIT_ONLY.trimStart()}`);
  undo.push(() => repository.remove());
  repository.write('good.md', '# Good\n\nclean water\n');
  repository.write('bad.md', '# Bad\n\npoison in the water\n');
  repository.git('add', '.');
  repository.git('commit', '-q', '-m', 'two');
  const { folder } = repository;
  const url = `url=http://127.0.0.1:${port}/events`;
  const add = ['sink', 'add', 'crm', '--type', 'http', '--set', url, '--secret-env', 'CRM_SECRET'];
  return { folder, taken, add, file: join(folder, 'weir.yaml') };
}

/** The answer of a command that succeeds. */
async function answer(folder: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await weir(folder, [...args, '--json'], WITH_SECRET);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function lettersIn(folder: string): Promise<readonly { id: number; key: string }[]> {
  const { items } = await answer(folder, ['dlq', 'list', '--sink', 'crm']);
  return items as readonly { id: number; key: string }[];
}

test('weir sink add writes a valid entry with a reference to the secret, once, or nothing at all', async () => {
  const { folder, add, file } = await poisonedRepository();
  const before = readFileSync(file, 'utf8');
  const unset = await weir(folder, add, { CRM_SECRET: '' });
  expect(unset).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('CRM_SECRET') });
  const wrong = await weir(folder, [...add, '--set', 'uri=x'], WITH_SECRET);
  expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('uri') });
  expect(readFileSync(file, 'utf8')).toBe(before);

  const { mode } = statSync(file);
  const added = await weir(folder, add, WITH_SECRET);
  expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('secret: ${CRM_SECRET}') });
  const after = readFileSync(file, 'utf8');
  expect(after.startsWith(before)).toBe(true);
  expect(after).toContain('secret: ${CRM_SECRET}');
  expect(after + added.stdout + added.stderr).not.toContain(SECRET);
  expect(statSync(file).mode).toBe(mode);

  expect(await weir(folder, add, WITH_SECRET)).toMatchObject({ code: 3, stderr: expect.stringContaining('already') });
  expect(readFileSync(file, 'utf8')).toBe(after);
});

test('a poisoned event becomes a dead letter, and edited and replayed reaches its sink; the rest was never held up', async () => {
  const { folder, taken, add } = await poisonedRepository();
  await weir(folder, add, WITH_SECRET);
  const running = await startWeir(folder, [], WITH_SECRET);
  undo.push(() => running.child.kill('SIGKILL'));
  const asked = (args: readonly string[]) => weir(folder, args, WITH_SECRET);
  await until('the letter is there', async () => (await lettersIn(folder)).length === 1);
  const [letter] = await lettersIn(folder);
  const id = String(letter?.id);
  expect(letter?.key).toContain('bad.md');
  await until('the good event is there', () => Promise.resolve(taken.length === 1));

  const shown = await answer(folder, ['dlq', 'show', id]);
  expect(shown).toMatchObject({ code: 'sink_rejected', class: 'sink', attempts: 1, state: 'dead' });
  expect(shown['message']).toContain('no such account');
  expect(await asked(['dlq', 'replay', '--all'])).toMatchObject({ code: 3, stderr: expect.stringContaining('--yes') });

  const payload = shown['payload'] as { text: string };
  writeFileSync(join(folder, 'moved.json'), JSON.stringify({ ...payload, key: 'elsewhere.md' }));
  const moved = await asked(['dlq', 'edit', id, '--file', 'moved.json']);
  expect(moved).toMatchObject({ code: 3, stderr: expect.stringContaining('/payload/key') });
  const mended = JSON.parse(JSON.stringify(payload).replaceAll('poison', 'medicine')) as unknown;
  writeFileSync(join(folder, 'mended.json'), JSON.stringify(mended));
  expect((await asked(['dlq', 'edit', id, '--file', 'mended.json'])).code).toBe(0);
  const exported = await asked(['dlq', 'export', '--output', 'letters.ndjson']);
  expect(exported).toMatchObject({ code: 0, stdout: expect.stringContaining('Wrote 1 dead letters') });
  expect(statSync(join(folder, 'letters.ndjson')).mode & 0o777).toBe(0o600);
  expect((await asked(['dlq', 'export', '--output', 'letters.ndjson'])).code).toBe(3);

  expect(await answer(folder, ['dlq', 'replay', '--all', '--dry-run'])).toMatchObject({ matched: 1, queued: 1 });
  expect((await asked(['dlq', 'replay', id])).code).toBe(0);
  await until('the letter is gone', async () => (await lettersIn(folder)).length === 0);
  expect(taken[1]).toMatchObject({ subject: letter?.key, data: { text: expect.stringContaining('medicine') } });
  expect((await asked(['dlq', 'list'])).stdout).toMatch(/^No dead letters: /);
  expect((await asked(['dlq', 'show', id])).code).toBe(3);

  expect(await running.end('SIGTERM')).toBe(0);
  const audit = running
    .stdout()
    .split('\n')
    .filter((line) => line.includes('"component":"audit"'));
  expect(audit.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
    'dlq.edit: refused',
    'dlq.edit: ok',
    'dlq.replay: ok',
  ]);
  expect(audit.join('')).not.toMatch(/medicine|poison/);
  expect(running.stdout() + running.stderr()).not.toContain(SECRET);
});

test('a sink is removed only once it is configured no more, and is listed until then', async () => {
  const { folder, add, file } = await poisonedRepository();
  writeFileSync(file, `${readFileSync(file, 'utf8')}logging:\n  file: weir.log\n`);
  await weir(folder, add, WITH_SECRET);
  const running = await startWeir(folder, [], WITH_SECRET);
  undo.push(() => running.child.kill('SIGKILL'));
  const stateOf = async (): Promise<string | undefined> => {
    const { sinks } = await answer(folder, ['sink', 'list']);
    return (sinks as { name: string; state: string }[]).find(({ name }) => name === 'crm')?.state;
  };
  expect(await stateOf()).toBe('delivering');
  const inUse = await weir(folder, ['sink', 'remove', 'crm', '--yes'], WITH_SECRET);
  expect(inUse).toMatchObject({ code: 3, stderr: expect.stringContaining('in use') });
  const reread = await answer(folder, ['sink', 'reread', 'crm', '--from', 'newest', '--dry-run']);
  expect(reread).toMatchObject({ dry_run: true, entries: 0 });
  expect(await running.end('SIGTERM')).toBe(0);

  expect(await stateOf()).toBe('stopped');
  writeFileSync(file, readFileSync(file, 'utf8').replace('    type: http\n', '    type: http\n    enabled: false\n'));
  expect(await stateOf()).toBe('detached');
  const removed = await weir(folder, ['sink', 'remove', 'crm', '--yes'], { ...WITH_SECRET, USER_ROLE: 'Deployer' });
  expect(removed).toMatchObject({ code: 0, stderr: '' });
  const [last = ''] = readFileSync(join(folder, 'weir.log'), 'utf8').trimEnd().split('\n').slice(-1);
  expect(JSON.parse(last)).toMatchObject({
    component: 'audit',
    message: 'sinks.remove: ok',
    extra: { actor: { name: 'command line', role: 'Deployer' }, target: { name: 'crm' }, outcome: 'ok' },
  });
  expect(await stateOf()).toBeUndefined();
  expect((await weir(folder, ['sink', 'remove', 'crm', '--yes'], WITH_SECRET)).code).toBe(3);
});
