import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sealEvent } from '#core/event.ts';
import type { EventDraft, JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { shown } from './fixtures/delivered-documents.ts';
import { temporaryRepository, type TemporaryRepository } from './fixtures/temporary-repository.ts';

function harnessOf(repository: TemporaryRepository, metadata: Record<string, JsonValue> = {}, batchSize = 50) {
  return connectorHarness(connector, {
    metadata: { path: repository.path, ...metadata },
    allowedPaths: [repository.root],
    batchSize,
  });
}

function only(events: readonly EventDraft[], key: string): EventDraft {
  const found = events.filter((event) => event.key === key);
  expect(found).toHaveLength(1);
  return found[0] as EventDraft; // the line above proves it
}

describe('names', () => {
  it('with newline, tab, quotes, controls and invalid UTF-8 arrive as distinct keys that lead back to their bytes', async () => {
    using repository = temporaryRepository();
    const nfc = Buffer.from('caf\u00e9.md').toString('latin1');
    const nfd = Buffer.from('cafe\u0301.md').toString('latin1');
    const names = [
      'new\nline.md',
      'tab\t.md',
      'quo"te\'s.md',
      'esc\u001b[31m.md',
      'caf\u00e9.md',
      'caf%E9.md',
      nfc,
      nfd,
      '-rf.md',
      '#L1.md',
    ];
    repository.commitTree(
      new Map(names.map((name) => [name, { content: `# ${Buffer.from(name, 'latin1').toString('hex')}\n` }])),
    );
    const { events } = await harnessOf(repository).pull('docs');
    const keys = events.map((event) => event.key);
    expect(new Set(keys).size).toBe(names.length);
    expect(keys).toContain('bytes://caf%E9.md');
    expect(keys).toContain('caf%E9.md');
    expect(keys).toContain('new\nline.md');
    for (const event of events) sealEvent({ tenant: 't', connection: 'c', connector: 'git', stream: 'docs' }, event);
    expect(only(events, 'new\nline.md').url).toBe(`file://${repository.path}/new%0Aline.md#L{line}`);
    expect(only(events, 'bytes://caf%E9.md').url).toBe(`file://${repository.path}/caf%E9.md#L{line}`);
  });

  it('too long for a key become a failure, and nothing else is held up', async () => {
    using repository = temporaryRepository();
    const long = `${'d'.repeat(200)}/`.repeat(6);
    repository.commitTree(
      new Map([
        [`${long}a.md`, { content: 'a' }],
        ['b.md', { content: 'b' }],
      ]),
    );
    const outcome = await harnessOf(repository).pull('docs');
    expect(shown(outcome.events)).toEqual(['+b.md']);
    expect(outcome.failures).toMatchObject([{ code: 'record_too_large' }]);
  });
});

describe('entries that are no documents', () => {
  it('are skipped and counted: symlinks, submodules, LFS pointers, binaries, and files by their name', async () => {
    using repository = temporaryRepository();
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n';
    repository.commitTree(
      new Map([
        ['a.md', { content: 'a' }],
        ['link.md', { mode: '120000', content: '/etc/passwd' }],
        ['sub', { mode: '160000', content: '1'.repeat(40) }],
        ['large.md', { content: pointer }],
        ['binary.txt', { content: Buffer.from([1, 2, 0, 3]) }],
        ['main.c', { content: 'int main;' }],
        ['LICENSE', { content: 'text' }],
      ]),
    );
    const harness = harnessOf(repository);
    const outcome = await harness.pull('docs');
    expect(shown(outcome.events)).toEqual(['+LICENSE', '+a.md']);
    expect(outcome.skipped).toEqual({ symlink: 1, submodule: 1, lfs_pointer: 1, binary: 1, not_a_document: 1 });
    expect((await harness.listIds('docs', outcome.cursor ?? null)).toSorted()).toEqual(['LICENSE', 'a.md']);
  });

  it('are deleted when they were documents before, and come back when they are again', async () => {
    using repository = temporaryRepository();
    const names = ['link.md', 'sub.md', 'lfs.md', 'binary.md', 'folder.md', 'huge.md'];
    const asText = new Map(names.map((name) => [name, { content: `text of ${name}` }] as const));
    repository.commitTree(asText);
    const harness = harnessOf(repository);
    const first = await harness.pull('docs');
    expect(first.events).toHaveLength(names.length);
    repository.commitTree(
      new Map([
        ['link.md', { mode: '120000', content: '../outside' }],
        ['sub.md', { mode: '160000', content: '2'.repeat(40) }],
        ['lfs.md', { content: 'version https://git-lfs.github.com/spec/v1\nsize 1\n' }],
        ['binary.md', { content: Buffer.from([0]) }],
        ['folder.md/inner.md', { content: 'inner' }],
        ['huge.md', { content: 'x'.repeat(3 * 1024 * 1024) }],
      ]),
    );
    const second = await harness.pull('docs', first.cursor);
    expect(shown(second.events).toSorted()).toEqual([
      '+folder.md/inner.md',
      ...names.map((name) => `-${name}`).toSorted(),
    ]);
    expect(second.failures).toMatchObject([{ key: 'huge.md', code: 'record_too_large' }]);
    repository.commitTree(asText);
    const third = await harness.pull('docs', second.cursor);
    expect(shown(third.events)).toEqual([...names.toSorted().map((name) => `+${name}`), '-folder.md/inner.md']);
  });

  it('never follow a symbolic link out of the tree, as file or as folder', async () => {
    using repository = temporaryRepository();
    mkdirSync(join(repository.root, 'outside'));
    symlinkSync('../outside', join(repository.path, 'docs'));
    symlinkSync('/etc/hostname', join(repository.path, 'README.md'));
    repository.commit();
    const outcome = await harnessOf(repository).pull('docs');
    expect(outcome.events).toEqual([]);
    expect(outcome.skipped).toEqual({ symlink: 2 });
  });
});
