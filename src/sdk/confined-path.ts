import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { Fault } from '#core/fault.ts';

/**
 * The real path of `path`, proven to lie in or below one of `roots` after every symbolic link is followed.
 * Relative paths are taken from the first root. Throws `source_missing` when it does not exist, `permission_missing` when it may
 * not be looked at, `path_not_allowed` when it leads outside.
 */
export async function confinedPath(path: string, roots: readonly string[]): Promise<string> {
  const [base] = roots;
  if (base === undefined) throw new Fault('path_not_allowed', `${path}: no directory is allowed`);
  const real = await realPathOf(isAbsolute(path) ? path : resolve(base, path), path);
  for (const root of roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (realRoot !== undefined && isInside(realRoot, real)) return real;
  }
  throw new Fault('path_not_allowed', `${path} is outside of the allowed directories (${roots.join(', ')})`);
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

async function realPathOf(path: string, shown: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new Fault('source_missing', `${shown} does not exist`, { cause: error });
    throw new Fault('permission_missing', `${shown} cannot be read by this user`, { cause: error });
  }
}
