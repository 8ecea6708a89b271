import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sealEvent } from '#core/event.ts';
import type { EventDraft, JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { temporaryRepository, type TemporaryRepository } from './fixtures/temporary-repository.ts';

function harnessOf(repository: TemporaryRepository, batchSize = 50) {
  return connectorHarness(connector, {
    metadata: { path: repository.path },
    allowedPaths: [repository.root],
    batchSize,
  });
}

function titles(events: readonly EventDraft[]): (string | undefined)[] {
  return events.map((event) => event.title);
}

function grow(repository: TemporaryRepository, names: readonly string[]): string[] {
  return names.map((name) => {
    repository.write('a.md', name);
    return repository.commit(name);
  });
}

describe('commits', () => {
  it('arrive oldest first with subject, body, author, time, parents and counts', async () => {
    using repository = temporaryRepository();
    const [first = ''] = grow(repository, ['start']);
    repository.write('a.md', 'one\ntwo\n');
    repository.write('b.md', 'three\n');
    const second = repository.commit('Add things\n\nBecause of\nreasons.\n');
    const { events } = await harnessOf(repository).pull('commits');
    expect(events.map((event) => event.key)).toEqual([first, second]);
    expect(events[1]).toMatchObject({
      kind: 'signal',
      title: 'Add things',
      text: 'Because of\nreasons.',
      time: '2025-06-15T15:08:40.000Z',
      severity: 'low',
      tags: [],
      context: { commit: second },
      data: { sha: second, parents: [first], author: 'Ada Writer', files_changed: 2, insertions: 3, deletions: 1 },
    });
    expect(JSON.stringify(events)).not.toContain('ada@example.org');
  });

  it('are tagged when they merge or revert', async () => {
    using repository = temporaryRepository();
    grow(repository, ['base']);
    repository.git('checkout', '-q', '-b', 'side');
    repository.write('side.md', 'x');
    repository.commit('side');
    repository.git('checkout', '-q', 'main');
    repository.write('main.md', 'x');
    repository.commit('main');
    repository.git('merge', '-q', '--no-ff', '-m', 'Merge side', 'side');
    repository.git('revert', '--no-edit', 'HEAD~1');
    const { events } = await harnessOf(repository).pull('commits');
    const tagsOf = (title: string): unknown => events.find((event) => event.title === title)?.tags;
    expect(tagsOf('Merge side')).toEqual(['merge']);
    expect(tagsOf('Revert "main"')).toEqual(['revert']);
    expect(tagsOf('side')).toEqual([]);
  });

  it('begin with the newest 500 of a long history, then only new ones follow', async () => {
    using repository = temporaryRepository();
    for (let at = 0; at < 4; at += 1)
      repository.commitTree(new Map([['a.md', { content: `${at}` }]]), { onto: at > 0 });
    importEmptyCommits(repository, 600);
    const harness = harnessOf(repository);
    const first = await harness.pull('commits');
    expect(first.events).toHaveLength(500);
    expect([first.events[0]?.title, first.events.at(-1)?.title]).toEqual(['empty 100', 'empty 599']);
    expect((await harness.pull('commits', first.cursor)).pages).toEqual([]);
    repository.commitTree(new Map([['a.md', { content: 'new' }]]), { onto: true, message: 'after' });
    expect(titles((await harness.pull('commits', first.cursor)).events)).toEqual(['after']);
  });

  it('are exactly the new ones after a force push, and the newest again when the old one is gone', async () => {
    using repository = temporaryRepository();
    const [one = ''] = grow(repository, ['one', 'two', 'three']);
    const harness = harnessOf(repository);
    const first = await harness.pull('commits');
    repository.git('reset', '-q', '--hard', one);
    grow(repository, ['two, again']);
    const second = await harness.pull('commits', first.cursor);
    expect(titles(second.events)).toEqual(['two, again']);
    repository.git('reset', '-q', '--hard', one);
    grow(repository, ['two, once more']);
    repository.git('reflog', 'expire', '--expire=now', '--all');
    repository.git('gc', '-q', '--prune=now');
    const third = await harness.pull('commits', second.cursor);
    expect(titles(third.events)).toEqual(['one', 'two, once more']);
    expect(idsOf(third.events)[0], 'seen again, it is the same event').toBe(idsOf(first.events)[0]);
  });

  it('are all delivered when the pull stops after any page and the ref moves meanwhile', async () => {
    using repository = temporaryRepository();
    grow(
      repository,
      Array.from({ length: 11 }, (_, at) => `early ${at}`),
    );
    const harness = harnessOf(repository, 2);
    const seen: EventDraft[] = [];
    let cursor: JsonValue | undefined;
    for (let run = 0; run < 30; run += 1) {
      const outcome = await harness.pull('commits', cursor, 1);
      seen.push(...outcome.events);
      cursor = outcome.cursor;
      if (run < 4) grow(repository, [`late ${run}`]);
    }
    const expected = repository.git('log', '--reverse', '--format=%s').split('\n');
    expect(titles(seen)).toEqual(expected);
    expect(expected).toHaveLength(15);
  });

  it('without a message, in another encoding, from an impossible time or with controls do no harm', async () => {
    using repository = temporaryRepository();
    grow(repository, ['start']);
    const raw = (time: string, message: Buffer, name = 'A'): void => {
      const parent = repository.git('rev-parse', 'HEAD');
      const tree = repository.git('rev-parse', 'HEAD^{tree}');
      const head = `tree ${tree}\nparent ${parent}\nauthor ${name} <a@b> ${time} +0000\ncommitter ${name} <a@b> ${time} +0000\n\n`;
      writeFileSync(join(repository.root, 'raw'), Buffer.concat([Buffer.from(head, 'latin1'), message]));
      repository.git(
        'update-ref',
        'HEAD',
        repository.git('hash-object', '--literally', '-w', '-t', 'commit', join(repository.root, 'raw')),
      );
    };
    raw('1750000100', Buffer.from(''));
    raw('1750000200', Buffer.from('caf\u00e9\n\nna\u00efve', 'latin1'));
    raw('99999999999999', Buffer.from('\u001b[31mred\u202e\n'), 'Zo\u00eb\u001b');
    const { events } = await harnessOf(repository).pull('commits');
    for (const event of events) sealEvent({ tenant: 't', connection: 'c', connector: 'git', stream: 'commits' }, event);
    expect(titles(events).toSorted()).toEqual(['(no message)', 'caf\u00e9', 'start', '\ufffd[31mred\ufffd'].toSorted());
    expect(events.every((event) => /^\d{4}-\d\d-\d\dT/.test(event.time))).toBe(true);
  });

  it('with a message of more than 1 MiB become a failure', async () => {
    using repository = temporaryRepository();
    repository.commitTree(new Map([['a.md', { content: 'a' }]]), { message: 'x'.repeat(2 * 1024 * 1024) });
    repository.commitTree(new Map([['a.md', { content: 'b' }]]), { message: 'small', onto: true });
    const outcome = await harnessOf(repository).pull('commits');
    expect(titles(outcome.events)).toEqual(['small']);
    expect(outcome.failures).toMatchObject([{ code: 'record_too_large' }]);
  });

  it('are none in a repository that has none, and not asked for when commits is false', async () => {
    using repository = temporaryRepository();
    expect((await harnessOf(repository).pull('commits')).pages).toEqual([]);
    const config = (commits: boolean): unknown => connector.config.parse({ path: 'x', commits });
    expect(connector.enabledStreams?.(config(false) as never)).toEqual(['docs']);
    expect(connector.enabledStreams?.(config(true) as never)).toEqual(['docs', 'commits']);
  });
});

function importEmptyCommits(repository: TemporaryRepository, count: number): void {
  for (let at = 0, parent = repository.git('rev-parse', 'main'); at < count; at += 1) {
    parent = repository.git('commit-tree', '-p', parent, '-m', `empty ${at}`, `main^{tree}`);
    if (at === count - 1) repository.git('update-ref', 'refs/heads/main', parent);
  }
}

function idsOf(events: readonly EventDraft[]): string[] {
  return events.map(
    (event) => sealEvent({ tenant: 't', connection: 'c', connector: 'git', stream: 'commits' }, event).event.id,
  );
}
