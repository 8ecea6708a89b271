import type { Random } from '#core/env.ts';
import type { SqliteStorageOptions } from '#storage/sqlite/storage.ts';
import { between, type Faults } from './fault-plan.ts';

export type Connection = Parameters<NonNullable<SqliteStorageOptions['onConnection']>>[0];

const UNLIMITED_PAGES = 1_000_000;
const SQLITE_IOERR_FSYNC = 1034; // https://sqlite.org/rescode.html#ioerr_fsync

/** The disk under the database: it fills up, and a COMMIT on it may fail with or without effect. */
export class SimulatedDisk {
  readonly #chance: Random;
  readonly #faults: Faults;
  #connection: Connection | undefined;
  #failsNextCommit = false;

  constructor(chance: Random, faults: Faults) {
    this.#chance = chance;
    this.#faults = faults;
  }

  /** From now on this connection writes to it. The one before, of a process that died, is closed: nothing waits in it. */
  attach(connection: Connection): void {
    const before = this.#connection;
    const exec = connection.exec.bind(connection);
    connection.exec = (sql) => {
      if (sql !== 'COMMIT' || !this.#failsNextCommit) return exec(sql);
      this.#failsNextCommit = false;
      this.#faults.count('disk_error');
      // What fsync failed on may have reached the disk all the same.
      exec(this.#chance.float() < 0.5 ? 'COMMIT' : 'ROLLBACK');
      throw Object.assign(new Error('disk I/O error'), { errcode: SQLITE_IOERR_FSYNC });
    };
    this.#connection = connection;
    before?.close();
  }

  rows(sql: string): readonly Record<string, unknown>[] {
    return this.#connection?.prepare(sql).all() ?? [];
  }

  fill(): void {
    const pages = Number(this.rows('PRAGMA page_count')[0]?.['page_count'] ?? 0);
    this.#connection?.exec(`PRAGMA max_page_count = ${pages + between(this.#chance, 0, 3)}`);
  }

  free(): void {
    this.#connection?.exec(`PRAGMA max_page_count = ${UNLIMITED_PAGES}`);
  }

  failNextCommit(): void {
    this.#failsNextCommit = true;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }
}
