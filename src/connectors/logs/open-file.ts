import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { confinedPath, Fault } from '#sdk/index.ts';

/** Where a file lies, and which one it is. Device and inode as text: they exceed 2^53 on some file systems. */
export interface FilePlace {
  /** Real path, below an allowed directory. */
  readonly path: string;
  readonly dev: string;
  readonly ino: string;
}

export function identityOf({ dev, ino }: FilePlace): string {
  return `${dev}:${ino}`;
}

export interface OpenFile extends FilePlace {
  readonly handle: FileHandle;
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
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw faultOfOpen(path, error);
    },
  );
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw new Fault('source_invalid', `${path} is not a regular file`);
    // A directory above may have become a link between the two looks: what is open must still be what the path leads to.
    const now = await lstat(await confinedPath(real, roots), { bigint: true });
    if (now.ino !== stat.ino || now.dev !== stat.dev)
      throw new Fault('source_missing', `${path} was replaced while it was opened`);
    return {
      handle,
      path: real,
      dev: String(stat.dev),
      ino: String(stat.ino),
      size: Number(stat.size),
      mtimeMs: Number(stat.mtimeMs),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Runs `fn` on the file if it still lies at that path; undefined when it is gone or another file took its place: the next listing
 * finds out which. Throws what `openFile` throws besides.
 */
export async function withFile<T>(
  place: FilePlace,
  roots: readonly string[],
  fn: (file: OpenFile) => Promise<T | undefined>,
): Promise<T | undefined> {
  const file = await openFile(place.path, roots).catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'source_missing') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    return identityOf(file) === identityOf(place) ? await fn(file) : undefined;
  } finally {
    await file.handle.close();
  }
}

function faultOfOpen(path: string, error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return new Fault('source_missing', `${path} does not exist`, { cause: error });
  if (code === 'ELOOP')
    return new Fault('path_not_allowed', `${path} became a link while it was opened`, { cause: error });
  return new Fault('permission_missing', `${path} cannot be read by this user`, { cause: error });
}
