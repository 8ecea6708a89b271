import { type ConnectorContext, Fault } from '#sdk/index.ts';
import { isDocumentName } from './document-filter.ts';
import { gitFault, runGit } from './git-process.ts';
import { isBelow, type BytePath } from './git-path.ts';
import type { Repository } from './repository.ts';

const STEPS_MAX = 1_000_000; // documents of one walk: about 300 MB of paths and ids; more is refused
const RECORD_BYTES_MAX = 64 * 1024; // one path with its ids; git itself takes paths of 4 KiB

export interface Blob {
  readonly mode: string;
  readonly id: string;
}

/** One document to write or to delete. */
export type Step =
  | { readonly op: 'upsert'; readonly path: BytePath; readonly blob: Blob; readonly replaces: boolean }
  | { readonly op: 'delete'; readonly path: BytePath };

/** Everything one walk has to do, in the order of `stepAfter`, and what it leaves out by reason. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly skipped: Readonly<Record<string, number>>;
}

/** Every document of the commit. Throws when the commit cannot be read. */
export async function listTree(ctx: ConnectorContext, repository: Repository, sha: string): Promise<Plan> {
  return await ctx.call('list_files', async (signal) => {
    const plan = planBuilder(repository.folder);
    const onOutput = recordSplitter((record) => {
      const match = /^([0-7]{6}) \w+ ([0-9a-f]+)\t([^]+)$/.exec(record);
      if (match === null) throw unreadable('ls-tree');
      plan.add(match[3] ?? '', undefined, { mode: match[1] ?? '', id: match[2] ?? '' });
    });
    const args = ['ls-tree', '-r', '-z', '--full-tree', sha, ...pathspec(repository)];
    const { code, stderr } = await runGit({ gitDir: repository.gitDir, args, signal, onOutput });
    if (code !== 0) throw gitFault(repository.gitDir, stderr);
    return plan.done();
  });
}

/**
 * What changed between two commits, exactly; undefined when one of them is not in the repository any more.
 *
 * Trees are compared, not histories: whatever happened in between (force push, reset, merge), the answer is the difference of the
 * two states, so an old commit that is merely no ancestor needs no full listing. Without `-M`: a rename is a delete and an upsert
 * here anyway, and similarity guesses would make the walk depend on git's version and the repository's configuration.
 */
export async function diffTrees(
  ctx: ConnectorContext,
  repository: Repository,
  from: string,
  to: string,
): Promise<Plan | undefined> {
  return await ctx.call('diff', async (signal) => {
    const plan = planBuilder(repository.folder);
    let change: { before: Blob; after: Blob } | undefined;
    const onOutput = recordSplitter((record) => {
      if (change === undefined) change = changeOf(record);
      else {
        plan.add(record, change.before, change.after);
        change = undefined;
      }
    });
    const options = ['-r', '-z', '--raw', '--no-renames', '--no-ext-diff', '--no-textconv', '--ignore-submodules=none'];
    const args = ['diff-tree', ...options, `${from}^{tree}`, `${to}^{tree}`, ...pathspec(repository)];
    const { code } = await runGit({ gitDir: repository.gitDir, args, signal, onOutput });
    return code === 0 ? plan.done() : undefined;
  });
}

/** Upserts before deletes, so that a renamed document is never absent in between; then by the bytes of the path. */
export function isAfter(step: Position, other: Position): boolean {
  if (step.op !== other.op) return step.op === 'delete';
  return step.path > other.path;
}

export type Position = Pick<Step, 'op' | 'path'>;

function changeOf(record: string): { before: Blob; after: Blob } {
  const match = /^:([0-7]{6}) ([0-7]{6}) ([0-9a-f]+) ([0-9a-f]+) [ADMTXU]\d*$/.exec(record);
  if (match === null) throw unreadable('diff-tree');
  const [, modeBefore = '', modeAfter = '', idBefore = '', idAfter = ''] = match;
  return { before: { mode: modeBefore, id: idBefore }, after: { mode: modeAfter, id: idAfter } };
}

function planBuilder(folder: BytePath) {
  const upserts: Step[] = [];
  const deletes: Step[] = [];
  const skipped: Record<string, number> = {};
  return {
    /** `before` and `after` may be absent, or have the mode 000000 that diff-tree gives to what does not exist. */
    add(path: BytePath, before: Blob | undefined, after: Blob): void {
      if (!isBelow(path, folder)) return;
      const named = isDocumentName(path);
      const replaces = named && before !== undefined && isRegular(before.mode);
      if (named && isRegular(after.mode)) upserts.push({ op: 'upsert', path, blob: after, replaces });
      else {
        if (replaces) deletes.push({ op: 'delete', path });
        const reason = skipReasonOf(after.mode);
        if (reason !== undefined) skipped[reason] = (skipped[reason] ?? 0) + 1;
      }
      if (upserts.length + deletes.length > STEPS_MAX) {
        throw new Fault('source_invalid', `more than ${STEPS_MAX} documents: set metadata.docs_path to a folder`);
      }
    },
    done: (): Plan => ({ steps: [...upserts.sort(byPath), ...deletes.sort(byPath)], skipped }),
  };
}

// Git lists in this order already; sorting makes resuming independent of that.
function byPath(a: Step, b: Step): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

function isRegular(mode: string): boolean {
  return mode.startsWith('100');
}

function skipReasonOf(mode: string): string | undefined {
  if (mode === '000000') return undefined;
  if (mode === '120000') return 'symlink'; // never followed: it may lead anywhere
  if (mode === '160000') return 'submodule';
  return 'not_a_document';
}

function pathspec(repository: Repository): string[] {
  return repository.folder === '' ? [] : ['--', Buffer.from(repository.folder, 'latin1').toString('utf8')];
}

/** Cuts output at NUL bytes, one latin1 string per record. */
function recordSplitter(onRecord: (record: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const records = (rest + chunk.toString('latin1')).split('\0');
    rest = records.pop() ?? '';
    if (rest.length > RECORD_BYTES_MAX)
      throw new Fault('bad_upstream', `a path of more than ${RECORD_BYTES_MAX} bytes`);
    for (const record of records) onRecord(record);
  };
}

function unreadable(command: string): Fault {
  return new Fault('bad_upstream', `git ${command} answered something that is not a listing`);
}
