import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '#core/env.ts';
import { eventOfPayload, type SealedEvent } from '#core/event.ts';
import {
  LOG_LIMITS,
  type AppendBatch,
  type AppendResult,
  type DeadLetterDraft,
  type EventLog,
  type LogEntry,
  type LogStats,
} from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { SqliteDeadLetters } from './dead-letters.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ProcessLeases } from './leases.ts';
import type { LogPositions, Mark } from './log-positions.ts';
import { prepareLogStatements, type LogStatements } from './log-statements.ts';
import { PartitionWaiters } from './partition-waiters.ts';
import type { SqliteStreams } from './streams.ts';
import { numberAt, textAt, type Row } from './row.ts';

export interface SqliteEventLogOptions {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  readonly writer: GroupCommit;
  readonly leases: ProcessLeases;
  readonly positions: LogPositions;
  readonly streams: SqliteStreams;
  readonly deadLetters: SqliteDeadLetters;
  readonly partitionSecret: string;
}

/** The event log in SQLite: see `EventLog` for the protocol and docs/adr/0002 for the shape of its tables. */
export class SqliteEventLog implements EventLog {
  readonly #options: SqliteEventLogOptions;
  readonly #sql: LogStatements;
  readonly #waiters = new PartitionWaiters();
  #pendingBytes = 0;

  constructor(options: SqliteEventLogOptions) {
    this.#options = options;
    this.#sql = prepareLogStatements(options.db);
  }

