import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { CheckFinding, ConnectorContext, JsonValue } from '#sdk/index.ts';
import { connectorHarness, type ConnectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { shown } from './fixtures/delivered-documents.ts';
import { temporaryRepository, type TemporaryRepository } from './fixtures/temporary-repository.ts';
import type { GitConfig } from './git-config.ts';
import { openRepository } from './repository.ts';
import { runGit } from './git-process.ts';

function harnessOf(repository: TemporaryRepository, metadata: Record<string, JsonValue> = {}) {
  return connectorHarness(connector, {
    metadata: { path: repository.path, ...metadata },
    allowedPaths: [repository.root],
  });
}

function checked(harness: ConnectorHarness): Promise<readonly CheckFinding[]> {
  return connector.check(harness.ctx as ConnectorContext<GitConfig>); // its config is parsed by this schema
}

/** A program that leaves a mark when anything runs it. */
function canaryOf(repository: TemporaryRepository): { program: string; ran: () => boolean } {
  const mark = join(repository.root, 'ran');
  const program = join(repository.root, 'canary.sh');
  writeFileSync(program, `#!/bin/sh\ntouch '${mark}'\nexit 1\n`, { mode: 0o755 });
  return { program, ran: () => existsSync(mark) };
}

describe('a hostile repository', () => {
  it('runs nothing: no hook, monitor, signature check, filter, external diff, pager or alias', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', '# a\n');
    repository.write('.gitattributes', '*.md diff=evil filter=evil\n');
    repository.commit();
    signHead(repository);
    const { program, ran } = canaryOf(repository);
    const evil = [
      'core.fsmonitor',
      'gpg.program',
      'diff.external',
      'diff.evil.textconv',
      'diff.evil.command',
      'filter.evil.smudge',
    ];
    for (const name of [
      ...evil,
      'core.pager',
      'core.sshCommand',
      'core.editor',
      'core.askPass',
      'core.alternateRefsCommand',
    ]) {
      repository.git('config', name, program);
    }
    repository.git('config', 'log.showSignature', 'true');
    repository.git('config', 'alias.log', `!${program}`);
    repository.git('config', 'core.hooksPath', repository.root);
    const harness = harnessOf(repository);
    await checked(harness);
    expect(shown((await harness.pull('docs')).events)).toEqual(['+a.md']);
    expect((await harness.pull('commits')).events.length).toBeGreaterThan(0);
    expect(ran()).toBe(false);
    execFileSync('git', ['-C', repository.path, '--no-pager', 'log', '-1'], { stdio: 'pipe' });
    expect(ran(), 'plain git runs it, so this test can fail').toBe(true);
  });

  it('that is a partial clone fetches nothing: what it lacks becomes a failure', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', '# a\n');
    repository.commit();
    repository.git('config', 'uploadpack.allowFilter', 'true');
    const partial = join(repository.root, 'partial');
    repository.git('clone', '-q', '--no-checkout', '--filter=blob:none', `file://${repository.path}`, partial);
    const { program, ran } = canaryOf(repository);
    repository.git('-C', partial, 'config', 'remote.origin.uploadpack', program);
    const harness = harnessOf(repository, { path: partial });
    const docs = await harness.pull('docs');
    expect(docs.events).toEqual([]);
    expect(docs.failures).toMatchObject([{ key: 'a.md', code: 'record_invalid' }]);
    const commits = await harness.pull('commits');
    expect(commits.events).toHaveLength(1);
    expect(commits.events[0]?.data).not.toHaveProperty('insertions');
    expect(ran()).toBe(false);
  });

  it('cannot lead out of the allowed directories by a .git file, a link or borrowed objects', async () => {
    using secret = temporaryRepository();
    secret.write('secret.md', 'secret');
    secret.commit();
    using repository = temporaryRepository();
    const folder = (name: string): string => {
      mkdirSync(join(repository.root, name));
      return join(repository.root, name);
    };
    writeFileSync(join(folder('pointer'), '.git'), `gitdir: ${secret.path}/.git\n`);
    symlinkSync(join(secret.path, '.git'), join(folder('linked'), '.git'));
    symlinkSync(secret.path, join(repository.root, 'direct'));
    const borrowing = folder('borrowing');
    repository.git('clone', '-q', '--shared', secret.path, borrowing);
    for (const name of ['pointer', 'linked', 'direct', 'borrowing']) {
      const harness = harnessOf(repository, { path: join(repository.root, name) });
      await expect(harness.pull('docs'), name).rejects.toMatchObject({ code: 'path_not_allowed' });
      expect((await checked(harness)).at(-1)?.fault?.code, name).toBe('path_not_allowed');
    }
  });

  it('is not looked for above the allowed directories', async () => {
    using repository = temporaryRepository();
    repository.write('docs/a.md', 'a');
    repository.commit();
    const docs = join(repository.path, 'docs');
    await expect(openRepository(docs, '', [docs])).rejects.toMatchObject({ code: 'source_invalid' });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'of another user is read because its path was named (needs root to give a folder away)',
    async () => {
      using repository = temporaryRepository();
      repository.write('a.md', 'a');
      repository.commit();
      for (const entry of ['', '.git', ...readdirSync(join(repository.path, '.git')).map((name) => `.git/${name}`)]) {
        chownSync(join(repository.path, entry), 12_345, 12_345);
      }
      const harness = harnessOf(repository);
      expect(shown((await harness.pull('docs')).events)).toEqual(['+a.md']);
      expect((await harness.pull('commits')).events).toHaveLength(1);
    },
  );

  it('cannot pass a ref or a folder off as an option', () => {
    const accepted = (metadata: JsonValue): boolean => connector.config.safeParse(metadata).success;
    for (const ref of ['--output=/tmp/x', '-n1', '^main', 'HEAD:secret', ':/fix', 'a b', 'a\nb', ''])
      expect(accepted({ path: 'x', ref }), ref).toBe(false);
    for (const ref of ['main', 'feature/x', 'HEAD~2', 'v1.0^{}', 'main@{upstream}'])
      expect(accepted({ path: 'x', ref }), ref).toBe(true);
    for (const path of ['/etc', '../up', 'docs/../..', 'a\0b'])
      expect(accepted({ path: 'x', docs_path: path }), path).toBe(false);
  });

  it('with a folder that looks like pathspec magic means just that folder, listed and compared', async () => {
    using repository = temporaryRepository();
    const folders = [':(top)', ':(nonsense)', '*', ':!docs'];
    const files = (text: string) =>
      new Map([...folders, 'docs'].map((name) => [`${name}/a.md`, { content: text }] as const));
    repository.commitTree(files('one'));
    const harnesses = folders.map((folder) => harnessOf(repository, { docs_path: folder }));
    const first = await Promise.all(harnesses.map((harness) => harness.pull('docs')));
    expect(first.map(({ events }) => shown(events))).toEqual(folders.map((folder) => [`+${folder}/a.md`]));
    repository.commitTree(files('two'));
    const second = await Promise.all(harnesses.map((harness, at) => harness.pull('docs', first[at]?.cursor)));
    expect(second.map(({ events }) => shown(events))).toEqual(folders.map((folder) => [`+${folder}/a.md`]));
    expect(second.map(({ reconcile }) => reconcile)).toEqual(folders.map(() => false));
  });
});

