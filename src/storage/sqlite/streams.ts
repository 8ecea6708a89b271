import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Checkpoint } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import type { ConnectionRef, StreamRef } from '#core/names.ts';
import type { StreamState, StreamStore } from '#core/store.ts';
import type { GroupCommit } from './group-commit.ts';
import { numberAt, numberOrUndefined, textAt, textOrUndefined, type Row } from './row.ts';

const COLUMNS =
  'tenant, connection, stream, cursor, connector_version, cursor_at_ms, reconcile_due, events_total, due_at_ms, failures, stated_wait_ms';

export class SqliteStreams implements StreamStore {
  readonly #writer: GroupCommit;
  readonly #select: StatementSync;
  readonly #selectAll: StatementSync;
  readonly #upsertDue: StatementSync;
  readonly #upsertCursor: StatementSync;

  constructor(db: DatabaseSync, writer: GroupCommit) {
    this.#writer = writer;
    this.#select = db.prepare(`SELECT ${COLUMNS} FROM stream WHERE tenant = ? AND connection = ? AND stream = ?`);
    this.#selectAll = db.prepare(`SELECT ${COLUMNS} FROM stream WHERE tenant = ? AND connection = ? ORDER BY stream`);
    this.#upsertDue = db.prepare(`
      INSERT INTO stream (tenant, connection, stream, due_at_ms, failures, stated_wait_ms) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET
        due_at_ms = excluded.due_at_ms, failures = excluded.failures, stated_wait_ms = excluded.stated_wait_ms`);
    this.#upsertCursor = db.prepare(`
      INSERT INTO stream (tenant, connection, stream, cursor, connector_version, cursor_at_ms, reconcile_due, events_total)
      VALUES (:tenant, :connection, :stream, :cursor, :version, :nowMs, coalesce(:reconcile, 0), :accepted)
      ON CONFLICT DO UPDATE SET cursor = coalesce(:cursor, cursor), connector_version = coalesce(:version, connector_version),
        cursor_at_ms = coalesce(:nowMs, cursor_at_ms), reconcile_due = coalesce(:reconcile, reconcile_due), events_total = events_total + :accepted`);
  }

  get(of: StreamRef): Promise<StreamState | undefined> {
    const row = this.#select.get(of.tenant, of.connection, of.stream);
    return Promise.resolve(row === undefined ? undefined : toState(row));
  }

  list(of: ConnectionRef): Promise<readonly StreamState[]> {
    return Promise.resolve(this.#selectAll.all(of.tenant, of.connection).map(toState));
  }

  schedule(of: StreamRef, dueAtMs: number, failures: number, statedWaitMs?: number): Promise<void> {
    const { tenant, connection, stream } = of;
    return this.#writer.submit(
      () => void this.#upsertDue.run(tenant, connection, stream, dueAtMs, failures, statedWaitMs ?? null),
    );
  }

  /** Inside the transaction of an append (I2). */
  checkpoint({ stream: of, cursor, connectorVersion, reconcile }: Checkpoint, accepted: number, nowMs: number): void {
    this.#upsertCursor.run({
      tenant: of.tenant,
      connection: of.connection,
      stream: of.stream,
      // Without a cursor nothing about it changes; null is a cursor like any other and becomes the text `null`.
      cursor: cursor === undefined ? null : JSON.stringify(cursor),
      version: cursor === undefined ? null : connectorVersion,
      nowMs: cursor === undefined ? null : nowMs,
      reconcile: reconcile === undefined ? null : reconcile === 'due' ? 1 : 0,
      accepted,
    });
  }
}

function toState(row: Row): StreamState {
  const cursor = textOrUndefined(row, 'cursor');
  return {
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stream: textAt(row, 'stream'),
    // Written by `checkpoint` as JSON; the connector's own schema checks its shape before use.
    cursor: cursor === undefined ? undefined : (JSON.parse(cursor) as JsonValue),
    connectorVersion: textOrUndefined(row, 'connector_version'),
    cursorAtMs: numberOrUndefined(row, 'cursor_at_ms'),
    reconcileDue: row['reconcile_due'] === 1,
    eventsTotal: numberAt(row, 'events_total'),
    dueAtMs: numberOrUndefined(row, 'due_at_ms'),
    failures: numberAt(row, 'failures'),
    statedWaitMs: numberOrUndefined(row, 'stated_wait_ms'),
  };
}
