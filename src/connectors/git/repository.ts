import { access, constants, open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { confinedPath, Fault } from '#sdk/index.ts';
import { bytePathOf, type BytePath } from './git-path.ts';

const POINTER_BYTES_MAX = 8 * 1024; // `.git` files, `commondir` and `alternates` are lines of paths
const ALTERNATES_MAX = 16; // object stores borrowed from other repositories, over all levels

export interface Repository {
  /** Real path of the directory git reads: `.git`, a bare repository, or a linked work tree's own directory. */
  readonly gitDir: string;
  /** Real path of the work tree; undefined for a bare repository. */
  readonly workTree: string | undefined;
  /** Documents lie below this folder of the repository; '' is all of it. */
  readonly folder: BytePath;
}

/**
 * Finds the repository at or above `path` as git does, but never above the allowed directories, and proves that everything git will
 * read through it (a `.git` file, a linked work tree, borrowed object stores) lies below them too. Below a work tree's
 * top, only that subfolder is meant. Throws `source_missing`, `permission_missing`, `path_not_allowed` or `source_invalid`.
 */
export async function openRepository(
  path: string,
  docsPath: string,
  allowedPaths: readonly string[],
): Promise<Repository> {
  const start = await confinedPath(path, allowedPaths);
  const found = await findUpwards(start, path, allowedPaths);
  const gitDir = await confinedPath(found.gitDir, allowedPaths);
  await readable(join(gitDir, 'HEAD'));
  await confineObjects(gitDir, allowedPaths);
  const below = found.workTree === undefined ? '' : relative(found.workTree, start);
  return { gitDir, workTree: found.workTree, folder: bytePathOf(normalised(`${below}/${docsPath}`)) };
}

/** `./docs//guide/` → `docs/guide`: git knows no other form. */
function normalised(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

interface Found {
  readonly gitDir: string;
  readonly workTree: string | undefined;
}

async function findUpwards(start: string, shown: string, allowedPaths: readonly string[]): Promise<Found> {
  for (let folder = start; ; folder = dirname(folder)) {
    const found = await repositoryAt(folder);
    if (found !== undefined) return found;
    const parentAllowed = dirname(folder) !== folder && (await isAllowed(dirname(folder), allowedPaths));
    if (!parentAllowed)
      throw new Fault('source_invalid', `${shown} is not a git repository, nor inside one that may be read`);
  }
}

async function repositoryAt(folder: string): Promise<Found | undefined> {
  const dotGit = join(folder, '.git');
  const kind = await kindOf(dotGit);
  if (kind === 'directory') return { gitDir: dotGit, workTree: folder };
  if (kind === 'file') return { gitDir: await pointedGitDir(dotGit), workTree: folder };
  const bare =
    (await kindOf(join(folder, 'HEAD'))) === 'file' &&
    (await kindOf(join(folder, 'objects'))) === 'directory' &&
    (await kindOf(join(folder, 'refs'))) === 'directory';
  if (!bare) return undefined;
  // Pointing at `.git` itself means the work tree around it.
  return { gitDir: folder, workTree: basename(folder) === '.git' ? dirname(folder) : undefined };
}

async function pointedGitDir(dotGit: string): Promise<string> {
  const target = /^gitdir: ([^\n]+)/.exec((await linesOf(dotGit)) ?? '')?.[1];
  if (target === undefined) throw new Fault('source_invalid', `${dotGit} does not say where its repository is`);
  return resolve(dirname(dotGit), target);
}

// Objects may be borrowed from anywhere on the machine: a crafted `alternates` would open a repository nobody allowed.
async function confineObjects(gitDir: string, allowedPaths: readonly string[]): Promise<void> {
  const common = (await linesOf(join(gitDir, 'commondir')))?.trim();
  const commonDir = common === undefined ? gitDir : await confinedPath(resolve(gitDir, common), allowedPaths);
  const stores = [join(commonDir, 'objects')];
  for (let at = 0; at < stores.length; at += 1) {
    if (at > ALTERNATES_MAX)
      throw new Fault('source_invalid', `${gitDir} borrows objects from more than ${ALTERNATES_MAX} places`);
    const store = await confinedPath(stores[at] ?? '', allowedPaths);
    const lines = (await linesOf(join(store, 'info', 'alternates')))?.split('\n') ?? [];
    stores.push(...lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => resolve(store, line)));
  }
}

async function isAllowed(folder: string, allowedPaths: readonly string[]): Promise<boolean> {
  return await confinedPath(folder, allowedPaths).then(
    () => true,
    () => false,
  );
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    const found = await stat(await realpath(path));
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : undefined;
  } catch (error) {
    if (isDenied(error)) throw denied(path, error);
    return undefined;
  }
}

async function linesOf(path: string): Promise<string | undefined> {
  if ((await kindOf(path)) !== 'file') return undefined;
  const file = await open(path).catch((error: unknown) => {
    throw denied(path, error);
  });
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(POINTER_BYTES_MAX), 0, POINTER_BYTES_MAX, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    if (isDenied(error)) throw denied(path, error);
    throw new Fault('source_invalid', `${dirname(path)} is not a git repository: it has no HEAD`, { cause: error });
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}

function denied(path: string, cause: unknown): Fault {
  return new Fault('permission_missing', `${path} cannot be read by this user`, { cause });
}
