import type { Clock } from '#core/env.ts';
import type { Fault } from '#core/fault.ts';
import type { ConnectionRef } from '#core/names.ts';
import { toPlainLine } from '#core/plain-text.ts';
import type { CallFailure, CallMinute, CallStore } from '#core/store.ts';
import { metricsOf, type HealthMetrics } from './health-status.ts';
import { QuantileSketch } from './quantile-sketch.ts';

const MINUTE_MS = 60_000;
const MESSAGE_CHARS_MAX = 500;
export const CALL_LIMITS = {
  failuresPendingMax: 1000, // between two flushes; further ones are counted in their minute but not listed
  failuresKeptMax: 200, // per connection
  minutesKeptMax: 24 * 60,
  flushMs: 2000,
} as const;

interface MinuteCounts extends ConnectionRef {
  readonly operation: string;
  readonly minute: number;
  readonly durations: QuantileSketch;
  succeeded: number;
  failed: number;
  dirty: boolean;
  /** Whether what the store may already have of this minute is counted in. */
  complete: boolean;
}

/** Every guarded call, counted per connection, operation and minute; flushed every few seconds, so a crash loses at most those. */
export class CallRecorder {
  readonly #clock: Clock;
  readonly #store: CallStore;
  readonly #redact: (text: string) => string;
  readonly #minutes = new Map<string, MinuteCounts>();
  #failures: CallFailure[] = [];
  #newestMinute = 0;

  constructor(options: { clock: Clock; store: CallStore; redact: (text: string) => string }) {
    this.#clock = options.clock;
    this.#store = options.store;
    this.#redact = options.redact;
  }

  /** Called once per connection at start: a minute that a process before has begun goes on instead of being overwritten. */
  async load(of: ConnectionRef): Promise<void> {
    for (const row of await this.#store.minutes(of, this.#minuteNow())) {
      const { operation, minute, succeeded, failed } = row;
      this.#minutes.set(keyOf(of, operation, minute), {
        ...of,
        operation,
        minute,
        succeeded,
        failed,
        durations: QuantileSketch.decode(row.sketch),
        dirty: false,
        complete: true,
      });
    }
  }

  record(of: ConnectionRef, call: { operation: string; durationMs: number; fault?: Fault | undefined }): void {
    const counts = this.#countsOf(of, call.operation);
    counts.dirty = true;
    if (call.fault === undefined) {
      // Only of calls that did their work: an API that refuses fast is not a fast API.
      counts.durations.add(call.durationMs);
      counts.succeeded += 1;
      return;
    }
    counts.failed += 1;
    if (this.#failures.length >= CALL_LIMITS.failuresPendingMax) return;
    const message = toPlainLine(this.#redact(call.fault.message), MESSAGE_CHARS_MAX); // I7
    this.#failures.push({ ...of, atMs: this.#clock.now(), operation: call.operation, code: call.fault.code, message });
  }

  async flush(): Promise<void> {
    const changed = [...this.#minutes.values()].filter((counts) => counts.dirty);
    const failures = this.#failures;
    if (changed.length === 0 && failures.length === 0) return;
    this.#failures = [];
    for (const counts of changed) counts.dirty = false;
    try {
      for (const counts of changed) if (!counts.complete) await this.#complete(counts);
      await this.#store.save(changed.map(toRow), failures);
    } catch (error) {
      for (const counts of changed) counts.dirty = true;
      this.#failures = [...failures, ...this.#failures].slice(0, CALL_LIMITS.failuresPendingMax);
      throw error;
    }
    const oldest = this.#minuteNow() - 1;
    for (const [key, counts] of this.#minutes) if (counts.minute < oldest && !counts.dirty) this.#minutes.delete(key);
  }

  /** Called now and then. */
  forget(): Promise<void> {
    return this.#store.forget(this.#minuteNow() - CALL_LIMITS.minutesKeptMax, CALL_LIMITS.failuresKeptMax);
  }

  /** What was measured in the window up to now, flushed or not. */
  async metrics(of: ConnectionRef, windowMs: number): Promise<HealthMetrics> {
    const since = this.#minuteNow() - Math.ceil(windowMs / MINUTE_MS);
    const merged = new Map<string, CallMinute | MinuteCounts>();
    for (const row of await this.#store.minutes(of, since)) merged.set(keyOf(of, row.operation, row.minute), row);
    for (const [key, counts] of this.#minutes) {
      if (counts.tenant === of.tenant && counts.connection === of.connection && counts.minute >= since)
        merged.set(key, counts);
    }
    const durations = new QuantileSketch();
    let succeeded = 0;
    let failed = 0;
    for (const minute of merged.values()) {
      succeeded += minute.succeeded;
      failed += minute.failed;
      if ('sketch' in minute) durations.mergeStored(minute.sketch);
      else durations.merge(minute.durations);
    }
    return metricsOf(succeeded, failed, durations);
  }

  #countsOf(of: ConnectionRef, operation: string): MinuteCounts {
    const minute = this.#minuteNow();
    const key = keyOf(of, operation, minute);
    let counts = this.#minutes.get(key);
    if (counts === undefined) {
      const { tenant, connection } = of;
      const complete = minute >= this.#newestMinute;
      counts = {
        tenant,
        connection,
        operation,
        minute,
        succeeded: 0,
        failed: 0,
        durations: new QuantileSketch(),
        dirty: false,
        complete,
      };
      this.#newestMinute = Math.max(this.#newestMinute, minute);
      this.#minutes.set(key, counts);
    }
    return counts;
  }

  /** A wall clock that was stepped back comes to a minute again that was saved and let go: its row must not be overwritten. */
  async #complete(counts: MinuteCounts): Promise<void> {
    counts.complete = true;
    for (const row of await this.#store.minutes(counts, counts.minute)) {
      if (row.minute !== counts.minute || row.operation !== counts.operation) continue;
      counts.succeeded += row.succeeded;
      counts.failed += row.failed;
      counts.durations.merge(QuantileSketch.decode(row.sketch));
    }
  }

  #minuteNow(): number {
    return Math.floor(this.#clock.now() / MINUTE_MS);
  }
}

function keyOf(of: ConnectionRef, operation: string, minute: number): string {
  return `${of.tenant}/${of.connection}/${minute}/${operation}`;
}

function toRow({ tenant, connection, operation, minute, succeeded, failed, durations }: MinuteCounts): CallMinute {
  return { tenant, connection, operation, minute, succeeded, failed, sketch: durations.encode() };
}
