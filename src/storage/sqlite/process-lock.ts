import { DatabaseSync } from 'node:sqlite';
import { Fault } from '#core/fault.ts';
import { toStorageFault } from './database.ts';

const LOCK_WAIT_MS = 1500; // a one-shot command holds the data for less than this

/**
 * One process per data file. The operating system holds the lock through an exclusive transaction on a file of its own and lets
 * go when the process dies, however it dies: there is no stale lock to judge.
 */
export function acquireProcessLock(file: string, waitMs: number = LOCK_WAIT_MS): { release(): void } {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: waitMs });
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    const fault = toStorageFault(error, file);
    if (fault.code === 'storage_locked')
      throw new Fault('storage_locked', `${file}: another Weir process is using this data directory`, { cause: error });
    throw fault;
  }
  return { release: () => db.close() };
}
