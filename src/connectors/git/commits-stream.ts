import { z } from 'zod';
import { defineStream, type ConnectorContext, type Page } from '#sdk/index.ts';
import { openBlobReader } from './blob-reader.ts';
import { readCommits } from './commit-log.ts';
import type { GitConfig } from './git-config.ts';
import { runGit, runGitOk } from './git-process.ts';
import { openRepository, type Repository } from './repository.ts';
import { headOf, isPresent, SHA_PATTERN } from './revision.ts';

export const COMMIT_LIMITS = {
  firstCommitsMax: 500, // the newest ones, when nothing older is known; the rest of the history is not walked
  newCommitsMax: 100_000, // of one step from one state of the ref to the next; older ones are left out and counted
} as const;

const Sha = z.string().regex(SHA_PATTERN);

const CommitsCursorSchema = z.strictObject({
  /** Everything reachable from it counts as seen; null until the first walk is complete. */
  done: Sha.nullable(),
  walk: z
    .strictObject({
      target: Sha,
      /** How many of the newest commits of this walk are still to come: oldest first, so these are its end. */
      remaining: z.int().nonnegative(),
    })
    .nullable(),
});

type CommitsCursor = z.infer<typeof CommitsCursorSchema>;
type Context = ConnectorContext<GitConfig>;

export const commitsStream = defineStream<GitConfig, CommitsCursor>({
  title: 'Commits reachable from the ref',
  cursor: CommitsCursorSchema,
  pull: pullCommits,
});

async function* pullCommits(
  ctx: Context,
  from: CommitsCursor | undefined,
): AsyncGenerator<Page<CommitsCursor>, void, undefined> {
  const { path, docs_path: docsPath, ref } = ctx.config;
  const repository = await ctx.call(
    'open_repository',
    async () => await openRepository(path, docsPath, ctx.allowedPaths),
  );
  const head = await headOf(ctx, repository, ref, from !== undefined);
  if (head === undefined) return;
  let cursor: CommitsCursor = from ?? { done: null, walk: null };
  if (cursor.walk !== null) {
    const present = await isPresent(ctx, repository, `${cursor.walk.target}^{commit}`);
    // A walk whose target was rewritten and collected cannot be finished; what the head still has of it comes with the next walk.
    cursor = present ? yield* walkPages(ctx, repository, cursor, cursor.walk.target) : { ...cursor, walk: null };
  }
  if (cursor.done !== head) yield* walkPages(ctx, repository, cursor, head);
}

/** Emits what is new at `target`, oldest first. The target stays fixed until the last page is delivered, so no commit is missed. */
async function* walkPages(
  ctx: Context,
  repository: Repository,
  { done, walk }: CommitsCursor,
  target: string,
): AsyncGenerator<Page<CommitsCursor>, CommitsCursor, undefined> {
  const { shas, beyondLimit } = await newCommits(ctx, repository, done, target, walk?.remaining ?? 0);
  const total = shas.length;
  let remaining = walk === null ? total : Math.min(walk.remaining, total);
  const objects = openBlobReader(repository.gitDir);
  try {
    for (;;) {
      const count = Math.min(remaining, ctx.batchSize);
      // Newest first in the list: counting from that end, an older end that moved (a deepened shallow clone) shifts nothing.
      const page = shas.slice(remaining - count, remaining).reverse();
      const read = await ctx.call(
        'read_commits',
        async (signal) => await readCommits(repository, ctx.clock, objects, page, signal),
      );
      remaining -= count;
      const progress = { done: total - remaining, total };
      if (remaining === 0) {
        const cursor: CommitsCursor = { done: target, walk: null };
        yield { ...read, cursor, progress, ...(beyondLimit > 0 ? { skipped: { beyond_limit: beyondLimit } } : {}) };
        return cursor;
      }
      yield { ...read, cursor: { done, walk: { target, remaining } }, progress };
    }
  } finally {
    objects.close();
  }
}

interface NewCommits {
  /** Newest first. */
  readonly shas: readonly string[];
  readonly beyondLimit: number;
}

/**
 * Reachable from `target` and not from `done`: exact after a force push too, as long as `done` is still there. Otherwise the newest
 * ones again, which repeats ids rather than missing commits; at least as many as an unfinished walk still owes.
 */
async function newCommits(
  ctx: Context,
  repository: Repository,
  done: string | null,
  target: string,
  owed: number,
): Promise<NewCommits> {
  return await ctx.call('list_commits', async (signal) => {
    const { gitDir } = repository;
    if (done !== null) {
      const range = [target, `^${done}`, '--'];
      const args = ['rev-list', `--max-count=${COMMIT_LIMITS.newCommitsMax}`, ...range];
      const { code, output } = await runGit({ gitDir, args, signal });
      if (code === 0) {
        const shas = linesOf(output);
        if (shas.length < COMMIT_LIMITS.newCommitsMax) return { shas, beyondLimit: 0 };
        const count = await runGitOk({ gitDir, args: ['rev-list', '--count', ...range], signal });
        return { shas, beyondLimit: Number(count.toString('latin1')) - shas.length };
      }
    }
    const newest = Math.max(COMMIT_LIMITS.firstCommitsMax, owed);
    const args = ['rev-list', `--max-count=${newest}`, target, '--'];
    return { shas: linesOf(await runGitOk({ gitDir, args, signal })), beyondLimit: 0 };
  });
}

function linesOf(output: Buffer): string[] {
  return output
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '');
}
