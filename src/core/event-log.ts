import type { SealedEvent, Event } from './event.ts';
import type { FaultCode } from './fault.ts';
import type { JsonValue } from './json.ts';
import type { Fence } from './leases.ts';
import type { StreamRef } from './names.ts';

export const LOG_LIMITS = {
  appendEventsMax: 1024, // events of one append; callers cut larger pages
  commitEventsMax: 2048, // events gathered from several callers into one commit: one fsync, and at most about 80 ms of the writer
  readEventsMax: 512,
  readCharsMax: 8 * 1024 * 1024, // of the payloads of one read, its first entry aside: several batches are in memory at once
  pendingBytesMax: 64 * 1024 * 1024, // payload bytes waiting for their commit; above it append answers `log_full`
  trimRowsMax: 500, // a longer delete would hold the writer
} as const;

/** A raw record or a missed range that the parser could not take. Kept as a dead letter with the page's cursor (I3). */
export interface PullFailure {
  /** The record's key, or the range that could not be read. */
  readonly key: string;
  readonly code: FaultCode;
  /** What is wrong with it, in words, without its content. */
  readonly message: string;
  /** The raw record as far as it is worth keeping. */
  readonly payload?: JsonValue;
}

/** The cursor that covers the events it is appended with. Both become durable together, or neither (I2). */
export interface Checkpoint {
  readonly stream: StreamRef;
  readonly connectorVersion: string;
  /** Absent: the page needs further appends, so the cursor stays where it is; the events still count and are fenced. */
  readonly cursor?: JsonValue;
  /** Proof that this puller still owns the stream; a lost lease makes the whole append answer `fenced`. */
  readonly fence: Fence;
  /** `due`: everything the stream has must be compared with a listing before it is complete again. `done`: that has happened. */
  readonly reconcile?: 'due' | 'done';
}

export interface AppendBatch {
  readonly events: readonly SealedEvent[];
  readonly failures?: readonly PullFailure[];
  readonly checkpoint?: Checkpoint;
}

export interface AppendResult {
  readonly accepted: number;
  /** Known ids: nothing was stored for them, and that is success. */
  readonly duplicates: number;
}

export interface LogEntry {
  readonly position: number;
  /** Wall time of the append, milliseconds since the epoch. */
  readonly observedAtMs: number;
  readonly event: Event;
}

/** One try to write an event, as far as it failed. */
export interface Attempt {
  readonly atMs: number;
  readonly code: FaultCode;
  readonly message: string;
}

export interface DeadLetterDraft {
  readonly entry: LogEntry;
  readonly code: FaultCode;
  readonly message: string;
  /** Tries that count: of this event alone, while its sink took others (ADR 0007). */
  readonly attempts: number;
  /** The tries this process saw, oldest first; what an earlier process tried is in `attempts` only. */
  readonly history?: readonly Attempt[];
}

/**
 * What a reader is about to write, remembered beside its position so that it outlives the process: an event that kills the
 * process each time is found at the next start and counted (ADR 0007).
 */
export interface Dispatch {
  /** Of its first entry. */
  readonly position: number;
  /** How many entries are written together. */
  readonly events: number;
  /** Counted tries of the entry at `position` so far, this one not included. */
  readonly attempts: number;
  /** True until the write has come back, however it ended. Found true at a start: the process ended in it. */
  readonly open: boolean;
}

/** Where a reader begins: at the oldest entry that is kept, after the newest, or at the first one appended at or after a wall time. */
export type ReadFrom = 'oldest' | 'newest' | { readonly sinceMs: number };

export interface ReaderLag {
  readonly reader: string;
  /** Entries after the reader's committed positions, over all partitions. */
  readonly lag: number;
  /** Wall time of the oldest such entry; undefined when there is none. */
  readonly oldestAtMs: number | undefined;
}

/** A tenant's part of `LogStats.size` and `bytes`. */
export interface TenantBacklog {
  readonly tenant: string;
  readonly size: number;
  readonly bytes: number;
}

