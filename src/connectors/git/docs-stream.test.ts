import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EventDraft, JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { DeliveredDocuments, shown } from './fixtures/delivered-documents.ts';
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

describe('changes between two states of the ref', () => {
  it('are exact for adds, edits, renames and deletes, and a renamed document is written before it is deleted', async () => {
    using repository = temporaryRepository();
    for (const name of ['kept', 'edited', 'old', 'removed'])
      repository.write(`docs/${name}.md`, `# ${name}\n\nbody of ${name}\n`);
    repository.commit();
    const harness = harnessOf(repository);
    const first = await harness.pull('docs');
    expect(shown(first.events)).toEqual(['+docs/edited.md', '+docs/kept.md', '+docs/old.md', '+docs/removed.md']);
    expect(first.reconcile).toBe(false);

    repository.write('docs/edited.md', '# edited twice\n');
    repository.write('docs/added.md', '# added\n');
    renameSync(join(repository.path, 'docs/old.md'), join(repository.path, 'docs/new.md'));
    rmSync(join(repository.path, 'docs/removed.md'));
    const target = repository.commit();
    const second = await harness.pull('docs', first.cursor);
    expect(shown(second.events)).toEqual([
      '+docs/added.md',
      '+docs/edited.md',
      '+docs/new.md',
      '-docs/old.md',
      '-docs/removed.md',
    ]);
    expect(second.reconcile).toBe(false);
    expect(second.events.every((event) => event.context?.['commit'] === target)).toBe(true);
    expect(Math.min(...second.events.map((event) => event.version))).toBeGreaterThan(
      Math.max(...first.events.map((event) => event.version)),
    );
  });

  it('are none when the ref did not move, and then one process answers', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'a');
    repository.commit();
    const harness = harnessOf(repository);
    const first = await harness.pull('docs');
    harness.clock.stepWall(60_000);
    const callsBefore = harness.calls.length;
    const again = await harness.pull('docs', first.cursor);
    expect(again.pages).toEqual([]);
    expect(harness.calls.slice(callsBefore)).toEqual(['open_repository', 'resolve_ref']);
  });

  it('advance the cursor past commits that touch no document', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'a');
    repository.commit();
    const harness = harnessOf(repository);
    const first = await harness.pull('docs');
    repository.write('code.c', 'int main;');
    const target = repository.commit();
    const second = await harness.pull('docs', first.cursor);
    expect(second.events).toEqual([]);
    expect(second.skipped).toEqual({ not_a_document: 1 });
    expect(second.cursor).toMatchObject({ done: target, walk: null });
  });

  it('are exact after an amended commit, a reset to an older one, and a divergent history', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'one');
    const base = repository.commit();
    const harness = harnessOf(repository);
    const delivered = new DeliveredDocuments();
    let outcome = await harness.pull('docs');
    await delivered.settle(harness, outcome);
    const follow = async (): Promise<string[]> => {
      outcome = await harness.pull('docs', outcome.cursor);
      expect(outcome.reconcile).toBe(false);
      await delivered.settle(harness, outcome);
      expect(delivered.blobs).toEqual(repository.tree());
      return shown(outcome.events);
    };
    repository.write('b.md', 'two');
    repository.commit();
    expect(await follow()).toEqual(['+b.md']);
    repository.write('b.md', 'two, amended');
    repository.git('add', '-A');
    repository.git('commit', '-q', '--amend', '-m', 'amended');
    expect(await follow()).toEqual(['+b.md']);
    repository.git('reset', '-q', '--hard', base);
    expect(await follow()).toEqual(['-b.md']);
    repository.git('checkout', '-q', '--orphan', 'other');
    repository.git('rm', '-rfq', '.');
    repository.write('c.md', 'another history');
    repository.commit();
    repository.git('branch', '-f', 'main', 'other');
    expect(await follow()).toEqual(['+c.md', '-a.md']);
  });

  it('fall back to a full listing that is reconciled when the old commit was garbage-collected', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'one');
    const base = repository.commit();
    repository.write('gone.md', 'two');
    repository.commit();
    const harness = harnessOf(repository);
    const delivered = new DeliveredDocuments();
    const first = await harness.pull('docs');
    await delivered.settle(harness, first);
    repository.git('reset', '-q', '--hard', base);
    repository.write('b.md', 'three');
    repository.commit();
    repository.git('reflog', 'expire', '--expire=now', '--all');
    repository.git('gc', '-q', '--prune=now');
    const second = await harness.pull('docs', first.cursor);
    expect(shown(second.events)).toEqual(['+a.md', '+b.md']);
    expect(second.pages.map((page) => page.reconcile)).toEqual([true]);
    expect((await harness.listIds('docs', second.cursor ?? null)).toSorted()).toEqual(['a.md', 'b.md']);
    await delivered.settle(harness, second);
    expect(delivered.blobs).toEqual(repository.tree());
  });

  it('list everything anew when docs_path changes, and reconcile what is outside of it', async () => {
    using repository = temporaryRepository();
    repository.write('docs/a.md', 'a');
    repository.write('b.md', 'b');
    repository.commit();
    const first = await harnessOf(repository).pull('docs');
    const narrower = harnessOf(repository, { docs_path: './docs/' });
    const second = await narrower.pull('docs', first.cursor);
    expect(shown(second.events)).toEqual(['+docs/a.md']);
    expect(second.reconcile).toBe(true);
    expect(await narrower.listIds('docs', second.cursor ?? null)).toEqual(['docs/a.md']);
  });
});

