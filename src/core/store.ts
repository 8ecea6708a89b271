// What the platform remembers besides events. Each method is one atomic unit; no transaction spans two calls.
// Every method that touches rows takes a tenant or a list of them (I9).

import type { DeadLetterStore } from './dead-letter.ts';
import type { FaultCode } from './fault.ts';
import type { JsonValue } from './json.ts';
import type { Library } from './library.ts';
import type { ConnectionRef, StreamRef } from './names.ts';
import type { Timeline } from './timeline.ts';

export const RUN_OUTCOMES = ['running', 'succeeded', 'yielded', 'failed'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

/** What one run did. Counts are of this slice only. */
export interface RunCounts {
  readonly pages: number;
  readonly appended: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly failed: number;
  /** Entries that were left out on purpose, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

export interface Run extends StreamRef {
  readonly id: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly outcome: RunOutcome;
  readonly counts: RunCounts;
  readonly code: FaultCode | undefined;
  readonly message: string | undefined;
  /** Only of `yielded` and retried `failed` runs: wall time at which the stream is due again. */
  readonly resumeAtMs: number | undefined;
}

export interface RunStore {
  /** Called by the puller when a slice begins; a run without an end whose stream has no lease was cut off. */
  start(run: Run): Promise<void>;
  end(run: Run): Promise<void>;
  /** Newest first. */
  recent(of: ConnectionRef, limit: number): Promise<readonly Run[]>;
  /** Called once at start: marks runs without an end, left by a process that died, as failed with `cancelled`. Returns how many. */
  closeAbandoned(nowMs: number): Promise<number>;
  /** When the newest run that succeeded ended, over all streams of the connection. */
  lastSuccess(of: ConnectionRef): Promise<number | undefined>;
}

/** What is known of one stream: its cursor (written only with events, by EventLog.append) and when it is due. */
export interface StreamState extends StreamRef {
  readonly cursor: JsonValue | undefined;
  readonly connectorVersion: string | undefined;
  readonly cursorAtMs: number | undefined;
  readonly reconcileDue: boolean;
  readonly eventsTotal: number;
  /** Wall time at which the next run is due; undefined: now. */
  readonly dueAtMs: number | undefined;
  /** Consecutive failed runs. */
  readonly failures: number;
  /** How long the source itself asked to wait when `dueAtMs` was set; absent: that time is the schedule's own. */
  readonly statedWaitMs?: number | undefined;
}

export interface StreamStore {
  get(of: StreamRef): Promise<StreamState | undefined>;
  list(of: ConnectionRef): Promise<readonly StreamState[]>;
  /** Called by the scheduler after a run. Without `statedWaitMs` none is kept of an earlier run either. */
  schedule(of: StreamRef, dueAtMs: number, failures: number, statedWaitMs?: number): Promise<void>;
}

/** The newest state of one key that the log has accepted. Lets a complete listing find what vanished (ADR 0003). */
export interface Entity {
  readonly key: string;
  readonly version: number;
}

export interface EntityStore {
  /** Keys that are not deleted, in key order after `afterKey`. */
  live(of: StreamRef, afterKey: string | undefined, limit: number): Promise<readonly Entity[]>;
  countLive(of: StreamRef): Promise<number>;
}

/** One minute of calls of one operation. `sketch` is a serialised mergeable quantile sketch of durations in milliseconds. */
export interface CallMinute extends ConnectionRef {
  readonly operation: string;
  readonly minute: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly sketch: Uint8Array;
}

export interface CallFailure extends ConnectionRef {
  readonly atMs: number;
  readonly operation: string;
  readonly code: FaultCode;
  readonly message: string;
}

export interface CallStore {
  /** Called every few seconds with the minutes that changed; a row replaces the one of the same key. */
  save(minutes: readonly CallMinute[], failures: readonly CallFailure[]): Promise<void>;
  /** Minutes >= `sinceMinute` (minutes since the epoch). */
  minutes(of: ConnectionRef, sinceMinute: number): Promise<readonly CallMinute[]>;
  /** Newest first. */
  failures(of: ConnectionRef, limit: number): Promise<readonly CallFailure[]>;
  /** Called now and then: forgets minutes before `minute` and failures beyond the newest `failuresMax` of each connection. */
  forget(beforeMinute: number, failuresMax: number): Promise<void>;
}

export interface Store {
  readonly runs: RunStore;
  readonly streams: StreamStore;
  readonly entities: EntityStore;
  readonly calls: CallStore;
  readonly deadLetters: DeadLetterStore;
  readonly timeline: Timeline;
  readonly library: Library;
}
