import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { confinedPath, Fault } from '#sdk/index.ts';

export interface OpenFile {
  readonly handle: FileHandle;
  /** Real path, below an allowed directory. */
  readonly path: string;
  readonly dev: string;
  readonly ino: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * Opens a regular file below `roots` for reading; the caller closes the handle. Throws `path_not_allowed`, `source_missing`,
 * `permission_missing`, or `source_invalid` when it is no regular file: that is decided before opening, since opening a
 * pipe waits and opening a device may do anything.
 */
export async function openFile(path: string, roots: readonly string[]): Promise<OpenFile> {
  const real = await confinedPath(path, roots);
  if (!(await lstat(real)).isFile()) throw new Fault('source_invalid', `${path} is not a regular file`);
  // The last part can no longer be a link (O_NOFOLLOW), and a pipe put there just now does not hold us up (O_NONBLOCK).
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw faultOfOpen(path, error);
  });
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw new Fault('source_invalid', `${path} is not a regular file`);
    // A directory above may have become a link between the two looks: what is open must still be what the path leads to.
    const now = await lstat(await confinedPath(real, roots), { bigint: true });
    if (now.ino !== stat.ino || now.dev !== stat.dev) throw new Fault('source_missing', `${path} was replaced while it was opened`);
    return { handle, path: real, dev: String(stat.dev), ino: String(stat.ino), size: Number(stat.size), mtimeMs: Number(stat.mtimeMs) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function faultOfOpen(path: string, error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return new Fault('source_missing', `${path} does not exist`, { cause: error });
  if (code === 'ELOOP') return new Fault('path_not_allowed', `${path} became a link while it was opened`, { cause: error });
  return new Fault('permission_missing', `${path} cannot be read by this user`, { cause: error });
}
