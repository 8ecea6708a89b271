import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { confinedPath, Fault, toFault } from '#sdk/index.ts';
import { LOGS_LIMITS } from './limits.ts';
import type { FilePlace } from './open-file.ts';
import { hasWildcard, isWildcardMatch } from './wildcard.ts';

export interface PatternMatch {
  readonly pattern: string;
  readonly files: readonly FilePlace[];
  /** What was met and may or can not be read, with the reason. */
  readonly refused: readonly { readonly path: string; readonly fault: Fault }[];
  readonly compressed: number;
  /** The pattern itself leads nowhere it may: nothing of it can be read. */
  readonly fault: Fault | undefined;
  /** The walk was stopped at `dirEntriesMax`. */
  readonly incomplete: boolean;
}

const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4|zip)$/i;

interface Walk {
  readonly roots: readonly string[];
  readonly signal: AbortSignal;
  readonly paths: string[];
  readonly refused: { path: string; fault: Fault }[];
  entriesLeft: number;
}

/** The regular files one pattern matches now, in order of their paths. Never throws for a file or a pattern: both come back with their fault. */
export async function findFiles(pattern: string, roots: readonly string[], signal: AbortSignal): Promise<PatternMatch> {
  const walk: Walk = { roots, signal, paths: [], refused: [], entriesLeft: LOGS_LIMITS.dirEntriesMax };
  const fault = await walkPattern(walk, pattern).catch((error: unknown) => toFault(error));
  const paths = walk.paths.toSorted();
  const readable = paths.filter((path) => !COMPRESSED.test(path));
  const files: FilePlace[] = [];
  for (const path of readable) {
    const found = await findOne(path, roots).catch((error: unknown) => toFault(error));
    if (!(found instanceof Fault)) files.push(found);
    else if (found.code !== 'source_missing') walk.refused.push({ path, fault: found });
  }
  // A path without wildcards names one file: what is wrong with it is wrong with the configuration.
  const literal = hasWildcard(pattern) ? undefined : walk.refused[0]?.fault;
  return {
    pattern,
    files,
    refused: walk.refused,
    compressed: paths.length - readable.length,
    fault: fault ?? literal,
    incomplete: walk.entriesLeft <= 0,
  };
}

async function walkPattern(walk: Walk, pattern: string): Promise<Fault | undefined> {
  const [root] = walk.roots;
  if (root === undefined) return new Fault('path_not_allowed', `${pattern}: no directory is allowed`);
  const segments = resolve(root, pattern).split(sep);
  const first = segments.findIndex(hasWildcard);
  if (first === -1) {
    walk.paths.push(segments.join(sep));
    await confinedPlace(dirname(segments.join(sep)), walk.roots);
    return undefined;
  }
  const base = await confinedPlace(segments.slice(0, first).join(sep) || sep, walk.roots);
  if (base !== undefined) await descend(walk, base, segments.slice(first), 0);
  return undefined;
}

/** The real directory; undefined when it is not there yet, but would be allowed. Throws `path_not_allowed`, `permission_missing`. */
async function confinedPlace(directory: string, roots: readonly string[]): Promise<string | undefined> {
  try {
    return await confinedPath(directory, roots);
  } catch (error) {
    const fault = toFault(error);
    if (fault.code !== 'source_missing' || directory === sep) throw fault;
    await confinedPlace(dirname(directory), roots); // somewhere above there is a directory that exists
    return undefined;
  }
}

async function descend(walk: Walk, directory: string, segments: readonly string[], depth: number): Promise<void> {
  const [segment = '', ...rest] = segments;
  if (segment === '**') {
    await descend(walk, directory, rest.length === 0 ? ['*'] : rest, depth);
    if (depth >= LOGS_LIMITS.dirDepthMax) return;
    for (const entry of await entriesOf(walk, directory)) {
      if (entry.isDirectory()) await descend(walk, join(directory, entry.name), segments, depth + 1);
    }
    return;
  }
  for (const entry of await entriesOf(walk, directory)) {
    if (!isWildcardMatch(entry.name, segment)) continue;
    const path = join(directory, entry.name);
    if (rest.length === 0 && !entry.isDirectory()) walk.paths.push(path);
    // Links to directories are not followed: they can form circles.
    if (rest.length > 0 && entry.isDirectory()) await descend(walk, path, rest, depth + 1);
  }
}

async function entriesOf(walk: Walk, directory: string): Promise<readonly Dirent[]> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(directory)) {
      walk.signal.throwIfAborted();
      if (walk.entriesLeft <= 0) break;
      walk.entriesLeft -= 1;
      entries.push(entry);
    }
  } catch (error) {
    walk.signal.throwIfAborted();
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return entries; // removed meanwhile
    walk.refused.push({
      path: directory,
      fault: new Fault('permission_missing', `${directory} cannot be listed by this user`, { cause: error }),
    });
  }
  return entries;
}

/** A path without wildcards, or a name that matched: followed to its real file, which must be a regular one. */
async function findOne(path: string, roots: readonly string[]): Promise<FilePlace> {
  const real = await confinedPath(path, roots);
  const stat = await lstat(real, { bigint: true });
  if (!stat.isFile()) throw new Fault('source_invalid', `${path} is not a regular file`);
  return { path: real, dev: String(stat.dev), ino: String(stat.ino) };
}

/**
 * Where else in the directory the same file, or another version of it, may lie now, in order of names. Undefined when the
 * directory cannot be listed: then nothing may be concluded from what is not seen.
 */
export async function siblingsOf(
  path: string,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<readonly FilePlace[] | undefined> {
  const directory = dirname(path);
  const walk: Walk = { roots, signal, paths: [], refused: [], entriesLeft: LOGS_LIMITS.dirEntriesMax };
  const entries = await entriesOf(walk, directory);
  if (walk.refused.length > 0 || walk.entriesLeft <= 0) return undefined;
  const names = entries
    .filter((entry) => entry.isFile() && !COMPRESSED.test(entry.name))
    .map((entry) => join(directory, entry.name));
  const found = await Promise.all(names.toSorted().map((name) => findOne(name, roots).catch(() => undefined)));
  return found.filter((file) => file !== undefined);
}
