import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '#core/fault.ts';
import type { Clock } from '#core/env.ts';
import { LOG_LIMITS } from '#core/event-log.ts';
import { toStorageFault } from './database.ts';
import { numberAt } from './row.ts';

const WAL_PAGES_MAX = 4000; // 16 MiB: then the write-ahead log is merged into the data file

interface Job {
  readonly cost: number;
  /**
   * Synchronous from start to end: an await in here would let other callers' statements into the transaction. May run twice:
   * what it changes outside of the database is only what `onRollback` restores.
   */
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: Fault) => void;
}

/**
 * The one writer. Jobs that arrive in the same turn of the event loop share one transaction and so one fsync; each promise
 * settles only after COMMIT has returned (I1). When a job throws, the whole transaction is undone and every job of it runs again
 * in one of its own, so that it fails alone; that is rare, and a savepoint per job would make the full-text index write a segment
 * for each. A failed COMMIT fails every job in it.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #place: string;
  readonly #onRollback: () => void;
  readonly #walLength: StatementSync;
  #jobs: Job[] = [];
  #scheduled = false;
  #broken: Fault | undefined;

  /** `onRollback` is called when statements of a job were undone, so that what is remembered in memory can be read again. */
  constructor(options: { db: DatabaseSync; clock: Clock; place: string; onRollback: () => void }) {
    this.#db = options.db;
    this.#clock = options.clock;
    this.#place = options.place;
    this.#onRollback = options.onRollback;
    this.#walLength = options.db.prepare('PRAGMA wal_checkpoint(NOOP)');
  }

  /** Set once the disk cannot be trusted any more: nothing is accepted from then on, and the process should end. */
  get broken(): Fault | undefined {
    return this.#broken;
  }

  /** Runs `run` inside the next transaction. `cost`: about how many rows it writes, to bound one transaction. */
  submit<T>(run: () => T, cost = 1): Promise<T> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // Each job's value goes to its own promise: the casts undo the erasure of the shared queue.
    this.#jobs.push({ cost, run, resolve: resolve as (value: unknown) => void, reject });
    if (!this.#scheduled) {
      this.#scheduled = true;
      void this.#drain();
    }
    return promise;
  }

  /**
   * Runs what reads or merges, outside of a transaction: damage that it meets ends the service as a failed write does. Nothing is
   * read for delivery once that is so, for no commit could follow.
   */
  guard<T>(run: () => T): T {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return run();
    } catch (error) {
      const fault = located(toStorageFault(error, this.#place), this.#place);
      if (fault.code === 'storage_broken') this.#broken = fault;
      throw fault;
    }
  }

  /** Merges the write-ahead log into the data file; TRUNCATE gives it back to the disk as well. */
  merge(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.guard(() => this.#db.exec(`PRAGMA wal_checkpoint(${mode})`));
  }

  /** Commits what waits, now. For closing. */
  flush(): void {
    while (this.#jobs.length > 0) this.#commit(this.#take());
  }

  async #drain(): Promise<void> {
    // Bounded by the jobs that arrive: each round takes at least one, and a turn passes in between.
    while (this.#jobs.length > 0) {
      await this.#clock.turn();
      if (this.#jobs.length > 0) this.#commit(this.#take());
    }
    this.#scheduled = false;
  }

  #take(): readonly Job[] {
    let cost = 0;
    let count = 0;
    for (const job of this.#jobs) {
      if (count > 0 && cost + job.cost > LOG_LIMITS.commitEventsMax) break;
      cost += job.cost;
      count += 1;
    }
    return this.#jobs.splice(0, count);
  }

  #commit(jobs: readonly Job[]): void {
    // I1: what already waited when the disk failed is refused like what comes later; its COMMIT would prove nothing.
    if (this.#broken !== undefined) return rejectAll(jobs, this.#broken);
    const values: unknown[] = [];
    const failed = this.#run(jobs, values) ?? this.#end();
    if (failed === undefined) {
      for (const [index, job] of jobs.entries()) job.resolve(values[index]);
      this.#mergeWhenLong();
      return;
    }
    this.#undo(failed);
    // Nothing was stored. One of several jobs may be to blame: each runs again alone. What is wrong with the disk fails them all.
    if (jobs.length === 1 || isOfTheDisk(failed)) rejectAll(jobs, this.#broken ?? failed);
    else for (const job of jobs) this.#commit([job]);
  }

  // Not left to SQLite, which keeps to itself what goes wrong in a merge of its own.
  #mergeWhenLong(): void {
    try {
      if (numberAt(this.#walLength.get(), 'log') >= WAL_PAGES_MAX) this.merge('PASSIVE');
    } catch {
      // Broken by now, or the disk is full, or somebody reads: then the next commit tries again.
    }
  }

  #run(jobs: readonly Job[], values: unknown[]): Fault | undefined {
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const job of jobs) values.push(job.run());
      return undefined;
    } catch (error) {
      return located(toStorageFault(error, this.#place), this.#place);
    }
  }

  #end(): Fault | undefined {
    try {
      this.#db.exec('COMMIT');
      return undefined;
    } catch (error) {
      return toStorageFault(error, this.#place);
    }
  }

  #undo(fault: Fault): void {
    // After a failed fsync a second one may report success without having written: stop here, for good.
    if (fault.code === 'storage_broken') this.#broken = fault;
    try {
      // SQLite itself ends the transaction on a full disk or an I/O error.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      if (this.#broken === undefined) this.#onRollback();
    } catch (error) {
      // What cannot be undone or read again leaves memory and file at odds.
      const cause = toStorageFault(error, this.#place);
      this.#broken ??= new Fault(
        'storage_broken',
        `${this.#place}: a failed write could not be undone (${cause.message})`,
        {
          cause,
          details: { place: this.#place },
        },
      );
    }
  }
}

function rejectAll(jobs: readonly Job[], fault: Fault): void {
  for (const job of jobs) job.reject(fault);
}

function located(fault: Fault, place: string): Fault {
  if (fault.code !== 'storage_broken' || fault.details['place'] !== undefined) return fault;
  return new Fault(fault.code, `${place}: ${fault.message}`, { cause: fault, details: { ...fault.details, place } });
}

function isOfTheDisk(fault: Fault): boolean {
  return fault.code.startsWith('storage_');
}
