import type { DatabaseSync } from 'node:sqlite';
import {
  DEAD_LETTER_LIMITS,
  PULL_STAGE,
  rawPayloadOf,
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterRemoval,
  type DeadLetterStore,
  type QueuedLetter,
} from '#core/dead-letter.ts';
import type { Clock } from '#core/env.ts';
import type { Attempt, DeadLetterDraft, PullFailure } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, type ConnectionRef, type StreamRef } from '#core/names.ts';
import type { WriteResult } from '#core/sink.ts';
import { bindFilter } from './dead-letter-filter.ts';
import { toDeadLetter, toDetail, toGroup, toQueuedLetter } from './dead-letter-rows.ts';
import { LETTER_COLUMNS, prepareDeadLetterStatements, type DeadLetterStatements } from './dead-letter-statements.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ProcessLeases } from './leases.ts';
import type { PartitionWaiters } from './partition-waiters.ts';
import { intactEventAt, numberAt, placeOfEntry, textAt, textOrUndefined, type Row } from './row.ts';

export interface SqliteDeadLettersOptions {
  readonly db: DatabaseSync;
  readonly writer: GroupCommit;
  readonly clock: Clock;
  readonly leases: ProcessLeases;
  readonly waiters: PartitionWaiters;
}

interface Incoming extends StreamRef {
  readonly stage: string;
  readonly key: string;
  readonly eventId: string;
  readonly version: number | null;
  readonly part: number | null;
  readonly position: number;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
}

export class SqliteDeadLetters implements DeadLetterStore {
  readonly #options: SqliteDeadLettersOptions;
  readonly #sql: DeadLetterStatements;
  /** Streams that may have raw letters: all that have some, and perhaps one whose last has just gone. */
  readonly #rawStreams = new Set<string>();

  constructor(options: SqliteDeadLettersOptions) {
    this.#options = options;
    this.#sql = prepareDeadLetterStatements(options.db);
    this.reload();
  }

  /** Called after a rollback: what is remembered in memory is read again. */
  reload(): void {
    this.#rawStreams.clear();
    for (const row of this.#sql.selectRawStreams.all(PULL_STAGE)) {
      const [tenant, connection, stream] = [textAt(row, 'tenant'), textAt(row, 'connection'), textAt(row, 'stream')];
      this.#rawStreams.add(nameOf({ tenant, connection, stream }));
    }
  }

  /** Inside the transaction of an append: a record that the parser could not take. */
  putRaw(of: StreamRef, failure: PullFailure, nowMs: number): void {
    const { tenant, connection, stream } = of;
    const { key, code, message } = failure;
    const payload = rawPayloadOf(failure.payload);
    const raw = { stage: PULL_STAGE, eventId: '', version: null, part: null, position: 0, attempts: 1 };
    const letter = { tenant, connection, stream, key, code, message, ...raw };
    this.#put(letter, payload, [{ atMs: nowMs, code, message }], nowMs);
    this.#rawStreams.add(nameOf(of));
  }

  /** Inside the transaction of a commit: an event that its sink refuses for good. */
  putRejected(sink: string, part: number, draft: DeadLetterDraft, nowMs: number): void {
    const { position } = draft.entry;
    const { code, message, attempts, history = [] } = draft;
    // The bytes of the log: a sink had the entry in its hands and may have changed it.
    const row = this.#sql.selectEntry.get(part, position);
    const event = row === undefined ? draft.entry.event : intactEventAt(row, placeOfEntry(part, position));
    const text = textOrUndefined(row, 'payload') ?? JSON.stringify(event);
    const { tenant, connection, stream, key, id: eventId, version } = event;
    const letter = { tenant, connection, stream, key, eventId, version, part, position, stage: sink };
    const tries = history.length > 0 ? history : [{ atMs: nowMs, code, message }];
    this.#put({ ...letter, code, message, attempts }, { text, cut: false }, tries, nowMs);
  }

  /** Inside the transaction of an append that accepts an event of this key: the record came through. Free for a stream without raw letters. */
  resolveRaw({ tenant, connection, stream }: StreamRef, key: string): void {
    const name = nameOf({ tenant, connection, stream });
    if (!this.#rawStreams.has(name)) return;
    this.#sql.deleteOfKey.run(tenant, connection, PULL_STAGE, stream, key);
    const more = this.#sql.selectOfStream.get(tenant, connection, PULL_STAGE, stream);
    if (more === undefined) this.#rawStreams.delete(name);
  }

  #put(letter: Incoming, payload: ReturnType<typeof rawPayloadOf>, tries: readonly Attempt[], nowMs: number): void {
    const id = numberAt(this.#sql.upsert.get({ ...letter, nowMs }), 'id');
    this.#sql.insertPayload.run(id, payload.text ?? null, Number(payload.cut));
    this.#remember(id, tries);
  }

  #remember(id: number, tries: readonly Attempt[]): void {
    const kept = DEAD_LETTER_LIMITS.attemptsKeptMax;
    for (const { atMs, code, message } of tries.slice(-kept)) this.#sql.insertAttempt.run(id, atMs, code, message);
    this.#sql.forgetAttempts.run({ id, kept });
  }

