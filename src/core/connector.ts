import type { ZodType } from 'zod';
import type { EventDraft } from './event.ts';
import type { PullFailure } from './event-log.ts';
import type { Clock, Random } from './env.ts';
import type { Fault } from './fault.ts';
import type { HttpClient, HttpProfile } from './http.ts';
import type { JsonValue } from './json.ts';
import type { ConnectionRef } from './names.ts';

/** One line for the log. `extra` is redacted before it is written. */
export type LogLine = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  extra?: Readonly<Record<string, JsonValue>>,
) => void;

/** What a connector is given for one run. Everything it may touch is in here. */
export interface ConnectorContext<Config = unknown> extends ConnectionRef {
  /** The connection's `metadata`, parsed by the connector's own schema. */
  readonly config: Config;
  /** Events wanted per page: a hint, at most LOG_LIMITS.appendEventsMax. */
  readonly batchSize: number;
  /** Directories a local connector may read below, absolute. */
  readonly allowedPaths: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when Weir stops or another worker took the stream. What waits must take it; ending early on it deletes nothing. */
  readonly signal: AbortSignal;
  readonly log: LogLine;
  /** Sets a gauge of this connection, `<connector type>_<name>`: name in snake_case with its unit at the end. */
  gauge(name: string, value: number): void;
  /**
   * Runs one outward call inside the guard: timeout, breaker, recording. `operation` is a bounded name for health
   * (`list_files`), never an id. Throws a Fault; a failed call is recorded whatever the connector does with the throw.
   */
  call<T>(operation: string, fn: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The guarded HTTP client of this connection: every call a connector makes over HTTP goes through it. */
  readonly http: HttpClient;
}

/** One step of a pull. The page's events and its cursor become durable together before the next step is asked for (I2). */
export interface Page<Cursor> {
  readonly events: readonly EventDraft[];
  /** Resuming from here misses nothing that came before and repeats nothing that this page covers. */
  readonly cursor: Cursor;
  /** Records that could not be read: kept as dead letters, and the rest goes on (I3). */
  readonly failures?: readonly PullFailure[];
  /** Entries left out on purpose, by reason (`symlink`, `binary`). */
  readonly skipped?: Readonly<Record<string, number>>;
  /** True when this walk cannot know what vanished before it: `listIds` is asked next and the difference deleted. */
  readonly reconcile?: boolean;
  /** Set when more is known to exist than has been read: shown as progress. */
  readonly progress?: { readonly done: number; readonly total: number };
}

/**
 * One incremental feed. Cursors are JSON (declare them as type aliases, not interfaces) because the platform stores them as such.
 */
export interface Stream<Config = unknown, Cursor = JsonValue> {
  readonly title: string;
  readonly cursor: ZodType<Cursor>;
  /**
   * Called by the puller for one run at a time per stream, under a lease; `cursor` is the last durable one, undefined at first.
   * Ends by returning when the source has no more for now. The platform may stop asking between any two pages, for good:
   * cleanup belongs in `finally`. A throw ends the run as failed; what was yielded before it stays.
   */
  pull(ctx: ConnectorContext<Config>, cursor: Cursor | undefined): AsyncGenerator<Page<Cursor>, void, undefined>;
  /** Streams of documents only: every key that exists at the source now, in any order. A throw means the listing is not complete and nothing is deleted. */
  listIds?(ctx: ConnectorContext<Config>, cursor: Cursor): AsyncGenerator<readonly string[], void, undefined>;
  /** More than this share of a stream vanishing in one listing asks an operator. 1: the listing cannot be wrong. */
  readonly deletedRatioMax?: number;
}

export interface CheckFinding {
  readonly ok: boolean;
  /** What was looked at and what was found, one sentence. */
  readonly message: string;
  readonly fault?: Fault;
}

/** Code that knows one kind of external system: a plain object, no state of its own. */
export interface Connector<Config = unknown> {
  readonly type: string;
  /** Semantic version; stored with every cursor it writes. */
  readonly version: string;
  readonly title: string;
  readonly stability: 'stable' | 'beta' | 'alpha';
  /** Shape of `metadata`: validation, JSON Schema and documentation at once. */
  readonly config: ZodType<Config>;
  readonly limits: { readonly callTimeoutMs: number; readonly pollIntervalMsDefault: number };
  /** How its system speaks HTTP: public address, authorization, error bodies. Absent for connectors that call none. */
  readonly http?: HttpProfile;
  /** Tests the connection without changing anything; one finding per thing looked at, the wrong ones with a Fault. */
  check(ctx: ConnectorContext<Config>): Promise<readonly CheckFinding[]>;
  readonly streams: Readonly<Record<string, Stream<Config>>>;
  /** Which of the streams this configuration uses; all when absent. */
  enabledStreams?(config: Config): readonly string[];
  /** Called once when a cursor was written by another version. Throws when it cannot be carried over: nothing is touched. */
  migrateCursor?(fromVersion: string, cursor: JsonValue): JsonValue;
}
