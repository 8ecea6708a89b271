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
import { LogPositions } from './log-positions.ts';
import { makeDirectory } from './make-directory.ts';
import { migrate } from './migrate.ts';
import { acquireProcessLock } from './process-lock.ts';
import { textAt } from './row.ts';
import { SqliteRuns } from './runs.ts';
import { SeenSweep } from './seen-sweep.ts';
import { SqliteStreams } from './streams.ts';
import { SqliteTimeline } from './timeline.ts';

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
  /** Called now and then: trims the log and forgets what is past its limit. Returns how many rows went. */
  housekeep(): Promise<number>;
  /** Commits what waits, merges the write-ahead log and lets the data directory go. */
  close(): void;
}

export interface SqliteStorageOptions {
  /** Directory for the data file and its lock, or ':memory:' for tests and simulations. */
  readonly data: string;
  readonly clock: Clock;
  /** Chooses partitions; made at random on first use, given only by tests that need the same one again. */
  readonly partitionSecret?: string;
  /** How long to wait for a process that is just letting go; a moment when absent. */
  readonly lockWaitMs?: number;
}

/** Opens (or creates) the data directory. Throws Faults that name the place and the next step. */
export function openSqliteStorage(options: SqliteStorageOptions): SqliteStorage {
  if (options.data === ':memory:') return assemble(openDatabase(':memory:'), ':memory:', options, () => undefined);
  const file = join(options.data, DATA_FILE);
  makeDirectory(options.data);
  const lock = acquireProcessLock(join(options.data, LOCK_FILE), options.lockWaitMs);
  try {
    return assemble(openDatabase(file), file, options, () => lock.release());
  } catch (error) {
    lock.release();
    throw toStorageFault(error, file);
  }
}

function assemble(
  db: DatabaseSync,
  place: string,
  { clock, partitionSecret }: SqliteStorageOptions,
  unlock: () => void,
): SqliteStorage {
  migrate(db, place);
  const boot = nextBoot(db);
  const secret = partitionSecret ?? setting(db, 'partition_secret', () => randomBytes(16).toString('hex'));
  const positions = new LogPositions(db);
  const writer = new GroupCommit({ db, clock, place, onRollback: () => positions.reload() });
  const leases = new ProcessLeases(clock, boot);
  const streams = new SqliteStreams(db, writer);
  const deadLetters = new SqliteDeadLetters(db);
  const log = new SqliteEventLog({
    db,
    clock,
    writer,
    leases,
    positions,
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
    async housekeep() {
      const { timelineRowsMax, forgetRowsMax } = STORAGE_LIMITS;
      const removed =
        (await log.trim()) +
        (await timeline.forget(timelineRowsMax, forgetRowsMax)) +
        (await sweep.step(forgetRowsMax));
      // Nothing left to remove: a quiet moment to bring the write-ahead log back to nothing.
      if (removed === 0 && walBytes() > STORAGE_LIMITS.walBytesQuietMax) db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return removed;
    },
    close() {
      try {
        writer.flush();
        db.close();
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
