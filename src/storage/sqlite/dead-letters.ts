import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeadLetterDraft, PullFailure } from '#core/event-log.ts';
import { FAULTS, type FaultCode } from '#core/fault.ts';
import type { ConnectionRef, StreamRef } from '#core/names.ts';
import type { DeadLetter, DeadLetterStore } from '#core/store.ts';
import { numberAt, textAt, type Row } from './row.ts';

const PULL_STAGE = 'pull';
const PAYLOAD_CHARS_MAX = 256 * 1024; // of a raw record; what is longer is cut, the source still has it

export class SqliteDeadLetters implements DeadLetterStore {
  readonly #upsert: StatementSync;
  readonly #select: StatementSync;
  readonly #count: StatementSync;

  constructor(db: DatabaseSync) {
    this.#upsert = db.prepare(`
      INSERT INTO dead_letter (tenant, connection, stage, stream, key, event_id, code, message, payload, attempts, first_at_ms, last_at_ms)
      VALUES (:tenant, :connection, :stage, :stream, :key, :eventId, :code, :message, :payload, :attempts, :nowMs, :nowMs)
      ON CONFLICT DO UPDATE SET code = excluded.code, message = excluded.message, payload = excluded.payload,
        attempts = attempts + excluded.attempts, last_at_ms = excluded.last_at_ms`);
    this.#select = db.prepare(`
      SELECT * FROM dead_letter
      WHERE tenant IN (SELECT value FROM json_each(:tenants)) AND (:connection IS NULL OR connection = :connection)
      ORDER BY id DESC LIMIT :limit`);
    this.#count = db.prepare('SELECT count(*) AS count FROM dead_letter WHERE tenant = ? AND connection = ?');
  }

  list(tenants: readonly string[], connection: string | undefined, limit: number): Promise<readonly DeadLetter[]> {
    const rows = this.#select.all({ tenants: JSON.stringify(tenants), connection: connection ?? null, limit });
    return Promise.resolve(rows.map(toDeadLetter));
  }

  count(of: ConnectionRef): Promise<number> {
    return Promise.resolve(numberAt(this.#count.get(of.tenant, of.connection), 'count'));
  }

  /** Inside the transaction of an append: a record that the parser could not take. */
  putRaw(of: StreamRef, failure: PullFailure, nowMs: number): void {
    const { tenant, connection, stream } = of;
    const payload = failure.payload === undefined ? null : JSON.stringify(failure.payload).slice(0, PAYLOAD_CHARS_MAX);
    const { key, code, message } = failure;
    this.#upsert.run({
      tenant,
      connection,
      stage: PULL_STAGE,
      stream,
      key,
      eventId: '',
      code,
      message,
      payload,
      attempts: 1,
      nowMs,
    });
  }

  /** Inside the transaction of a commit: an event that its sink refuses for good. */
  putRejected(sink: string, letter: DeadLetterDraft, nowMs: number): void {
    const { tenant, connection, stream, key, id: eventId } = letter.entry.event;
    const payload = JSON.stringify(letter.entry.event);
    const { code, message, attempts } = letter;
    this.#upsert.run({
      tenant,
      connection,
      stage: sink,
      stream,
      key,
      eventId,
      code,
      message,
      payload,
      attempts,
      nowMs,
    });
  }
}

function toDeadLetter(row: Row): DeadLetter {
  return {
    id: numberAt(row, 'id'),
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stage: textAt(row, 'stage'),
    stream: textAt(row, 'stream'),
    key: textAt(row, 'key'),
    code: toFaultCode(textAt(row, 'code')),
    message: textAt(row, 'message'),
    attempts: numberAt(row, 'attempts'),
    firstAtMs: numberAt(row, 'first_at_ms'),
    lastAtMs: numberAt(row, 'last_at_ms'),
  };
}

/** Codes are written from the closed table; one that a later version retired reads as `internal`. */
export function toFaultCode(code: string): FaultCode {
  return Object.hasOwn(FAULTS, code) ? (code as FaultCode) : 'internal'; // hasOwn has just proven membership
}