  list(filter: DeadLetterFilter, limit: number, beforeId?: number): Promise<readonly DeadLetter[]> {
    const { where, values } = bindFilter(filter);
    const select = this.#options.db.prepare(
      `SELECT ${LETTER_COLUMNS} WHERE ${where} AND id < :beforeId ORDER BY id DESC LIMIT :limit`,
    );
    const page = { beforeId: beforeId ?? Number.MAX_SAFE_INTEGER, limit: Math.min(limit, DEAD_LETTER_LIMITS.listMax) };
    return Promise.resolve(select.all({ ...values, ...page }).map(toDeadLetter));
  }

  groups(filter: DeadLetterFilter): Promise<readonly DeadLetterGroup[]> {
    const { where, values } = bindFilter(filter);
    const select = this.#options.db.prepare(`
      SELECT g.*, newest.message FROM (
        SELECT tenant, connection, stage, stream, code, count(*) AS count, sum(queued) AS queued,
          min(first_at_ms) AS first_at_ms, max(last_at_ms) AS last_at_ms, max(id) AS sample_id
        FROM dead_letter WHERE ${where} GROUP BY tenant, connection, stage, stream, code) AS g
      JOIN dead_letter AS newest ON newest.id = g.sample_id
      ORDER BY count DESC, sample_id DESC`);
    return Promise.resolve(select.all(values).map(toGroup));
  }

  get(tenants: readonly string[], id: number): Promise<DeadLetterDetail | undefined> {
    const row = this.#sql.selectLetter.get({ tenants: JSON.stringify(tenants), id });
    return Promise.resolve(row && toDetail(row, this.#sql.selectAttempts.all(id)));
  }

  count(of: ConnectionRef): Promise<number> {
    return Promise.resolve(numberAt(this.#sql.count.get(of.tenant, of.connection), 'count'));
  }

  async queue(filter: DeadLetterFilter): Promise<number> {
    const change = `UPDATE dead_letter SET queued = 1 WHERE queued = 0 AND part IS NOT NULL`;
    return await this.#change(filter, change, (rows) => {
      for (const part of new Set(rows.map((row) => numberAt(row, 'part')))) this.#options.waiters.wake(part);
    });
  }

  async queued(sink: string, partition: number, limit: number): Promise<readonly QueuedLetter[]> {
    return this.#options.writer.guard(() => this.#sql.selectQueued.all(sink, partition, limit).map(toQueuedLetter));
  }

  /** Called by `EventLog.wait`. */
  hasQueued(sink: string, partition: number): boolean {
    return this.#sql.hasQueued.get(sink, partition) !== undefined;
  }

  settle(
    sink: string,
    partition: number,
    results: readonly { readonly id: number; readonly result: WriteResult }[],
    fence: Fence,
  ): Promise<'committed' | 'fenced'> {
    const { writer, leases, clock } = this.#options;
    return writer.submit(() => {
      // I5: checked inside the transaction, so that nobody takes the partition over in between.
      if (!leases.holds(fence, partitionLeaseName(sink, partition))) return 'fenced';
      for (const { id, result } of results) this.#settleOne(sink, partition, id, result, clock.now());
      return 'committed';
    }, results.length);
  }

  // Only what is still queued: a letter that was discarded meanwhile is no more, and a repeated settle (I12) counts no try twice.
  #settleOne(stage: string, part: number, id: number, result: WriteResult, nowMs: number): void {
    if (result.outcome === 'written' || result.outcome === 'stale') {
      this.#sql.deleteDelivered.run(id, stage, part);
      return;
    }
    const { code, message } = result.fault;
    const { changes } = this.#sql.updateFailed.run({ id, stage, part, code, message, nowMs });
    if (changes !== 0) this.#remember(id, [{ atMs: nowMs, code, message }]);
  }

  edit(tenants: readonly string[], id: number, payload: JsonValue | undefined): Promise<boolean> {
    const edited = payload === undefined ? null : JSON.stringify(payload);
    const values = { tenants: JSON.stringify(tenants), id, edited };
    return this.#options.writer.submit(() => this.#sql.edit.run(values).changes !== 0);
  }

  discard(filter: DeadLetterFilter): Promise<number> {
    return this.#change(filter, 'DELETE FROM dead_letter WHERE true');
  }

  /** Changes what matched when it was called and still does when its turn comes, a bounded number in one commit. */
  async #change(filter: DeadLetterFilter, change: string, committed?: (rows: readonly Row[]) => void): Promise<number> {
    const { db, writer } = this.#options;
    const { where, values } = bindFilter(filter);
    const ids = db.prepare(`SELECT id FROM dead_letter WHERE ${where} ORDER BY id`).all(values);
    let changed = 0;
    for (let at = 0; at < ids.length; at += DEAD_LETTER_LIMITS.changeLettersMax) {
      const chunk = ids.slice(at, at + DEAD_LETTER_LIMITS.changeLettersMax).map((row) => numberAt(row, 'id'));
      const bound = bindFilter({ ...filter, ids: chunk });
      const statement = db.prepare(`${change} AND ${bound.where} RETURNING part`);
      const rows = await writer.submit(() => statement.all(bound.values), chunk.length);
      committed?.(rows);
      changed += rows.length;
    }
    return changed;
  }

  forget(beforeMs: number, countMax: number): Promise<DeadLetterRemoval> {
    const rowsMax = DEAD_LETTER_LIMITS.changeLettersMax;
    return this.#options.writer.submit(() => {
      let [expired, evicted] = [0, 0];
      for (const row of this.#sql.countOfTenants.all()) {
        const tenant = textAt(row, 'tenant');
        const old = Number(this.#sql.deleteExpired.run(tenant, beforeMs, rowsMax - expired - evicted).changes);
        expired += old;
        const excess = Math.min(numberAt(row, 'count') - old - countMax, rowsMax - expired - evicted);
        if (excess > 0) evicted += Number(this.#sql.deleteOldest.run(tenant, excess).changes);
      }
      return { expired, evicted };
    }, rowsMax);
  }
}

function nameOf({ tenant, connection, stream }: StreamRef): string {
  return `${tenant}/${connection}/${stream}`;
}