describe('a repository in an unusual state', () => {
  it('without any commit gives no events and no failure', async () => {
    using repository = temporaryRepository();
    const outcome = await harnessOf(repository).pull('docs');
    expect(outcome).toMatchObject({ pages: [], failures: [] });
  });

  it('whose ref vanished is a fault, not a mass deletion', async () => {
    using repository = temporaryRepository();
    repository.write('a.md', 'a');
    repository.commit();
    const harness = harnessOf(repository, { ref: 'main' });
    const first = await harness.pull('docs');
    repository.git('checkout', '-q', '--detach');
    repository.git('branch', '-D', 'main');
    await expect(harness.pull('docs', first.cursor)).rejects.toMatchObject({ code: 'source_missing' });
  });

  it('cloned shallowly is walked, and followed past its cut', async () => {
    using repository = temporaryRepository();
    for (const text of ['one', 'two', 'three']) {
      repository.write('a.md', text);
      repository.commit();
    }
    const shallow = join(repository.root, 'shallow');
    repository.git('clone', '-q', '--depth', '1', `file://${repository.path}`, shallow);
    const harness = harnessOf(repository, { path: shallow, ref: 'origin/main' });
    const first = await harness.pull('docs');
    expect(shown(first.events)).toEqual(['+a.md']);
    repository.write('b.md', 'new');
    repository.commit();
    repository.git('-C', shallow, 'fetch', '-q', '--depth', '1', 'origin');
    const second = await harness.pull('docs', first.cursor);
    expect(shown(second.events)).toEqual(['+b.md']);
    repository.write('c.md', 'newer');
    repository.commit();
    repository.git('-C', shallow, 'fetch', '-q', '--depth', '1', 'origin');
    repository.git('-C', shallow, 'reflog', 'expire', '--expire=now', '--all');
    repository.git('-C', shallow, 'update-ref', 'HEAD', 'origin/main');
    repository.git('-C', shallow, 'update-ref', 'refs/heads/main', 'origin/main');
    repository.git('-C', shallow, 'reflog', 'expire', '--expire=now', '--all');
    repository.git('-C', shallow, 'gc', '-q', '--prune=now');
    const third = await harness.pull('docs', second.cursor);
    expect(third.reconcile).toBe(true);
    expect(shown(third.events)).toEqual(['+a.md', '+b.md', '+c.md']);
  });

  it('may be bare: then addresses name repository, path and commit', async () => {
    using repository = temporaryRepository();
    repository.write('docs/a b.md', 'a');
    const sha = repository.commit();
    const bare = join(repository.root, 'bare.git');
    repository.git('clone', '-q', '--bare', repository.path, bare);
    const { events } = await harnessOf(repository, { path: bare }).pull('docs');
    expect(only(events, 'docs/a b.md').url).toBe(`git:${bare}/docs/a%20b.md@${sha}#L{line}`);
  });

  it('may be a linked work tree, and a subfolder means only what is below it', async () => {
    using repository = temporaryRepository();
    repository.write('docs/a.md', 'a');
    repository.write('b.md', 'b');
    repository.commit();
    const linked = join(repository.root, 'linked');
    repository.git('worktree', 'add', '-q', '-b', 'side', linked);
    const all = await harnessOf(repository, { path: linked }).pull('docs');
    expect(shown(all.events)).toEqual(['+b.md', '+docs/a.md']);
    expect(only(all.events, 'b.md').url).toBe(`file://${linked}/b.md#L{line}`);
    const below = await harnessOf(repository, { path: join(linked, 'docs') }).pull('docs');
    expect(shown(below.events)).toEqual(['+docs/a.md']);
  });

  it('may name its objects by SHA-256', async () => {
    using repository = temporaryRepository('--object-format=sha256');
    repository.write('a.md', 'a');
    repository.commit();
    const harness = harnessOf(repository);
    const first = await harness.pull('docs');
    repository.write('a.md', 'b');
    repository.commit();
    const second = await harness.pull('docs', first.cursor);
    expect(shown(second.events)).toEqual(['+a.md']);
    const commits = await harness.pull('commits');
    expect(commits.events.map((event) => event.key.length)).toEqual([64, 64]);
  });

  it('with a damaged blob keeps it as a failure and reads the rest', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 20; at += 1) repository.write(`${at}.md`, `text ${at} ${'x'.repeat(100 + at)}`);
    repository.commit();
    for (const at of [3, 4, 19]) damage(repository, repository.git('rev-parse', `HEAD:${at}.md`));
    const outcome = await harnessOf(repository).pull('docs');
    expect(outcome.events).toHaveLength(17);
    expect(outcome.failures.map(({ key, code }) => `${key} ${code}`).toSorted()).toEqual(
      ['19.md', '3.md', '4.md'].map((key) => `${key} record_invalid`),
    );
  });
});

function damage(repository: TemporaryRepository, blob: string): void {
  const file = join(repository.path, '.git/objects', blob.slice(0, 2), blob.slice(2));
  rmSync(file);
  repository.write(join('.git/objects', blob.slice(0, 2), blob.slice(2)), Buffer.from('7801abcdef', 'hex'));
}
