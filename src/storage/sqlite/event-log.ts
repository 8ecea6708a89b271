import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '#core/env.ts';
import type { SealedEvent } from '#core/event.ts';
import {
  LOG_LIMITS,
  type AppendBatch,
  type AppendResult,
  type DeadLetterDraft,
  type Dispatch,
  type EventLog,
  type LogEntry,
  type LogStats,
  type ReadFrom,
} from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { SqliteDeadLetters } from './dead-letters.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ProcessLeases } from './leases.ts';
import { addCount, type Counts, type LogBacklog } from './log-backlog.ts';
import type { LogPositions, Mark } from './log-positions.ts';
import { LogReaders } from './log-readers.ts';
import { prepareLogStatements, type LogStatements } from './log-statements.ts';
import type { PartitionWaiters } from './partition-waiters.ts';
import type { SqliteStreams } from './streams.ts';
import { intactEventAt, numberAt, placeOfEntry, textAt, type Row } from './row.ts';

export interface SqliteEventLogOptions {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  readonly writer: GroupCommit;
  readonly leases: ProcessLeases;
  readonly positions: LogPositions;
  readonly backlog: LogBacklog;
  /** Shared with the dead letters, which wake an owner that has some to put back. */
  readonly waiters: PartitionWaiters;
  readonly streams: SqliteStreams;
  readonly deadLetters: SqliteDeadLetters;
  readonly partitionSecret: string;
}

/** The event log in SQLite: see `EventLog` for the protocol and docs/adr/0002 for the shape of its tables. */
export class SqliteEventLog implements EventLog {
  readonly #options: SqliteEventLogOptions;
  readonly #sql: LogStatements;
  readonly #readers: LogReaders;
  #pendingBytes = 0;

  constructor(options: SqliteEventLogOptions) {
    this.#options = options;
    this.#sql = prepareLogStatements(options.db);
    this.#readers = new LogReaders(options);
  }