describe('sizes', () => {
  it('are looked at before content: a document of 200 MB is refused without being read', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'a');
    repository.commit();
    // An object whose header promises 200 MB and whose content is not there: reading it would be reported as damage.
    const blob = '5'.repeat(40);
    mkdirSync(join(repository.path, '.git/objects/55'), { recursive: true });
    writeFileSync(
      join(repository.path, '.git/objects', '55', '5'.repeat(38)),
      deflateSync(Buffer.from(`blob ${200 * 1024 * 1024}\0truncated`)),
    );
    repository.git('update-index', '--add', '--cacheinfo', `100644,${blob},huge.md`);
    repository.git('commit', '-q', '-m', 'huge');
    const outcome = await harnessOf(repository).pull('docs');
    expect(shown(outcome.events)).toEqual(['+a.md']);
    expect(outcome.failures).toMatchObject([{ key: 'huge.md', code: 'record_too_large' }]);
    expect(outcome.failures[0]?.message).toContain('209715200 bytes');
    expect(outcome.skipped).toEqual({ too_large: 1 });
  });

  it('bound a page: documents that are large together arrive on several pages', async () => {
    using repository = temporaryRepository();
    const text = 'x'.repeat(1024 * 1024);
    repository.commitTree(
      new Map(Array.from({ length: 20 }, (_, at) => [`${at}.md`, { content: `${text.slice(0, -at - 1)}` }] as const)),
    );
    const outcome = await harnessOf(repository).pull('docs');
    expect(outcome.events).toHaveLength(20);
    expect(outcome.pages.map((page) => page.events.length)).toEqual([8, 8, 4]);
  });
});

describe('the git program', () => {
  it('that is not installed is a fault that says so', async () => {
    const signal = new AbortController().signal;
    await expect(runGit({ args: ['--version'], signal, program: 'git-that-is-not-there' })).rejects.toMatchObject({
      code: 'tool_missing',
    });
  });

  it('is killed with its whole group when the call is aborted', async () => {
    using repository = temporaryRepository();
    const abort = new AbortController();
    const program = join(repository.root, 'slow.sh');
    const pidFile = join(repository.root, 'pid');
    writeFileSync(
      program,
      `#!/bin/sh\ntail -f /dev/null & echo $! > '${pidFile}.new'; mv '${pidFile}.new' '${pidFile}'; echo started; wait\n`,
      { mode: 0o755 },
    );
    const running = runGit({
      args: [],
      signal: abort.signal,
      program,
      onOutput: () => abort.abort(new Error('time is up')),
    });
    await expect(running).rejects.toThrow('time is up');
    const pid = Number(execFileSync('cat', [pidFile]).toString());
    expect(isAlive(pid)).toBe(false);
  });

  it('leaves no process behind when a pull is dropped in the middle', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 6; at += 1) repository.write(`${at}.md`, 'x');
    repository.commit();
    const harness = connectorHarness(connector, {
      metadata: { path: repository.path },
      allowedPaths: [repository.root],
      batchSize: 2,
    });
    await harness.pull('docs', undefined, 1);
    await expect.poll(() => processesOf(repository.path)).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  const state = existsSync(`/proc/${pid}/status`) ? execFileSync('cat', [`/proc/${pid}/status`]).toString() : '';
  return state !== '' && !/^State:\s+Z/m.test(state); // a zombie waits for its parent only
}

function processesOf(path: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'stat,args']).toString().split('\n');
  return lines.filter((line) => line.includes(path) && !line.startsWith('Z'));
}

// A commit that says it is signed: with log.showSignature git would ask gpg.program about it.
function signHead(repository: TemporaryRepository): void {
  const [head = '', ...message] = repository.git('cat-file', 'commit', 'HEAD').split('\n\n');
  const signed = `${head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\n${message.join('\n\n')}\n`;
  repository.write('../signed', signed);
  repository.git(
    'update-ref',
    'HEAD',
    repository.git('hash-object', '-w', '-t', 'commit', join(repository.root, 'signed')),
  );
}
