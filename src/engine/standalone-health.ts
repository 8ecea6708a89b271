import type { Clock } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import { toPlainLine } from '#core/plain-text.ts';
import { createRedactor } from '#telemetry/redaction.ts';
import { healthOf, metricsOf, type HealthMetrics, type HealthState } from './health-status.ts';
import { QuantileSketch } from './quantile-sketch.ts';

const MINUTE_MS = 60_000;
const MESSAGE_CHARS_MAX = 500;

export const STANDALONE_HEALTH_LIMITS = {
  connectionsMax: 10_000, // beyond it the one that was called longest ago is forgotten
  operationsMax: 50, // per connection and minute; calls of further ones are counted as OTHER_OPERATION
  windowMinutesMax: 60, // minutes kept, the running one included
  failuresKeptMax: 200, // per connection
} as const;

export const OTHER_OPERATION = 'other';

export interface StandaloneHealthOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** p95 above it: degraded. Milliseconds, default 2000. */
  readonly p95MsMax?: number;
  /** Share of failed calls above it: degraded. 0 to 1, default 0.1. */
  readonly errorRateMax?: number;
  /** Calls in the window before the error rate is judged. Default 10. */
  readonly callsMin?: number;
}

export interface RecordedCall {
  readonly connection: string;
  /** A bounded name (`list_files`), never an id. */
  readonly operation: string;
  readonly status: 'success' | 'error';
  readonly durationMs: number;
  /** Why it failed. Stored without what looks like a secret, as one line of at most 500 characters. */
  readonly error?: string;
}

/** Of the calls in the window; durations are of the successful ones, absent without any. */
export interface CallFigures {
  readonly totalCalls: number;
  /** 0 to 1. */
  readonly errorRate: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
}

export interface HealthReport {
  /** `unknown`: nothing was called in the window. */
  readonly status: HealthState;
  /** One sentence with the measured value and the threshold. */
  readonly reason: string;
  readonly metrics: CallFigures;
}

export interface RecentFailure {
  readonly atMs: number;
  readonly operation: string;
  readonly error: string;
}

export interface HealthWindow {
  /** Whole minutes up to now, 1 to 60; default 60. */
  readonly windowMinutes?: number;
}

export interface StandaloneHealth {
  /** Synchronous and cheap: for every call, however it ended. */
  recordCall(call: RecordedCall): void;
  /** Throws `input_invalid` for a window that is not kept. */
  healthStatus(connection: string, window?: HealthWindow): HealthReport;
  /** The figures of each operation by its name, in the order of their names. */
  summarize(connection: string, window?: HealthWindow): Readonly<Record<string, CallFigures>>;
  /** Newest first. */
  recentFailures(connection: string, limit?: number): readonly RecentFailure[];
}

/** Health of named connections in memory, for programs that want this part of Weir alone. Nothing is stored on disk. */
export function createHealth(options: StandaloneHealthOptions): StandaloneHealth {
  return new MemoryHealth(options);
}

interface Counts {
  readonly durations: QuantileSketch;
  succeeded: number;
  failed: number;
}

interface ConnectionCalls {
  /** By minute since the epoch, then by operation. */
  readonly minutes: Map<number, Map<string, Counts>>;
  failures: RecentFailure[];
}

const RECENT_FAILURES = 5;

class MemoryHealth implements StandaloneHealth {
  readonly #options: StandaloneHealthOptions;
  readonly #redactor = createRedactor({ secrets: [] });
  readonly #connections = new Map<string, ConnectionCalls>();

  constructor(options: StandaloneHealthOptions) {
    this.#options = options;
  }