  async append(batch: AppendBatch): Promise<AppendResult> {
    const bytes = checkBatch(batch);
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > LOG_LIMITS.pendingBytesMax) {
      throw new Fault('log_full', `${this.#pendingBytes} bytes already wait for their commit`);
    }
    this.#pendingBytes += bytes;
    try {
      const { result, touched } = await this.#options.writer.submit(() => this.#store(batch), batch.events.length + 1);
      for (const part of touched) this.#options.waiters.wake(part);
      return result;
    } finally {
      this.#pendingBytes -= bytes;
    }
  }

  #store(batch: AppendBatch): { result: AppendResult; touched: Iterable<number> } {
    const { clock, leases, positions, backlog, streams, deadLetters } = this.#options;
    const { checkpoint, failures = [] } = batch;
    // I5: a puller that lost its stream stores nothing, not even events: its successor reads the same page.
    if (checkpoint !== undefined && !leases.holds(checkpoint.fence, streamLeaseName(checkpoint.stream))) {
      throw new Fault('fenced', `${streamLeaseName(checkpoint.stream)} has another owner`);
    }
    const nowMs = clock.now();
    const added = new Map<number, Counts>();
    let accepted = 0;
    for (const sealed of batch.events) {
      if (this.#sql.insertSeen.run(sealed.event.tenant, sealed.event.id, nowMs).changes === 0) continue;
      this.#insert(sealed, nowMs, added);
      accepted += 1;
    }
    for (const [part, counts] of added) {
      const head = positions.head(part);
      this.#sql.updateHead.run(part, head.n, head.bytesTotal);
      backlog.add(part, counts);
    }
    // I2: cursor and events share this transaction; splitting them loses a page at every crash in between.
    if (checkpoint !== undefined) {
      streams.checkpoint(checkpoint, accepted, nowMs);
      for (const failure of failures) deadLetters.putRaw(checkpoint.stream, failure, nowMs);
    }
    return { result: { accepted, duplicates: batch.events.length - accepted }, touched: added.keys() };
  }

  #insert({ event, payload }: SealedEvent, nowMs: number, added: Map<number, Counts>): void {
    const { positions, deadLetters, partitionSecret } = this.#options;
    const part = partitionOf(partitionSecret, event.tenant, event.key);
    const head = positions.head(part);
    const bytes = Buffer.byteLength(payload);
    const next: Mark = { n: head.n + 1, bytesTotal: head.bytesTotal + bytes };
    this.#sql.insertEntry.run(part, next.n, event.tenant, nowMs, next.bytesTotal, payload);
    positions.moveHead(part, next);
    const counts: Counts = added.get(part) ?? new Map();
    addCount(counts, event.tenant, { events: 1, bytes });
    added.set(part, counts);
    deadLetters.resolveRaw(event, event.key);
    if (event.kind !== 'signal') {
      const deleted = event.op === 'delete' ? 1 : 0;
      this.#sql.upsertEntity.run(event.tenant, event.connection, event.stream, event.key, event.version, deleted);
    }
  }

  async register(reader: string, from: ReadFrom = 'oldest'): Promise<void> {
    await this.#readers.register(reader, from);
    this.#wakeAll();
  }

  async rewind(reader: string, from: ReadFrom, { dryRun = false } = {}): Promise<number> {
    const lag = await this.#readers.rewind(reader, from, dryRun);
    this.#wakeAll();
    return lag;
  }

  async unregister(reader: string): Promise<boolean> {
    const known = await this.#readers.unregister(reader);
    this.#wakeAll();
    return known;
  }

  #wakeAll(): void {
    for (let part = 0; part < PARTITIONS; part += 1) this.#options.waiters.wake(part);
  }

  async read(reader: string, partition: number, limit: number): Promise<readonly LogEntry[]> {
    const { positions, writer } = this.#options;
    if (!positions.knows(reader)) return [];
    const after = positions.reader(reader, partition).n;
    const rowsMax = Math.min(limit, LOG_LIMITS.readEventsMax);
    return writer.guard(() => {
      const entries: LogEntry[] = [];
      let chars = 0;
      // Row by row: what is beyond the limit is not even loaded.
      for (const row of this.#sql.selectEntries.iterate(partition, after, rowsMax)) {
        chars += textAt(row, 'payload').length;
        if (entries.length > 0 && chars > LOG_LIMITS.readCharsMax) break;
        entries.push(toEntry(row, partition));
      }
      return entries;
    });
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
          this.#options.deadLetters.putRejected(reader, partition, letter, this.#options.clock.now());
      }
      return settled === 'fenced' ? 'fenced' : 'committed';
    }, deadLetters.length + 1);
  }

  /**
   * Inside a writer's transaction: moves a position forward, or answers `fenced` and leaves it (I5). `repeated`: it stood there
   * already, because the answer of the first commit was lost (I12): what came with it is stored.
   */
  settle(reader: string, partition: number, position: number, fence: Fence): 'moved' | 'repeated' | 'fenced' {
    const { positions } = this.#options;
    if (!this.#owns(reader, partition, fence)) return 'fenced';
    this.#sql.deleteDispatch.run(reader, partition, position);
    if (position <= positions.reader(reader, partition).n) return 'repeated';
    const row = this.#sql.selectBytes.get(partition, position);
    if (row === undefined) throw new Fault('internal', `partition ${partition} has no entry ${position}`);
    this.#readers.move(reader, partition, { n: position, bytesTotal: numberAt(row, 'bytes_total') });
    return 'moved';
  }

  /** A reader that was removed owns nothing: it must not come into being again by what was under way. */
  #owns(reader: string, partition: number, fence: Fence): boolean {
    const { leases, positions } = this.#options;
    return positions.knows(reader) && leases.holds(fence, partitionLeaseName(reader, partition));
  }

  dispatch(
    reader: string,
    partition: number,
    { position, events, attempts, open }: Dispatch,
    fence: Fence,
  ): Promise<'recorded' | 'fenced'> {
    return this.#options.writer.submit(() => {
      if (!this.#owns(reader, partition, fence)) return 'fenced';
      this.#sql.upsertDispatch.run(reader, partition, position, events, attempts, open ? 1 : 0);
      return 'recorded';
    });
  }

  dispatched(reader: string, partition: number): Promise<Dispatch | undefined> {
    const row = this.#sql.selectDispatch.get(reader, partition);
    if (row === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      position: numberAt(row, 'n'),
      events: numberAt(row, 'events'),
      attempts: numberAt(row, 'attempts'),
      open: numberAt(row, 'open') === 1,
    });
  }

  wait(reader: string, partition: number, signal: AbortSignal): Promise<void> {
    const { positions, deadLetters, waiters } = this.#options;
    const behind = positions.knows(reader) && positions.head(partition).n > positions.reader(reader, partition).n;
    if (behind || deadLetters.hasQueued(reader, partition)) return Promise.resolve();
    return waiters.wait(partition, signal);
  }

  async peek(tenants: readonly string[], limit: number): Promise<readonly LogEntry[]> {
    const { positions, writer } = this.#options;
    const entries: LogEntry[] = [];
    for (let part = 0; part < PARTITIONS; part += 1) {
      const after = positions.slowest(part).n;
      writer.guard(() => {
        const rows = this.#sql.selectOfTenants.all(part, after, JSON.stringify(tenants), limit);
        entries.push(...rows.map((row) => toEntry(row, part)));
      });
    }
    entries.sort((a, b) => a.observedAtMs - b.observedAtMs);
    return entries.slice(0, limit);
  }

  stats(): Promise<LogStats> {
    const { positions, backlog } = this.#options;
    let size = 0;
    let bytes = 0;
    for (let part = 0; part < PARTITIONS; part += 1) {
      const head = positions.head(part);
      const slowest = positions.slowest(part);
      size += head.n - slowest.n;
      bytes += head.bytesTotal - slowest.bytesTotal;
    }
    return Promise.resolve({
      size,
      bytes,
      oldestAtMs: this.#oldestAfter((part) => positions.slowest(part)),
      readers: positions.readers.map((reader) => ({
        reader,
        lag: positions.lag(reader),
        oldestAtMs: this.#oldestAfter((part) => positions.reader(reader, part)),
      })),
      tenants: backlog.tenants,
    });
  }

  /** Of the entries that follow a mark in each partition: one look-up where there is one. */
  #oldestAfter(markOf: (part: number) => Mark): number | undefined {
    let oldestAtMs: number | undefined;
    for (let part = 0; part < PARTITIONS; part += 1) {
      const { n } = markOf(part);
      const row = this.#options.positions.head(part).n > n ? this.#sql.selectTime.get(part, n + 1) : undefined;
      if (row !== undefined) oldestAtMs = Math.min(oldestAtMs ?? Infinity, numberAt(row, 'at_ms'));
    }
    return oldestAtMs;
  }

  trim(beforeMs?: number): Promise<number> {
    return this.#options.writer.submit(() => {
      if (this.#readers.searching) return 0;
      let removed = 0;
      for (let part = 0; part < PARTITIONS && removed < LOG_LIMITS.trimRowsMax; part += 1)
        removed += this.#trimPart(part, LOG_LIMITS.trimRowsMax - removed, beforeMs);
      return removed;
    }, LOG_LIMITS.trimRowsMax);
  }

  /** From the front only: an entry that stays keeps all that follow, so that numbers have no holes. */
  #trimPart(part: number, rowsMax: number, beforeMs: number | undefined): number {
    const settled = this.#options.positions.slowest(part).n;
    const young = beforeMs === undefined ? undefined : this.#sql.selectYoung.get(part, settled, rowsMax, beforeMs);
    const end = young === undefined ? settled : numberAt(young, 'n') - 1;
    return Number(this.#sql.deleteSettled.run(part, end, rowsMax).changes);
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

function toEntry(row: Row, partition: number): LogEntry {
  const position = numberAt(row, 'n');
  const event = intactEventAt(row, placeOfEntry(partition, position));
  return { position, observedAtMs: numberAt(row, 'at_ms'), event };
}
