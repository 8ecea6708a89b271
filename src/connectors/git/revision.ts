import { type ConnectorContext, Fault } from '#sdk/index.ts';
import { gitFault, runGit, runGitOk } from './git-process.ts';
import type { Repository } from './repository.ts';

const SECONDS_MAX = 253_402_300_799; // 9999-12-31T23:59:59Z: RFC 3339 years have four digits, git's clock has none

export const SHA_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** The commit a ref names now; undefined when it names none. */
export async function resolveRef(
  ctx: ConnectorContext,
  repository: Repository,
  ref: string,
): Promise<string | undefined> {
  return await ctx.call('resolve_ref', async (signal) => {
    const args = ['rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`];
    const result = await runGit({ gitDir: repository.gitDir, args, signal });
    const sha = result.output.toString('latin1').trim();
    if (result.code === 0 && SHA_PATTERN.test(sha)) return sha;
    const fault = gitFault(repository.gitDir, result.stderr);
    if (fault.code !== 'bad_upstream') throw fault;
    return undefined;
  });
}

/** Whether nothing was ever committed: no ref at all, and HEAD waits for its first branch. */
export async function isWithoutCommits(ctx: ConnectorContext, repository: Repository): Promise<boolean> {
  return await ctx.call('resolve_ref', async (signal) => {
    const { gitDir } = repository;
    const refs = await runGitOk({ gitDir, args: ['for-each-ref', '--count=1', '--format=%(objectname)'], signal });
    if (refs.length > 0) return false;
    return (await runGit({ gitDir, args: ['symbolic-ref', '-q', 'HEAD'], signal })).code === 0;
  });
}

/**
 * The commit to walk to. Undefined for a repository without any commit that never had one. A ref that is gone is a fault, never
 * a repository whose documents were all deleted.
 */
export async function headOf(
  ctx: ConnectorContext,
  repository: Repository,
  ref: string,
  seenBefore: boolean,
): Promise<string | undefined> {
  const head = await resolveRef(ctx, repository, ref);
  if (head !== undefined) return head;
  if (!seenBefore && (await isWithoutCommits(ctx, repository))) return undefined;
  throw refMissing(ctx, repository, ref);
}

export function refMissing(ctx: ConnectorContext, repository: Repository, ref: string): Fault {
  return new Fault(
    'source_missing',
    `${ref} names no commit in ${repository.gitDir}; set metadata.ref to a branch or tag`,
    {
      details: { connection: ctx.connection },
    },
  );
}

export async function isPresent(ctx: ConnectorContext, repository: Repository, object: string): Promise<boolean> {
  return await ctx.call('resolve_ref', async (signal) => {
    return (await runGit({ gitDir: repository.gitDir, args: ['cat-file', '-e', object], signal })).code === 0;
  });
}

/** When the commit was made, RFC 3339 in UTC. */
export async function commitTimeOf(ctx: ConnectorContext, repository: Repository, sha: string): Promise<string> {
  return await ctx.call('resolve_ref', async (signal) => {
    const args = ['log', '--no-walk', '--format=%ct', sha];
    return timeOfSeconds((await runGitOk({ gitDir: repository.gitDir, args, signal })).toString('latin1').trim());
  });
}

/** Git's seconds since the epoch → RFC 3339. Impossible values move to the nearest possible one. */
export function timeOfSeconds(text: string): string {
  const seconds = Number(text);
  const possible = Number.isFinite(seconds) ? Math.min(Math.max(0, Math.trunc(seconds)), SECONDS_MAX) : 0;
  return new Date(possible * 1000).toISOString();
}
