import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ConnectionRef } from '#core/names.ts';
import { RUN_OUTCOMES, type Run, type RunCounts, type RunStore } from '#core/store.ts';
import { toFaultCode } from './dead-letter-rows.ts';
import type { GroupCommit } from './group-commit.ts';
import { numberAt, numberOrUndefined, textAt, textOrUndefined, type Row } from './row.ts';

const RUNS_KEPT_MAX = 500; // per connection; older ones are forgotten when a run starts

export class SqliteRuns implements RunStore {
  readonly #writer: GroupCommit;
  readonly #upsert: StatementSync;
  readonly #forget: StatementSync;
  readonly #recent: StatementSync;
  readonly #close: StatementSync;
  readonly #lastSuccess: StatementSync;

  constructor(db: DatabaseSync, writer: GroupCommit) {
    this.#writer = writer;
    this.#upsert = db.prepare(`
      INSERT INTO run (id, tenant, connection, stream, started_at_ms, ended_at_ms, outcome, counts, code, message, resume_at_ms)
      VALUES (:id, :tenant, :connection, :stream, :startedAtMs, :endedAtMs, :outcome, :counts, :code, :message, :resumeAtMs)
      ON CONFLICT (id) DO UPDATE SET ended_at_ms = excluded.ended_at_ms, outcome = excluded.outcome, counts = excluded.counts,
        code = excluded.code, message = excluded.message, resume_at_ms = excluded.resume_at_ms`);
    this.#forget = db.prepare(`
      DELETE FROM run WHERE id IN (
        SELECT id FROM run WHERE tenant = ? AND connection = ? ORDER BY started_at_ms DESC, rowid DESC LIMIT -1 OFFSET ${RUNS_KEPT_MAX})`);
    this.#recent = db.prepare(
      'SELECT * FROM run WHERE tenant = ? AND connection = ? ORDER BY started_at_ms DESC, rowid DESC LIMIT ?',
    );
    this.#close = db.prepare(`
      UPDATE run SET outcome = 'failed', ended_at_ms = ?, code = 'cancelled', message = 'Weir stopped while this run was going on'
      WHERE outcome = 'running'`);
    this.#lastSuccess = db.prepare(`
      SELECT max(ended_at_ms) AS at FROM run WHERE tenant = ? AND connection = ? AND outcome = 'succeeded'`);
  }

  start(run: Run): Promise<void> {
    return this.#writer.submit(() => {
      this.#upsert.run(toRow(run));
      this.#forget.run(run.tenant, run.connection);
    });
  }

  end(run: Run): Promise<void> {
    return this.#writer.submit(() => void this.#upsert.run(toRow(run)));
  }

  recent(of: ConnectionRef, limit: number): Promise<readonly Run[]> {
    return Promise.resolve(this.#recent.all(of.tenant, of.connection, limit).map(toRun));
  }

  closeAbandoned(nowMs: number): Promise<number> {
    return this.#writer.submit(() => Number(this.#close.run(nowMs).changes));
  }

  lastSuccess(of: ConnectionRef): Promise<number | undefined> {
    const at = this.#lastSuccess.get(of.tenant, of.connection)?.['at'];
    return Promise.resolve(typeof at === 'number' ? at : undefined);
  }
}

function toRow(run: Run) {
  const { id, tenant, connection, stream, startedAtMs, outcome } = run;
  return {
    id,
    tenant,
    connection,
    stream,
    startedAtMs,
    endedAtMs: run.endedAtMs ?? null,
    outcome,
    counts: JSON.stringify(run.counts),
    code: run.code ?? null,
    message: run.message ?? null,
    resumeAtMs: run.resumeAtMs ?? null,
  };
}

function toRun(row: Row): Run {
  const outcome = RUN_OUTCOMES.find((known) => known === row['outcome']) ?? 'failed';
  return {
    id: textAt(row, 'id'),
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stream: textAt(row, 'stream'),
    startedAtMs: numberAt(row, 'started_at_ms'),
    endedAtMs: numberOrUndefined(row, 'ended_at_ms'),
    outcome,
    counts: JSON.parse(textAt(row, 'counts')) as RunCounts, // written by toRow
    code: row['code'] === null ? undefined : toFaultCode(textAt(row, 'code')),
    message: textOrUndefined(row, 'message'),
    resumeAtMs: numberOrUndefined(row, 'resume_at_ms'),
  };
}
