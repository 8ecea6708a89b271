import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ConnectorContext, JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import { isOlder } from './check.ts';
import connector from './connector.ts';
import { temporaryRepository, type TemporaryRepository } from './fixtures/temporary-repository.ts';
import type { GitConfig } from './git-config.ts';
import { gitFault } from './git-process.ts';

async function checked(repository: TemporaryRepository, metadata: Record<string, JsonValue> = {}): Promise<string[]> {
  const harness = connectorHarness(connector, {
    metadata: { path: repository.path, ...metadata },
    allowedPaths: [repository.root],
  });
  const findings = await connector.check(harness.ctx as ConnectorContext<GitConfig>); // its config is parsed by this schema
  return findings.map(
    ({ ok, message, fault }) => `${ok ? 'ok' : (fault?.code ?? '?')}: ${message.replaceAll(repository.root, '')}`,
  );
}

it('a good configuration gives one finding for git, the repository, the ref and the folder', async () => {
  using repository = temporaryRepository();
  repository.write('docs/a.md', 'a');
  const sha = repository.commit();
  const [git, ...rest] = await checked(repository, { docs_path: 'docs' });
  expect(git).toMatch(/^ok: git \d+\.\d+/);
  expect(rest).toEqual([
    'ok: /repository is a repository, read from /repository/.git.',
    `ok: HEAD is at commit ${sha.slice(0, 12)}.`,
    'ok: Documents are taken from docs/.',
  ]);
});

it('each thing that can be wrong has its own code and a sentence that names it', async () => {
  using repository = temporaryRepository();
  repository.write('docs/a.md', 'a');
  repository.commit();
  mkdirSync(join(repository.root, 'plain'));
  const last = async (metadata: Record<string, JsonValue>): Promise<string | undefined> =>
    (await checked(repository, metadata)).at(-1);
  expect(await last({ path: join(repository.root, 'nothing') })).toBe('source_missing: /nothing does not exist.');
  expect(await last({ path: '/' })).toMatch(/^path_not_allowed: /);
  expect(await last({ path: join(repository.root, 'plain') })).toMatch(
    /^source_invalid: \/plain is not a git repository/,
  );
  expect(await last({ ref: 'nope' })).toMatch(/^source_missing: nope names no commit/);
  expect(await last({ docs_path: 'handbook' })).toMatch(/^source_missing: HEAD has no folder handbook/);
  expect(await last({ docs_path: 'docs/a.md' })).toMatch(/^source_missing: HEAD has no folder docs\/a.md/);
});

it('a repository without commits is fine and says that there is nothing to sync', async () => {
  using repository = temporaryRepository();
  expect((await checked(repository)).at(-1)).toMatch(/^ok: .* has no commit yet/);
});

it('a damaged repository is source_invalid with the words of git', async () => {
  using repository = temporaryRepository();
  repository.commit();
  writeFileSync(join(repository.path, '.git/config'), '[core\nbroken');
  expect((await checked(repository)).at(-1)).toMatch(/^source_invalid: .*bad config line/);
  rmSync(join(repository.path, '.git/HEAD'));
  expect((await checked(repository)).at(-1)).toMatch(/^source_invalid: .*no HEAD/);
});

it('a repository that may not be read is permission_missing', () => {
  const fault = gitFault('/srv/r/.git', "error: cannot open '/srv/r/.git/packed-refs': Permission denied\n");
  expect([fault.code, fault.message]).toEqual([
    'permission_missing',
    "/srv/r/.git cannot be read by this user: error: cannot open '/srv/r/.git/packed-refs': Permission denied",
  ]);
});

it('git before 2.32 is too old, because it would obey the configuration of the user', () => {
  expect(['2.31.9', '1.99', '2.9.5'].map(isOlder)).toEqual([true, true, true]);
  expect(['2.32.0', '2.39.5', '3.0'].map(isOlder)).toEqual([false, false, false]);
});
