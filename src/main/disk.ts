import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, statSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from '#core/disk.ts';
import { Fault } from '#core/fault.ts';

const BALLAST_FILE = 'ballast';
const PRIVATE = 0o600;
const OPEN_BYTES = 4 * 1024 ** 2; // room that a start needs: locks, migrations, the first commits
// Each step waits for its own sync: one of 64 MiB would hold up the log's for as long.
const STEP_BYTES = 1024 ** 2;

/** The disk under the data directory, with the ballast as a file in it. */
export function openDisk(directory: string): Disk {
  const file = join(directory, BALLAST_FILE);
  const sizeOf = (): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    place: directory,
    async space() {
      const { bavail, blocks, bsize } = await statfs(directory);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    ballastBytes: sizeOf,
    async holdBallast(bytes, signal) {
      try {
        await fill(file, bytes, signal);
      } catch (error) {
        // A part of it would only take the last of the room.
        await rm(file, { force: true });
        throw toDiskFault(error, directory);
      }
    },
    releaseBallast: () => rm(file, { force: true }),
  };
}

/** Called before the data is opened: on a disk without room not even the lock could be taken. Housekeeping writes the ballast again later. */
export function makeRoom(directory: string): void {
  const file = join(directory, BALLAST_FILE);
  if (!existsSync(file)) return;
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < OPEN_BYTES) rmSync(file, { force: true });
}

/** Appends to what is there, so that a write that was cut off goes on; what is beyond `bytes` (a setting that was lowered) goes. */
async function fill(file: string, bytes: number, signal: AbortSignal): Promise<void> {
  const handle = await open(file, 'a', PRIVATE);
  try {
    let { size } = await handle.stat();
    if (size > bytes) await handle.truncate(bytes);
    // Random: a file system that compresses, or stores no zeros, would hold nothing back.
    const step = randomBytes(Math.min(STEP_BYTES, bytes));
    while (size < bytes && !signal.aborted) {
      const { bytesWritten } = await handle.write(step, 0, Math.min(step.length, bytes - size));
      await handle.sync();
      size += bytesWritten;
    }
  } finally {
    await handle.close();
  }
}

export function toDiskFault(error: unknown, place: string): Fault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new Fault(full ? 'storage_full' : 'storage_unreachable', `${place}: ${message}`, {
    cause: error,
    details: { place },
  });
}
