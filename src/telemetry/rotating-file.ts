import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { Fault } from '#core/fault.ts';

const MIB = 1024 * 1024;

export const ROTATING_FILE_LIMITS = {
  bytesMax: 10 * MIB, // of one file; then it becomes `<path>.1`
  filesMax: 3, // the current one included; the oldest is removed
} as const;

const MODE = 0o600; // logs tell about systems and people: only Weir's own user reads them

export interface RotatingFileOptions {
  readonly path: string;
  readonly bytesMax?: number;
  readonly filesMax?: number;
}

/** An append-only log file. Writes are synchronous: a line is with the system when `write` returns, also when Weir is killed next. */
export interface RotatingFile {
  /** Never throws. `line` ends with a newline. A line that cannot be written (disk full) is counted in `linesLost`. */
  write(line: string): void;
  readonly linesLost: number;
  /** Nothing is buffered, so nothing can be left behind. Later writes are lost lines. */
  close(): void;
}

/** Throws `storage_unreachable` when the file cannot be opened for appending. What is no regular file (`/dev/stderr`) never rotates. */
export function openRotatingFile(options: RotatingFileOptions): RotatingFile {
  const { path, bytesMax, filesMax } = { ...ROTATING_FILE_LIMITS, ...options };
  let current: OpenFile | undefined = openForAppend(path);
  let open = true;
  let torn = false; // the last line stands there without its end
  let linesLost = 0;

  const fileFor = (bytes: number): OpenFile => {
    // After a failure the file is opened again with the next line, so logging comes back by itself.
    current ??= openForAppend(path);
    if (!current.rotates || current.bytes === 0 || current.bytes + bytes <= bytesMax) return current;
    closeSync(current.fd);
    current = undefined;
    shift(path, filesMax);
    current = openForAppend(path);
    return current;
  };
  return {
    write(line) {
      try {
        if (!open) throw new Error('closed');
        const file = fileFor(Buffer.byteLength(line) + 1);
        const bytes = Buffer.from(torn && file.bytes > 0 ? `\n${line}` : line);
        for (let done = 0; done < bytes.length;) {
          const written = writeSync(file.fd, bytes, done);
          done += written;
          file.bytes += written;
          torn = done < bytes.length;
        }
      } catch {
        linesLost += 1;
      }
    },
    get linesLost() {
      return linesLost;
    },
    close() {
      open = false;
      if (current !== undefined) closeSync(current.fd);
      current = undefined;
    },
  };
}

interface OpenFile {
  readonly fd: number;
  readonly rotates: boolean;
  bytes: number;
}

function openForAppend(path: string): OpenFile {
  try {
    const fd = openSync(path, 'a', MODE);
    const stat = fstatSync(fd);
    return { fd, rotates: stat.isFile(), bytes: stat.isFile() ? stat.size : 0 };
  } catch (error) {
    throw new Fault('storage_unreachable', `the log file ${path} cannot be opened for writing`, {
      details: { place: path },
      cause: error,
    });
  }
}

/** `path` → `path.1` → `path.2` …; what would be file number `filesMax` is removed. */
function shift(path: string, filesMax: number): void {
  const nameOf = (age: number): string => (age === 0 ? path : `${path}.${age}`);
  rmSync(nameOf(filesMax - 1), { force: true });
  for (let age = filesMax - 2; age >= 0; age -= 1) {
    try {
      renameSync(nameOf(age), nameOf(age + 1));
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!missing) throw error; // without the rename the file would be truncated or grow for ever: its line counts as lost
    }
  }
}