export interface LogStats {
  /** Entries that at least one reader has not settled: log end minus the slowest reader. */
  readonly size: number;
  readonly bytes: number;
  /** Wall time of the oldest such entry; undefined when there is none. */
  readonly oldestAtMs: number | undefined;
  readonly readers: readonly ReaderLag[];
  /** Every tenant that has such entries. */
  readonly tenants: readonly TenantBacklog[];
}

/** The durable, partitioned, append-only ingestion queue. Order holds per key; nothing is promised between partitions. */
export interface EventLog {
  /**
   * Called by the puller once per page and by intake from many requests at once; any number of callers is safe.
   * Resolves only when events, failures and checkpoint are on disk together (I1, I2). A known id counts under `duplicates` and is
   * success. Throws `log_full` (nothing stored: slow down), `fenced` (nothing stored: the stream has another owner),
   * `storage_full` (nothing stored), or `storage_unknown` (perhaps stored: send the same ids again, I12). Never stores part of a batch.
   */
  append(batch: AppendBatch): Promise<AppendResult>;

  /** Called once per sink at start, before its first read. A new reader begins at `from` (default `oldest`); a known one keeps its positions. */
  register(reader: string, from?: ReadFrom): Promise<void>;

  /**
   * Called for an operator: the reader reads again from `from`, which may also be ahead. One atomic unit with the end of every lease of
   * its partitions, so that a batch in hand cannot commit past what is to be read again (I5). Returns how many entries it now has to
   * read. With `dryRun` nothing changes: only that number is answered. Throws `not_found` for an unknown reader.
   */
  rewind(reader: string, from: ReadFrom, options?: { readonly dryRun?: boolean }): Promise<number>;

  /** Called for an operator who gives a sink up: its positions and dispatches go, its leases end, it holds back trimming no more. False: it was not known. */
  unregister(reader: string): Promise<boolean>;

  /**
   * Called by the one delivery loop that owns (reader, partition). Entries after the committed position, oldest first, at most
   * `limit` (<= readEventsMax), fewer when they are large (readCharsMax); at least one when there is one. Reading settles nothing: the same entries come again until `commit`.
   */
  read(reader: string, partition: number, limit: number): Promise<readonly LogEntry[]>;

  /**
   * Called by that loop after the sink has confirmed everything up to `position`, with the dead letters among it. Position and
   * dead letters become durable together (I3). `position` only grows. `fenced`: someone else owns the partition; nothing was written; stop.
   */
  commit(
    reader: string,
    partition: number,
    position: number,
    fence: Fence,
    deadLetters?: readonly DeadLetterDraft[],
  ): Promise<'committed' | 'fenced'>;

  /**
   * Called by that loop before and after a write to an external sink. Replaces what was recorded of (reader, partition); `commit` past its
   * position removes it. `fenced`: nothing was recorded; stop.
   */
  dispatch(reader: string, partition: number, dispatch: Dispatch, fence: Fence): Promise<'recorded' | 'fenced'>;

  /** Called by that loop once, when it has got the partition: what an earlier owner was writing. */
  dispatched(reader: string, partition: number): Promise<Dispatch | undefined>;

  /** Resolves when the partition may hold entries after the reader's position or dead letters queued for it, or when `signal` aborts. May resolve too often, never too late. */
  wait(reader: string, partition: number, signal: AbortSignal): Promise<void>;

  /** The oldest entries that are not settled by every reader, without settling them. For people. */
  peek(tenants: readonly string[], limit: number): Promise<readonly LogEntry[]>;

  stats(): Promise<LogStats>;

  /**
   * Called now and then: removes entries that every registered reader has settled and that were appended before `beforeMs` (wall time,
   * default: whenever), at most `trimRowsMax` a call. Returns how many.
   */
  trim(beforeMs?: number): Promise<number>;
}
