import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JsonValue } from '#sdk/index.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { DeliveredDocuments } from './fixtures/delivered-documents.ts';
import { temporaryRepository, type TemporaryRepository, type TreeFile } from './fixtures/temporary-repository.ts';
import { isDocumentName } from './document-filter.ts';
import { keyOfPath } from './git-path.ts';

const PATHS = [
  'a.md',
  'b.md',
  'docs/a.md',
  'docs/b.txt',
  'both.md',
  'both.md/inner.md',
  'main.c',
  'caf\u00e9.md',
  'new\nline.md',
];
const FILES: readonly TreeFile[] = [
  { content: 'one' },
  { content: 'two' },
  { content: 'one', mode: '100755' },
  { content: 'a.md', mode: '120000' },
  { content: '3'.repeat(40), mode: '160000' },
  { content: Buffer.from([0, 1, 2]) },
  { content: 'version https://git-lfs.github.com/spec/v1\nsize 9\n' },
];

const tree = fc.dictionary(fc.constantFrom(...PATHS), fc.constantFrom(...FILES), { maxKeys: 6 }).map((files) => {
  if (files['both.md'] !== undefined) delete files['both.md/inner.md']; // one name is a file or a folder
  return files;
});

const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), files: tree, onto: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pull' as const), pagesMax: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), to: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('collect' as const) }) },
);

it('after any commits, force pushes, collections and crashes, what was delivered is the tree of the ref', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 2, maxLength: 9 }),
      fc.integer({ min: 1, max: 3 }),
      async (actions, batchSize) => {
        using repository = temporaryRepository();
        const shas: string[] = [repository.commitTree(new Map([['a.md', { content: 'first' }]]))];
        const harness = connectorHarness(connector, {
          metadata: { path: repository.path },
          allowedPaths: [repository.root],
          batchSize,
        });
        const delivered = new DeliveredDocuments();
        let cursor: JsonValue | undefined;
        const pull = async (pagesMax?: number): Promise<void> => {
          const outcome = await harness.pull('docs', cursor, pagesMax);
          cursor = outcome.cursor;
          await delivered.settle(harness, outcome);
        };
        for (const step of actions) {
          if (step.do === 'commit')
            shas.push(repository.commitTree(asChanges(step.files, step.onto), { onto: step.onto }));
          else if (step.do === 'pull') await pull(step.pagesMax);
          else if (step.do === 'reset') {
            const to = shas[step.to % shas.length] ?? '';
            if (exists(repository.git, to)) repository.git('update-ref', 'refs/heads/main', to);
          } else {
            repository.git('reflog', 'expire', '--expire=now', '--all');
            repository.git('prune', '--expire=now');
            repository.git('-c', 'gc.pruneExpire=now', 'repack', '-adq');
          }
        }
        await pull();
        expect(delivered.blobs).toEqual(documentsAt(repository));
        expect((await harness.pull('docs', cursor)).pages).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

function asChanges(files: Readonly<Record<string, TreeFile>>, onto: boolean): Map<string, TreeFile | null> {
  // On top of a parent, what is not named is deleted, so that every commit is exactly its files.
  const gone = onto ? PATHS.filter((path) => files[path] === undefined).map((path) => [path, null] as const) : [];
  return new Map([...gone, ...Object.entries(files)]);
}

function exists(git: (...args: string[]) => string, sha: string): boolean {
  try {
    git('cat-file', '-e', `${sha}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

/** The judgement of another reader: files as git lists them, contents one by one. */
function documentsAt(repository: TemporaryRepository): Map<string, string> {
  const documents = [...repository.tree()].filter(([path, blob]) => {
    const content = repository.git('cat-file', 'blob', blob);
    return isDocumentName(path) && !content.includes('\0') && !content.startsWith('version https://git-lfs');
  });
  return new Map(
    documents.map(([path, blob]) => [keyOfPath(path), blob] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
