import type { Clock } from '#core/env.ts';
import {
  type AppendBatch,
  type AppendResult,
  type DeadLetterDraft,
  type Dispatch,
  type EventLog,
  LOG_LIMITS,
  type LogEntry,
  type LogStats,
  type ReadFrom,
} from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import type { LeaseModel, LogModel } from './log-model.ts';

/** Settles what a built-in sink is about to write; the sink writes in the same synchronous step, as in one transaction. */
export type SettleBatch = (
  reader: string,
  partition: number,
  entries: readonly LogEntry[],
  fence: Fence,
) => 'committed' | 'fenced';

/** The model as an EventLog: waits a turn as a group commit would, then writes in one synchronous step. */
export class MemoryLog implements EventLog {
  readonly #model: LogModel;
  readonly #leases: LeaseModel;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #pendingBytes = 0;
  #ended = false;

  constructor(model: LogModel, leases: LeaseModel, clock: Clock) {
    this.#model = model;
    this.#leases = leases;
    this.#clock = clock;
  }

  async append(batch: AppendBatch): Promise<AppendResult> {
    if (batch.events.length > LOG_LIMITS.appendEventsMax) {
      throw new Fault(
        'input_invalid',
        `${batch.events.length} events in one append; at most ${LOG_LIMITS.appendEventsMax} are taken`,
      );
    }
    const bytes = batch.events.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0);
    if (this.#pendingBytes + bytes > LOG_LIMITS.pendingBytesMax) {
      throw new Fault(
        'log_full',
        `${this.#pendingBytes} bytes wait for their commit; at most ${LOG_LIMITS.pendingBytesMax} may`,
      );
    }
    this.#pendingBytes += bytes;
    await this.#clock.turn();
    this.#pendingBytes -= bytes;
    if (this.#ended) throw new Fault('storage_unknown', 'the log was closed before the events were stored');
    this.#refuseFenced(batch);
    const result = this.#model.append(batch, this.#clock.now());
    this.wake();
    return result;
  }

  async register(reader: string, from?: ReadFrom): Promise<void> {
    this.#model.register(reader, from);
    this.wake();
  }

  async rewind(reader: string, from: ReadFrom, { dryRun = false } = {}): Promise<number> {
    if (!this.#model.readers.includes(reader)) throw new Fault('not_found', `${reader} reads nothing of this log`);
    if (!dryRun) this.#endLeases(reader);
    const lag = this.#model.rewind(reader, from, dryRun);
    this.wake();
    return lag;
  }

  async unregister(reader: string): Promise<boolean> {
    const known = this.#model.unregister(reader);
    if (known) this.#endLeases(reader);
    this.wake();
    return known;
  }

  #endLeases(reader: string): void {
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      this.#leases.revoke(partitionLeaseName(reader, partition));
  }

  async read(reader: string, partition: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#model.read(reader, partition, Math.min(limit, LOG_LIMITS.readEventsMax)).map(toEntry);
  }

  async commit(
    reader: string,
    partition: number,
    position: number,
    fence: Fence,
    deadLetters: readonly DeadLetterDraft[] = [],
  ): Promise<'committed' | 'fenced'> {
    return this.settle(reader, partition, position, fence, deadLetters);
  }

  /** `commit` without a promise, so that a built-in sink can write its rows in the same step. */
  settle(
    reader: string,
    partition: number,
    position: number,
    fence: Fence,
    deadLetters: readonly DeadLetterDraft[] = [],
  ): 'committed' | 'fenced' {
    if (!this.#ownsPartition(reader, partition, fence)) return 'fenced';
    this.#model.commit(reader, partition, position, deadLetters, this.#clock.now());
    return 'committed';
  }

  async dispatch(reader: string, partition: number, dispatch: Dispatch, fence: Fence): Promise<'recorded' | 'fenced'> {
    if (!this.#ownsPartition(reader, partition, fence)) return 'fenced';
    this.#model.dispatch(reader, partition, dispatch);
    return 'recorded';
  }

  async dispatched(reader: string, partition: number): Promise<Dispatch | undefined> {
    return this.#model.dispatched(reader, partition);
  }

  async wait(reader: string, partition: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#model.read(reader, partition, 1).length > 0) return;
    if (this.#model.deadLetters.hasQueued(reader, partition)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#waiting.delete(resolve);
  }

  async peek(tenants: readonly string[], limit: number): Promise<readonly LogEntry[]> {
    const open = this.#model.unsettled().filter((entry) => tenants.includes(entry.event.tenant));
    return open.slice(0, limit).map(toEntry);
  }

  async stats(): Promise<LogStats> {
    return this.#model.stats();
  }

  async trim(beforeMs?: number): Promise<number> {
    return this.#model.trim(LOG_LIMITS.trimRowsMax, beforeMs);
  }

  /** Lets whoever waits look again. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  #refuseFenced({ checkpoint }: AppendBatch): void {
    if (checkpoint === undefined) return;
    const lease = streamLeaseName(checkpoint.stream);
    if (checkpoint.fence.lease === lease && this.#owned(checkpoint.fence)) return;
    throw new Fault('fenced', `${lease} is owned by another worker`);
  }

  /** A reader that was removed owns nothing: what was under way must not bring it back. */
  #ownsPartition(reader: string, partition: number, fence: Fence): boolean {
    const known = this.#model.readers.includes(reader);
    return known && fence.lease === partitionLeaseName(reader, partition) && this.#owned(fence);
  }

  #owned(fence: Fence): boolean {
    return this.#leases.standing(fence, this.#clock.monotonic()) === 'valid';
  }
}

function toEntry({ position, observedAtMs, event }: LogEntry): LogEntry {
  return { position, observedAtMs, event };
}
