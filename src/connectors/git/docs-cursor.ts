import { z } from 'zod';
import { versionOfTime } from '#sdk/index.ts';
import { keyOfPath, pathOfKey } from './git-path.ts';
import type { Repository } from './repository.ts';
import { SHA_PATTERN } from './revision.ts';
import type { Position } from './tree-diff.ts';

const Sha = z.string().regex(SHA_PATTERN);

export const DocsCursorSchema = z.strictObject({
  /** Repository and folder the walks were about: with another one, `done` says nothing. */
  scope: z.string(),
  /** Commit whose documents are all delivered; null until the first walk is complete. */
  done: Sha.nullable(),
  /** Wall time of the newest walk, ms: the version of its events. Strictly grows from walk to walk. */
  versionMs: z.int().nonnegative(),
  /** The walk that is under way; null between walks. */
  walk: z
    .strictObject({
      target: Sha,
      /** `full`: everything at `target`. `diff`: from `done` to `target`. */
      mode: z.enum(['full', 'diff']),
      /** A full walk that others came before: what they left and `target` lacks must be found by a listing. */
      reconcile: z.boolean(),
      /** The last step that is delivered; null before the first. */
      after: z.strictObject({ op: z.enum(['upsert', 'delete']), key: z.string() }).nullable(),
    })
    .nullable(),
});

export type DocsCursor = z.infer<typeof DocsCursorSchema>;
export type Walk = NonNullable<DocsCursor['walk']>;
/** A cursor in the middle of a walk. */
export type WalkingCursor = DocsCursor & { walk: Walk };

export function scopeOf(repository: Repository): string {
  return `${repository.gitDir}:${keyOfPath(repository.folder)}`;
}

/**
 * What to do next towards `head`: finish the walk under way, to the commit it began with, or begin one. Undefined when everything is
 * delivered. The version is fixed here and stored with the first page, so that a walk cut off anywhere goes on with the
 * same ids; a wall clock that stepped back cannot lower it.
 */
export function nextWalk(
  cursor: DocsCursor | undefined,
  head: string,
  scope: string,
  nowMs: number,
): WalkingCursor | undefined {
  if (cursor === undefined) {
    return { scope, done: null, versionMs: nowMs, walk: { target: head, mode: 'full', reconcile: false, after: null } };
  }
  if (cursor.scope !== scope) return relisting(cursor, head, scope, nowMs);
  if (cursor.walk !== null) return { ...cursor, walk: cursor.walk };
  if (cursor.done === head) return undefined;
  const walk: Walk = { target: head, mode: 'diff', reconcile: false, after: null };
  return { ...cursor, versionMs: laterMs(cursor, nowMs), walk };
}

/** Begins again with everything at `head`, because what was delivered before cannot be compared with it. */
export function relisting(cursor: DocsCursor, head: string, scope: string, nowMs: number): WalkingCursor {
  const walk: Walk = { target: head, mode: 'full', reconcile: true, after: null };
  return { scope, done: null, versionMs: laterMs(cursor, nowMs), walk };
}

export function advanced(cursor: WalkingCursor, to: Position): DocsCursor {
  return { ...cursor, walk: { ...cursor.walk, after: { op: to.op, key: keyOfPath(to.path) } } };
}

export function completed(cursor: WalkingCursor): DocsCursor {
  return { ...cursor, done: cursor.walk.target, walk: null };
}

export function positionOf(walk: Walk): Position | undefined {
  return walk.after === null ? undefined : { op: walk.after.op, path: pathOfKey(walk.after.key) };
}

export function versionOf(cursor: DocsCursor): number {
  return versionOfTime(cursor.versionMs);
}

function laterMs(cursor: DocsCursor, nowMs: number): number {
  return Math.max(nowMs, cursor.versionMs + 1);
}
