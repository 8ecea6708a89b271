import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#core/env.ts';
import type { EventLog } from '#core/event-log.ts';
import type { Fault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Store } from '#core/store.ts';
import { SqliteCalls } from './calls.ts';
import { openDatabase, toStorageFault } from './database.ts';
import { SqliteDeadLetters } from './dead-letters.ts';
import { SqliteEntities } from './entities.ts';
import { SqliteEventLog } from './event-log.ts';
import { GroupCommit } from './group-commit.ts';
import { ProcessLeases } from './leases.ts';
import { SqliteLibrary } from './library.ts';
import { LogBacklog } from './log-backlog.ts';
import { LogPositions } from './log-positions.ts';
import { makeDirectory } from './make-directory.ts';
import { migrate } from './migrate.ts';
import { PartitionWaiters } from './partition-waiters.ts';
import { placeOldLetters } from './place-old-letters.ts';
import { acquireProcessLock } from './process-lock.ts';
import { textAt } from './row.ts';
import { SqliteRuns } from './runs.ts';
import { SeenSweep } from './seen-sweep.ts';
import { SqliteStreams } from './streams.ts';
import { SqliteTimeline } from './timeline.ts';
import { checkWal } from './wal-check.ts';

export const STORAGE_LIMITS = {
  timelineRowsMax: 1_000_000, // the newest; the library keeps documents whatever their age
  forgetRowsMax: 500, // per housekeeping step: a longer delete would hold the writer
  walBytesQuietMax: 8 * 1024 * 1024, // above it a quiet moment is used for a checkpoint
} as const;

export const DATA_FILE = 'weir.sqlite';
const LOCK_FILE = 'weir.lock';

export interface SqliteStorage {
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
  /** Set when the disk cannot be trusted any more; the process must end. */
  readonly broken: () => Fault | undefined;
  readonly walBytes: () => number;
  /**
   * Called now and then: trims what the log has settled and appended before `beforeMs`, forgets what is past its limit. `checkpoint`:
   * merges the write-ahead log and gives it back to the disk, whatever its size. Returns how many rows went.
   */
  housekeep(step?: { readonly beforeMs?: number; readonly checkpoint?: boolean }): Promise<number>;
  /** Commits what waits, merges the write-ahead log and lets the data directory go. */
  close(): void;
}

export interface SqliteStorageOptions {
  /**
   * Directory for the data file and its lock; ':memory:' for a database of its own, `memory:NAME` for one that lives as long as somebody
   * in this process has it open, so that a simulated death loses nothing that was committed.
   */
  readonly data: string;
  readonly clock: Clock;
  /** Chooses partitions; made at random on first use, given only by tests that need the same one again. */
  readonly partitionSecret?: string;
  /** How long to wait for a process that is just letting go; a moment when absent. */
  readonly lockWaitMs?: number;
  /** Called with the connection before its first use: a simulation fills its disk, makes it fail, and ends it without a last commit. */
  readonly onConnection?: (db: DatabaseSync) => void;
}

/** Opens (or creates) the data directory. Throws Faults that name the place and the next step. */
export function openSqliteStorage(options: SqliteStorageOptions): SqliteStorage {
  const memory = memoryFileOf(options.data);
  if (memory !== undefined) return assemble(openDatabase(memory), memory, options, () => undefined);
  const file = join(options.data, DATA_FILE);
  makeDirectory(options.data);
  const lock = acquireProcessLock(join(options.data, LOCK_FILE), options.lockWaitMs);
  try {
    checkWal(file);
    return assemble(openDatabase(file), file, options, () => lock.release());
  } catch (error) {
    lock.release();
    throw toStorageFault(error, file);
  }
}

/** https://sqlite.org/inmemorydb.html: the `memdb` file system shares a name that begins with a slash between connections. */
function memoryFileOf(data: string): string | undefined {
  if (data === ':memory:') return data;
  return data.startsWith('memory:') ? `file:/${data.slice('memory:'.length)}?vfs=memdb` : undefined;
}

function assemble(
  db: DatabaseSync,
  place: string,
  { clock, partitionSecret, onConnection }: SqliteStorageOptions,
  unlock: () => void,
): SqliteStorage {
  onConnection?.(db);
  migrate(db, place);
  const boot = nextBoot(db);
  const secret = partitionSecret ?? setting(db, 'partition_secret', () => randomBytes(16).toString('hex'));
  placeOldLetters(db, secret);
  const positions = new LogPositions(db);
  const backlog = new LogBacklog(db);
  const onRollback = (): void => {
    positions.reload();
    backlog.reload();
    deadLetters.reload();
  };
  const writer = new GroupCommit({ db, clock, place, onRollback });
  const leases = new ProcessLeases(clock, boot);
  const streams = new SqliteStreams(db, writer);
  const waiters = new PartitionWaiters();
  const deadLetters = new SqliteDeadLetters({ db, writer, clock, leases, waiters });
  const log = new SqliteEventLog({
    db,
    clock,
    writer,
    leases,
    positions,
    backlog,
    waiters,
    streams,
    deadLetters,
    partitionSecret: secret,
  });
  const timeline = new SqliteTimeline(db, writer, log);
  const library = new SqliteLibrary(db, writer, log);
  const sweep = new SeenSweep(db, writer, clock);
  const walBytes = (): number => statSync(`${place}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return {
    log,
    leases,
    store: {
      runs: new SqliteRuns(db, writer),
      streams,
      entities: new SqliteEntities(db),
      calls: new SqliteCalls(db, writer),
      deadLetters,
      timeline,
      library,
    },
    broken: () => writer.broken,
    walBytes,
    async housekeep({ beforeMs, checkpoint = false } = {}) {
      const { timelineRowsMax, forgetRowsMax } = STORAGE_LIMITS;
      const removed =
        (await log.trim(beforeMs)) +
        (await timeline.forget(timelineRowsMax, forgetRowsMax)) +
        (await sweep.step(forgetRowsMax));
      // Nothing left to remove: a quiet moment to bring the write-ahead log back to nothing.
      if (checkpoint || (removed === 0 && walBytes() > STORAGE_LIMITS.walBytesQuietMax)) writer.merge('TRUNCATE');
      return removed;
    },
    close() {
      try {
        writer.flush();
        // Closing merges the log and deletes it, on a disk of which no success proves anything any more.
        if (writer.broken === undefined) db.close();
      } finally {
        unlock();
      }
    },
  };
}

/** Durable before any lease is given, so that fences of an earlier process are always smaller. */
function nextBoot(db: DatabaseSync): number {
  const row = db
    .prepare(
      `INSERT INTO setting (name, value) VALUES ('boot', '1') ON CONFLICT DO UPDATE SET value = CAST(value + 1 AS TEXT) RETURNING value`,
    )
    .get();
  return Number(textAt(row, 'value'));
}

function setting(db: DatabaseSync, name: string, make: () => string): string {
  db.prepare('INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING').run(name, make());
  return textAt(db.prepare('SELECT value FROM setting WHERE name = ?').get(name), 'value');
}
