import type { Clock } from '#core/env.ts';
import {
  type AppendBatch,
  type AppendResult,
  type DeadLetterDraft,
  type EventLog,
  LOG_LIMITS,
  type LogEntry,
  type LogStats,
} from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName } from '#core/names.ts';
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
    for (const wake of [...this.#waiting]) wake();
    return result;
  }

  async register(reader: string): Promise<void> {
    this.#model.register(reader);
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
    if (fence.lease !== partitionLeaseName(reader, partition) || !this.#owned(fence)) return 'fenced';
    this.#model.commit(reader, partition, position, deadLetters, this.#clock.now());
    return 'committed';
  }

  async wait(reader: string, partition: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#model.read(reader, partition, 1).length > 0) return;
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

  async trim(): Promise<number> {
    return this.#model.trim(LOG_LIMITS.trimRowsMax);
  }

  end(): void {
    this.#ended = true;
    for (const wake of this.#waiting) wake();
  }

  #refuseFenced({ checkpoint }: AppendBatch): void {
    if (checkpoint === undefined) return;
    const lease = streamLeaseName(checkpoint.stream);
    if (checkpoint.fence.lease === lease && this.#owned(checkpoint.fence)) return;
    throw new Fault('fenced', `${lease} is owned by another worker`);
  }

  #owned(fence: Fence): boolean {
    return this.#leases.standing(fence, this.#clock.monotonic()) === 'valid';
  }
}

function toEntry({ position, observedAtMs, event }: LogEntry): LogEntry {
  return { position, observedAtMs, event };
}