  async append(batch: AppendBatch): Promise<AppendResult> {
    const bytes = checkBatch(batch);
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > LOG_LIMITS.pendingBytesMax) {
      throw new Fault('log_full', `${this.#pendingBytes} bytes already wait for their commit`);
    }
    this.#pendingBytes += bytes;
    try {
      const { result, touched } = await this.#options.writer.submit(() => this.#store(batch), batch.events.length + 1);
      for (const part of touched) this.#waiters.wake(part);
      return result;
    } finally {
      this.#pendingBytes -= bytes;
    }
  }

  #store(batch: AppendBatch): { result: AppendResult; touched: ReadonlySet<number> } {
    const { clock, leases, streams, deadLetters } = this.#options;
    const { checkpoint, failures = [] } = batch;
    // I5: a puller that lost its stream stores nothing, not even events: its successor reads the same page.
    if (checkpoint !== undefined && !leases.holds(checkpoint.fence, streamLeaseName(checkpoint.stream))) {
      throw new Fault('fenced', `${streamLeaseName(checkpoint.stream)} has another owner`);
    }
    const nowMs = clock.now();
    const touched = new Set<number>();
    let accepted = 0;
    for (const sealed of batch.events) {
      if (this.#sql.insertSeen.run(sealed.event.tenant, sealed.event.id, nowMs).changes === 0) continue;
      touched.add(this.#insert(sealed, nowMs));
      accepted += 1;
    }
    for (const part of touched) {
      const head = this.#options.positions.head(part);
      this.#sql.updateHead.run(part, head.n, head.bytesTotal);
    }
    // I2: cursor and events share this transaction; splitting them loses a page at every crash in between.
    if (checkpoint !== undefined) {
      streams.checkpoint(checkpoint, accepted, nowMs);
      for (const failure of failures) deadLetters.putRaw(checkpoint.stream, failure, nowMs);
    }
    return { result: { accepted, duplicates: batch.events.length - accepted }, touched };
  }

  #insert({ event, payload }: SealedEvent, nowMs: number): number {
    const { positions, partitionSecret } = this.#options;
    const part = partitionOf(partitionSecret, event.tenant, event.key);
    const head = positions.head(part);
    const next: Mark = { n: head.n + 1, bytesTotal: head.bytesTotal + Buffer.byteLength(payload) };
    this.#sql.insertEntry.run(part, next.n, event.tenant, nowMs, next.bytesTotal, payload);
    positions.moveHead(part, next);
    if (event.kind !== 'signal') {
      const deleted = event.op === 'delete' ? 1 : 0;
      this.#sql.upsertEntity.run(event.tenant, event.connection, event.stream, event.key, event.version, deleted);
    }
    return part;
  }

  async register(reader: string): Promise<void> {
    await this.#options.writer.submit(() => {
      if (this.#options.positions.knows(reader)) return;
      for (let part = 0; part < PARTITIONS; part += 1) this.#moveReader(reader, part, this.#beforeOldest(part));
    });
  }

  /** The mark just before the oldest retained entry: where a new reader begins. */
  #beforeOldest(part: number): Mark {
    const oldest = this.#sql.selectOldest.get(part);
    if (oldest === undefined) return this.#options.positions.head(part);
    return {
      n: numberAt(oldest, 'n') - 1,
      bytesTotal: numberAt(oldest, 'bytes_total') - Buffer.byteLength(textAt(oldest, 'payload')),
    };
  }

  #moveReader(reader: string, part: number, mark: Mark): void {
    this.#sql.upsertPosition.run(reader, part, mark.n, mark.bytesTotal);
    this.#options.positions.moveReader(reader, part, mark);
  }

  read(reader: string, partition: number, limit: number): Promise<readonly LogEntry[]> {
    const after = this.#options.positions.reader(reader, partition).n;
    const rows = this.#sql.selectEntries.all(partition, after, Math.min(limit, LOG_LIMITS.readEventsMax));
    return Promise.resolve(rows.map(toEntry));
  }

  commit(
    reader: string,
    partition: number,
    position: number,
    fence: Fence,
    deadLetters: readonly DeadLetterDraft[] = [],
  ): Promise<'committed' | 'fenced'> {
    return this.#options.writer.submit(() => {
      const settled = this.settle(reader, partition, position, fence);
      if (settled === 'moved') {
        for (const letter of deadLetters)
          this.#options.deadLetters.putRejected(reader, letter, this.#options.clock.now());
      }
      return settled === 'fenced' ? 'fenced' : 'committed';
    }, deadLetters.length + 1);
  }

  /**
   * Inside a writer's transaction: moves a position forward, or answers `fenced` and leaves it (I5). `repeated`: it stood there
   * already, because the answer of the first commit was lost (I12): what came with it is stored.
   */
  settle(reader: string, partition: number, position: number, fence: Fence): 'moved' | 'repeated' | 'fenced' {
    const { leases, positions } = this.#options;
    if (!leases.holds(fence, partitionLeaseName(reader, partition))) return 'fenced';
    if (position <= positions.reader(reader, partition).n) return 'repeated';
    const row = this.#sql.selectBytes.get(partition, position);
    if (row === undefined) throw new Fault('internal', `partition ${partition} has no entry ${position}`);
    this.#moveReader(reader, partition, { n: position, bytesTotal: numberAt(row, 'bytes_total') });
    return 'moved';
  }

  wait(reader: string, partition: number, signal: AbortSignal): Promise<void> {
    const { positions } = this.#options;
    if (positions.head(partition).n > positions.reader(reader, partition).n) return Promise.resolve();
    return this.#waiters.wait(partition, signal);
  }

  peek(tenants: readonly string[], limit: number): Promise<readonly LogEntry[]> {
    const entries: LogEntry[] = [];
    for (let part = 0; part < PARTITIONS; part += 1) {
      const rows = this.#sql.selectOfTenants.all(
        part,
        this.#options.positions.slowest(part).n,
        JSON.stringify(tenants),
        limit,
      );
      entries.push(...rows.map(toEntry));
    }
    entries.sort((a, b) => a.observedAtMs - b.observedAtMs);
    return Promise.resolve(entries.slice(0, limit));
  }

  stats(): Promise<LogStats> {
    const { positions } = this.#options;
    let size = 0;
    let bytes = 0;
    let oldestAtMs: number | undefined;
    for (let part = 0; part < PARTITIONS; part += 1) {
      const head = positions.head(part);
      const slowest = positions.slowest(part);
      size += head.n - slowest.n;
      bytes += head.bytesTotal - slowest.bytesTotal;
      const oldest = head.n === slowest.n ? undefined : this.#sql.selectTime.get(part, slowest.n + 1);
      if (oldest !== undefined) oldestAtMs = Math.min(oldestAtMs ?? Infinity, numberAt(oldest, 'at_ms'));
    }
    return Promise.resolve({ size, bytes, oldestAtMs, readers: positions.lags() });
  }

  trim(): Promise<number> {
    return this.#options.writer.submit(() => {
      let removed = 0;
      for (let part = 0; part < PARTITIONS && removed < LOG_LIMITS.trimRowsMax; part += 1) {
        const settled = this.#options.positions.slowest(part).n;
        removed += Number(this.#sql.deleteSettled.run(part, settled, LOG_LIMITS.trimRowsMax - removed).changes);
      }
      return removed;
    }, LOG_LIMITS.trimRowsMax);
  }
}

function checkBatch(batch: AppendBatch): number {
  if (batch.events.length > LOG_LIMITS.appendEventsMax) {
    throw new Fault(
      'input_invalid',
      `${batch.events.length} events in one append; at most ${LOG_LIMITS.appendEventsMax}`,
    );
  }
  if (batch.checkpoint === undefined && (batch.failures ?? []).length > 0) {
    throw new Fault('input_invalid', 'failures need the checkpoint that covers them');
  }
  return batch.events.reduce((sum, sealed) => sum + Buffer.byteLength(sealed.payload), 0);
}

function toEntry(row: Row): LogEntry {
  return {
    position: numberAt(row, 'n'),
    observedAtMs: numberAt(row, 'at_ms'),
    event: eventOfPayload(textAt(row, 'payload')),
  };
}