  recordCall({ connection, operation, status, durationMs, error }: RecordedCall): void {
    const calls = this.#callsOf(connection);
    const counts = this.#countsOf(calls, operation);
    if (status === 'success') {
      // Only of calls that did their work: an API that refuses fast is not a fast API.
      if (Number.isFinite(durationMs)) counts.durations.add(durationMs);
      counts.succeeded += 1;
      return;
    }
    counts.failed += 1;
    const message = toPlainLine(this.#redactor.redactText(error ?? 'no reason given'), MESSAGE_CHARS_MAX); // I7
    calls.failures.push({ atMs: this.#options.clock.now(), operation, error: message });
    if (calls.failures.length > 2 * STANDALONE_HEALTH_LIMITS.failuresKeptMax)
      calls.failures = calls.failures.slice(-STANDALONE_HEALTH_LIMITS.failuresKeptMax);
  }

  healthStatus(connection: string, window: HealthWindow = {}): HealthReport {
    const { p95MsMax = 2000, errorRateMax = 0.1, callsMin = 10 } = this.#options;
    const minutes = readWindow(window);
    const metrics = metricsOfAll(this.#within(connection, minutes).map(([, counts]) => counts));
    const thresholds = { p95MsMax, errorRatioMax: errorRateMax, callsMin, windowMs: minutes * MINUTE_MS };
    const { state, reason } = healthOf(metrics, thresholds);
    return { status: state, reason, metrics: toFigures(metrics) };
  }

  summarize(connection: string, window: HealthWindow = {}): Readonly<Record<string, CallFigures>> {
    const byOperation = Map.groupBy(this.#within(connection, readWindow(window)), ([operation]) => operation);
    const figures = [...byOperation].map(
      ([operation, entries]) => [operation, toFigures(metricsOfAll(entries.map(([, counts]) => counts)))] as const,
    );
    return Object.fromEntries(figures.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  recentFailures(connection: string, limit: number = RECENT_FAILURES): readonly RecentFailure[] {
    const kept = this.#connections.get(connection)?.failures ?? [];
    return kept.toReversed().slice(0, Math.min(Math.max(0, limit), STANDALONE_HEALTH_LIMITS.failuresKeptMax));
  }

  /** Making it the newest key keeps the map in the order of use. */
  #callsOf(connection: string): ConnectionCalls {
    const calls = this.#connections.get(connection) ?? { minutes: new Map(), failures: [] };
    this.#connections.delete(connection);
    this.#connections.set(connection, calls);
    const [oldest] = this.#connections.keys();
    if (this.#connections.size > STANDALONE_HEALTH_LIMITS.connectionsMax && oldest !== undefined)
      this.#connections.delete(oldest);
    return calls;
  }

  #countsOf({ minutes }: ConnectionCalls, operation: string): Counts {
    const minute = this.#minuteNow();
    let operations = minutes.get(minute);
    if (operations === undefined) {
      operations = new Map();
      minutes.set(minute, operations);
      // Both ends: a wall clock that was stepped back leaves minutes behind that lie ahead of it.
      for (const kept of minutes.keys())
        if (Math.abs(minute - kept) >= STANDALONE_HEALTH_LIMITS.windowMinutesMax) minutes.delete(kept);
    }
    const full = operations.size >= STANDALONE_HEALTH_LIMITS.operationsMax && !operations.has(operation);
    const name = full ? OTHER_OPERATION : operation;
    const counts = operations.get(name) ?? { durations: new QuantileSketch(), succeeded: 0, failed: 0 };
    operations.set(name, counts);
    return counts;
  }

  #within(connection: string, windowMinutes: number): (readonly [operation: string, counts: Counts])[] {
    const until = this.#minuteNow();
    const minutes = [...(this.#connections.get(connection)?.minutes ?? [])];
    return minutes.flatMap(([minute, operations]) =>
      minute <= until && minute > until - windowMinutes ? [...operations] : [],
    );
  }

  #minuteNow(): number {
    return Math.floor(this.#options.clock.now() / MINUTE_MS);
  }
}

function readWindow({ windowMinutes = STANDALONE_HEALTH_LIMITS.windowMinutesMax }: HealthWindow): number {
  const { windowMinutesMax } = STANDALONE_HEALTH_LIMITS;
  if (Number.isInteger(windowMinutes) && windowMinutes >= 1 && windowMinutes <= windowMinutesMax) return windowMinutes;
  throw new Fault(
    'input_invalid',
    `windowMinutes is ${windowMinutes}; give a whole number from 1 to ${windowMinutesMax}`,
  );
}

function metricsOfAll(parts: readonly Counts[]): HealthMetrics {
  const durations = new QuantileSketch();
  let succeeded = 0;
  let failed = 0;
  for (const part of parts) {
    succeeded += part.succeeded;
    failed += part.failed;
    durations.merge(part.durations);
  }
  return metricsOf(succeeded, failed, durations);
}

function toFigures({ totalCalls, errorRatio, p50Ms, p95Ms, p99Ms }: HealthMetrics): CallFigures {
  return {
    totalCalls,
    errorRate: errorRatio,
    ...(p50Ms === undefined || p95Ms === undefined || p99Ms === undefined ? {} : { p50Ms, p95Ms, p99Ms }),
  };
}
