import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  commitDocuments,
  GIT_ONLY,
  temporaryRepository,
  type TemporaryRepository,
} from './process/temporary-repository.ts';
import { startWeir, until, weir, weirJson } from './process/weir-process.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

function repositoryOf(weirYaml?: string): TemporaryRepository {
  const repository = temporaryRepository(weirYaml);
  undo.push(() => repository.remove());
  return repository;
}

function folderOf(weirYaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-trouble-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'weir.yaml'), weirYaml);
  return folder;
}

/** One sentence, what to do, the code; nothing on stdout. */
function expectRefusal(
  result: { code: number | null; stdout: string; stderr: string },
  code: string,
  sentence: RegExp,
): void {
  expect(result.stderr).toMatch(sentence);
  expect(result.stderr).toContain(`[${code}]`);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.stdout).toBe('');
  expect(result.code).toBe(3);
}

describe('weir start refuses, with a sentence and exit code 3,', () => {
  it('data that another Weir is using, and says which', async () => {
    const { folder } = repositoryOf();
    const first = await startWeir(folder);
    const second = await weir(folder, ['start', '--port', '0']);
    expectRefusal(second, 'storage_locked', new RegExp(`process id ${first.child.pid} at ${first.url}`));
    expect(await first.end('SIGTERM')).toBe(0);
  });

  it('a port that was asked for by name and is taken', async () => {
    const { folder } = repositoryOf();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    undo.push(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expectRefusal(await weir(folder, ['start', '--port', String(port)]), 'port_busy', new RegExp(String(port)));
  });

  it('an address that is not of this machine alone', async () => {
    expectRefusal(
      await weir(repositoryOf().folder, ['start', '--host', '0.0.0.0', '--port', '0']),
      'host_refused',
      /0\.0\.0\.0/,
    );
  });

  it('a data file that is no database, and leaves it as it is', async () => {
    const { folder } = repositoryOf();
    mkdirSync(join(folder, '.weir'));
    const file = join(folder, '.weir/weir.sqlite');
    const content = 'this is a letter to a friend, not a database. '.repeat(200);
    writeFileSync(file, content);
    expectRefusal(await weir(folder, ['start', '--port', '0']), 'storage_broken', /not a Weir database/);
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  it('a broken weir.yaml, naming every place at once', async () => {
    const folder = folderOf(
      'connectors:\n  git:\n    enabled: yes\n    pol_interval_seconds: 5\n    metadata: { path: 7 }\n',
    );
    const result = await weir(folder, ['start', '--port', '0']);
    expectRefusal(result, 'config_invalid', /weir\.yaml:3:\d+.*enabled/);
    expect(result.stderr).toMatch(/weir\.yaml:4:\d+.*poll_interval_seconds/);
    expect(result.stderr).toMatch(/weir\.yaml:5:\d+.*path/);
  });
});

describe('a source that cannot be read', () => {
  it.each([
    ['is no repository', 'metadata: { path: empty, commits: false }', 'source_invalid'],
    ['does not exist', 'metadata: { path: nowhere, commits: false }', 'source_missing'],
    ['lies outside of the allowed directories', 'metadata: { path: /etc, commits: false }', 'path_not_allowed'],
  ])('makes its connector unhealthy and nothing else, when it %s', async (_what, metadata, code) => {
    const folder = folderOf(`connectors:\n  git:\n    ${metadata}\n  host: {}\n`);
    mkdirSync(join(folder, 'empty'));
    const running = await startWeir(folder);
    await until('both have run', async () => {
      const { connectors } = await weirJson(folder, ['list']);
      return (connectors as { last_result: string | null }[]).every(({ last_result: result }) => result !== null);
    });
    const list = await weirJson(folder, ['list']);
    expect(list['connectors']).toMatchObject([
      { name: 'git', health: { status: expect.stringMatching(/degraded|down/) }, last_result: 'failed' },
      { name: 'host', health: { status: 'healthy' }, last_result: 'succeeded' },
    ]);
    expect((await weirJson(folder, ['drill', 'git']))['recent_runs']).toMatchObject([{ code }]);
    expect((await weir(folder, ['list'])).code).toBe(1);
    expect((await fetch(new URL('/readyz', running.url))).status).toBe(200);
    expect(await running.end('SIGTERM')).toBe(0);
  });
});

describe('a full disk', () => {
  it('loses nothing and goes on by itself when there is space again', async ({ skip }) => {
    // The usual marks are far above 6 MB: here the disk really fills, and only the ballast stands between it and the drain.
    const repo = repositoryOf(
      `${GIT_ONLY}disk: { pause_below_bytes: 0, refuse_below_bytes: 0, ballast_bytes: 1048576 }\n`,
    );
    commitDocuments(repo, 4000);
    const data = join(repo.folder, 'small-disk');
    mkdirSync(data);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', data], { stdio: 'ignore' });
    } catch {
      skip('a small file system cannot be mounted here: that needs the rights of root');
    }
    undo.push(() => execFileSync('umount', ['-l', data]));
    const running = await startWeir(repo.folder, ['--data', data]);
    const failed = async (): Promise<boolean> => {
      const text = running.stdout() + running.stderr();
      return /storage_full|disk is full/.test(text);
    };
    await until('the disk is full', failed);
    await until('the ballast is given back', () => Promise.resolve(!existsSync(join(data, 'ballast'))));
    expect(running.stdout()).toMatch(/gave 1 MiB of ballast back/);
    expect((await fetch(new URL('/livez', running.url))).status).toBe(200);
    execFileSync('mount', ['-o', 'remount,size=200m', data]);
    await until('every document is searchable', async () => {
      const answer = (await (await fetch(new URL('/api/v1/search?words=Rivers&limit=1', running.url))).json()) as {
        total: number;
      };
      return answer.total === 4000;
    });
    expect(await running.end('SIGTERM')).toBe(0);
  }, 90_000);
});
