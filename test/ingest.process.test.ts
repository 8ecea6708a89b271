import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  commitDocuments,
  documentText,
  temporaryRepository,
  type TemporaryRepository,
} from './process/temporary-repository.ts';
import { startWeir, until, weir, weirJson } from './process/weir-process.ts';

const MANY = 10_000;
const SLOW_MS = 120_000;

const repositories: TemporaryRepository[] = [];
afterEach(() => {
  for (const repository of repositories.splice(0)) repository.remove();
});

function repositoryOf(weirYaml?: string): TemporaryRepository {
  const repository = temporaryRepository(weirYaml);
  repositories.push(repository);
  return repository;
}

async function keysFound(folder: string, words: string): Promise<string[]> {
  const answer = await weirJson(folder, ['search', words, '--limit', '50']);
  return (answer['results'] as { key: string }[]).map(({ key }) => key).sort();
}

describe('documents of a repository', () => {
  it('follows edits, renames, deletes and force pushes exactly', async () => {
    const repo = repositoryOf();
    repo.write('kept.md', '# Kept\n\nheron stays\n');
    repo.write('edited.md', '# Edited\n\nold heron\n');
    repo.write('renamed.md', '# Renamed\n\nmoving heron\n');
    repo.write('deleted.md', '# Deleted\n\ndoomed heron\n');
    repo.git('add', '-A');
    repo.git('commit', '-qm', 'one');
    expect((await weir(repo.folder, ['run', 'git'])).code).toBe(0);
    expect(await keysFound(repo.folder, 'heron')).toEqual(['deleted.md', 'edited.md', 'kept.md', 'renamed.md']);

    repo.write('edited.md', '# Edited\n\nnew egret\n');
    repo.git('mv', 'renamed.md', 'moved.md');
    repo.git('rm', '-q', 'deleted.md');
    repo.git('add', '-A');
    repo.git('commit', '-q', '--amend', '-m', 'one, told differently');
    repo.git('reflog', 'expire', '--expire=now', '--all');
    repo.git('gc', '-q', '--prune=now');
    expect((await weir(repo.folder, ['run', 'git'])).code).toBe(0);
    expect(await keysFound(repo.folder, 'heron')).toEqual(['kept.md', 'moved.md']);
    expect(await keysFound(repo.folder, 'egret')).toEqual(['edited.md']);
    expect(await keysFound(repo.folder, 'doomed')).toEqual([]);
  });

  it('are searchable with the file and the line of the hit', async () => {
    const repo = repositoryOf();
    repo.write('guide.md', '# Guide\n\nfirst\n\nthe bittern stands on line five\n');
    repo.git('add', '-A');
    repo.git('commit', '-qm', 'one');
    await weir(repo.folder, ['run', 'git']);
    const answer = await weirJson(repo.folder, ['search', 'bittern']);
    expect(answer['results']).toMatchObject([{ key: 'guide.md', line: 5, url: `file://${repo.repo}/guide.md#L5` }]);
  });
});

describe('a process that ends in the middle', () => {
  it(
    'has every document once and none missing after kill -9 at several moments',
    async () => {
      const repo = repositoryOf();
      commitDocuments(repo, MANY);
      for (const percent of [5, 35, 65]) {
        const running = await startWeir(repo.folder);
        await until(
          `${percent} % of the documents`,
          async () => (await eventsTotal(running.url)) >= (MANY * percent) / 100,
        );
        expect(await eventsTotal(running.url)).toBeLessThan(MANY);
        await running.end('SIGKILL');
      }
      await finish(repo);
      expectEveryDocumentOnce(repo);
    },
    SLOW_MS,
  );

  it(
    'ends with 0 on SIGTERM and goes on where it was',
    async () => {
      const repo = repositoryOf();
      commitDocuments(repo, MANY);
      const running = await startWeir(repo.folder);
      await until('a tenth of the documents', async () => (await eventsTotal(running.url)) >= MANY / 10);
      expect(await running.end('SIGTERM')).toBe(0);
      expect(running.stderr()).toContain('everything acknowledged is stored');
      await finish(repo);
      expectEveryDocumentOnce(repo);
    },
    SLOW_MS,
  );
});

async function eventsTotal(url: string): Promise<number> {
  const answer = (await (await fetch(new URL('/api/v1/connectors', url))).json()) as {
    connectors: { events_total: number }[];
  };
  return answer.connectors[0]?.events_total ?? 0;
}

async function finish(repo: TemporaryRepository): Promise<void> {
  const running = await startWeir(repo.folder);
  const result = await weirJson(repo.folder, ['run', 'git']);
  expect(result['result']).toBe('succeeded');
  expect(await running.end('SIGTERM')).toBe(0);
}

function expectEveryDocumentOnce({ folder }: TemporaryRepository): void {
  const db = new DatabaseSync(join(folder, '.weir/weir.sqlite'), { readOnly: true });
  const count = (sql: string): unknown => db.prepare(sql).get()?.['n'];
  expect(count('SELECT count(*) AS n FROM doc WHERE deleted = 0')).toBe(MANY);
  expect(count("SELECT count(*) AS n FROM timeline WHERE kind = 'document'")).toBe(MANY);
  expect(count('SELECT events_total AS n FROM stream')).toBe(MANY);
  expect(count('SELECT count(*) AS n FROM doc_text WHERE doc_text MATCH \'"word"\'')).toBe(MANY);
  expect(count("SELECT count(*) AS n FROM doc_text WHERE doc_text MATCH 'doc1234x'")).toBe(1);
  expect(db.prepare('PRAGMA integrity_check').get()?.['integrity_check']).toBe('ok');
  expect(db.prepare("SELECT text FROM doc WHERE key = 'docs/d6/document-1234.md'").get()?.['text']).toBe(
    documentText(1234),
  );
  db.close();
}
