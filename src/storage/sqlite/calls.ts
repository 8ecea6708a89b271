import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ConnectionRef } from '#core/names.ts';
import type { CallFailure, CallMinute, CallStore } from '#core/store.ts';
import { toFaultCode } from './dead-letter-rows.ts';
import type { GroupCommit } from './group-commit.ts';
import { numberAt, textAt } from './row.ts';

export class SqliteCalls implements CallStore {
  readonly #writer: GroupCommit;
  readonly #upsertMinute: StatementSync;
  readonly #insertFailure: StatementSync;
  readonly #minutes: StatementSync;
  readonly #failures: StatementSync;
  readonly #forgetMinutes: StatementSync;
  readonly #forgetFailures: StatementSync;

  constructor(db: DatabaseSync, writer: GroupCommit) {
    this.#writer = writer;
    this.#upsertMinute = db.prepare(`
      INSERT INTO call_minute (tenant, connection, minute, operation, succeeded, failed, sketch) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET succeeded = excluded.succeeded, failed = excluded.failed, sketch = excluded.sketch`);
    this.#insertFailure = db.prepare(
      'INSERT INTO call_failure (tenant, connection, at_ms, operation, code, message) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#minutes = db.prepare('SELECT * FROM call_minute WHERE tenant = ? AND connection = ? AND minute >= ?');
    this.#failures = db.prepare(
      'SELECT * FROM call_failure WHERE tenant = ? AND connection = ? ORDER BY at_ms DESC, id DESC LIMIT ?',
    );
    this.#forgetMinutes = db.prepare('DELETE FROM call_minute WHERE minute < ?');
    this.#forgetFailures = db.prepare(`
      DELETE FROM call_failure WHERE id IN (
        SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY tenant, connection ORDER BY at_ms DESC, id DESC) AS rank FROM call_failure)
        WHERE rank > ?)`);
  }

  save(minutes: readonly CallMinute[], failures: readonly CallFailure[]): Promise<void> {
    return this.#writer.submit(() => {
      for (const { tenant, connection, minute, operation, succeeded, failed, sketch } of minutes) {
        this.#upsertMinute.run(tenant, connection, minute, operation, succeeded, failed, sketch);
      }
      for (const { tenant, connection, atMs, operation, code, message } of failures) {
        this.#insertFailure.run(tenant, connection, atMs, operation, code, message);
      }
    }, minutes.length + failures.length);
  }

  minutes(of: ConnectionRef, sinceMinute: number): Promise<readonly CallMinute[]> {
    const rows = this.#minutes.all(of.tenant, of.connection, sinceMinute);
    return Promise.resolve(
      rows.map((row) => ({
        ...of,
        operation: textAt(row, 'operation'),
        minute: numberAt(row, 'minute'),
        succeeded: numberAt(row, 'succeeded'),
        failed: numberAt(row, 'failed'),
        sketch: row['sketch'] instanceof Uint8Array ? row['sketch'] : new Uint8Array(),
      })),
    );
  }

  failures(of: ConnectionRef, limit: number): Promise<readonly CallFailure[]> {
    const rows = this.#failures.all(of.tenant, of.connection, limit);
    return Promise.resolve(
      rows.map((row) => ({
        ...of,
        atMs: numberAt(row, 'at_ms'),
        operation: textAt(row, 'operation'),
        code: toFaultCode(textAt(row, 'code')),
        message: textAt(row, 'message'),
      })),
    );
  }

  forget(beforeMinute: number, failuresMax: number): Promise<void> {
    return this.#writer.submit(() => {
      this.#forgetMinutes.run(beforeMinute);
      this.#forgetFailures.run(failuresMax);
    });
  }
}
