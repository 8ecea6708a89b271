// What one healthy sink, or the parser, could not take: kept with its reason and every try, and a workbench to deal with it.

import type { Attempt, LogEntry } from './event-log.ts';
import type { FaultCode } from './fault.ts';
import type { JsonValue } from './json.ts';
import type { Fence } from './leases.ts';
import type { ConnectionRef } from './names.ts';
import type { WriteResult } from './sink.ts';

export const DEAD_LETTER_LIMITS = {
  rawPayloadCharsMax: 256 * 1024, // of a raw record; what is longer is cut and marked, the source still has it
  attemptsKeptMax: 50, // tries of one letter that are kept with time and reason; older ones go, the count stays
  listMax: 500,
  changeLettersMax: 500, // letters changed in one commit by `queue`, `discard` and `forget`: more would hold the writer
  replayBatchMax: 32, // letters offered to a sink at once, between two batches of the log
} as const;

/** The stage of raw records. Sinks' letters carry the sink's name; no sink may be called this. */
export const PULL_STAGE = 'pull';

/** What is kept of a raw record: its JSON, cut where it is longer than `rawPayloadCharsMax`. One nested too deeply to be written keeps none. */
export function rawPayloadOf(payload: JsonValue | undefined): {
  readonly text: string | undefined;
  readonly cut: boolean;
} {
  if (payload === undefined) return { text: undefined, cut: false };
  const whole = written(payload);
  if (whole === undefined) return { text: undefined, cut: true };
  if (whole.length <= DEAD_LETTER_LIMITS.rawPayloadCharsMax) return { text: whole, cut: false };
  const text = whole.slice(0, DEAD_LETTER_LIMITS.rawPayloadCharsMax);
  // Half of a surrogate pair at the cut has no UTF-8.
  return { text: text.isWellFormed() ? text : text.slice(0, -1), cut: true };
}

function written(payload: JsonValue): string | undefined {
  try {
    return JSON.stringify(payload);
  } catch {
    return undefined; // the stack of JSON.stringify ends far below what JSON.parse accepts
  }
}

/** Who can repair the cause: the source's owner, who grants access, who runs the sink, or Weir's authors. */
export const DEAD_LETTER_CLASSES = ['source', 'authorisation', 'sink', 'defect'] as const;
export type DeadLetterClass = (typeof DEAD_LETTER_CLASSES)[number];

const CLASS_OF_CODE: Partial<Record<FaultCode, DeadLetterClass>> = {
  record_invalid: 'source',
  record_too_large: 'source',
  bad_upstream: 'source',
  source_missing: 'source',
  source_invalid: 'source',
  upstream_unavailable: 'source',
  upstream_timeout: 'source',
  rate_limited: 'source',
  credential_missing: 'authorisation',
  credential_rejected: 'authorisation',
  permission_missing: 'authorisation',
  path_not_allowed: 'authorisation',
  egress_blocked: 'authorisation',
  sink_unavailable: 'sink',
  sink_rejected: 'sink',
  sink_refuses_all: 'sink',
  sink_gone: 'sink',
};

export function deadLetterClassOf(code: FaultCode): DeadLetterClass {
  return CLASS_OF_CODE[code] ?? 'defect';
}

/** `dead`: nothing happens by itself. `queued`: the owner of its partition offers it to its sink next. */
export const DEAD_LETTER_STATES = ['dead', 'queued'] as const;
export type DeadLetterState = (typeof DEAD_LETTER_STATES)[number];

export interface DeadLetter extends ConnectionRef {
  readonly id: number;
  /** Sink name, or `PULL_STAGE` for raw records. */
  readonly stage: string;
  readonly stream: string;
  readonly key: string;
  /** Undefined for raw records, which are no events yet. */
  readonly eventId: string | undefined;
  readonly version: number | undefined;
  readonly code: FaultCode;
  readonly message: string;
  /** Never falls, also over replays (P16). */
  readonly attempts: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly state: DeadLetterState;
  readonly edited: boolean;
  readonly payloadBytes: number;
}

export interface DeadLetterDetail extends DeadLetter {
  /** The event, or the raw record, byte for byte as it was stored first. Undefined: the parser kept none. */
  readonly payload: string | undefined;
  /** True for a raw record that was longer than `rawPayloadCharsMax` or nested too deeply to be kept. */
  readonly payloadCut: boolean;
  /** What a replay sends instead of `payload`. */
  readonly editedPayload: string | undefined;
  /** Newest last, at most `attemptsKeptMax`. */
  readonly history: readonly Attempt[];
}

/** Every member narrows; `tenants` always does (I9). */
export interface DeadLetterFilter {
  readonly tenants: readonly string[];
  readonly ids?: readonly number[];
  readonly connection?: string;
  readonly stage?: string;
  readonly code?: FaultCode;
  readonly class?: DeadLetterClass;
  readonly key?: string;
  readonly state?: DeadLetterState;
}

/** Letters with the same cause: stage, connection, stream and code. */
export interface DeadLetterGroup extends ConnectionRef {
  readonly stage: string;
  readonly stream: string;
  readonly code: FaultCode;
  readonly count: number;
  readonly queued: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** Of the newest letter of the group. */
  readonly message: string;
  readonly sampleId: number;
}

/** A letter whose turn has come: its entry carries the original position, id and version, and the edited content if there is any. */
export interface QueuedLetter {
  readonly id: number;
  readonly entry: LogEntry;
}

export interface DeadLetterRemoval {
  readonly expired: number;
  readonly evicted: number;
}

/** Written by EventLog.append (raw records) and EventLog.commit (a sink's letters), each inside its own transaction (I3). */
export interface DeadLetterStore {
  /** Newest first by when they first came, at most `limit` (<= listMax), older than the letter `beforeId` when it is given. */
  list(filter: DeadLetterFilter, limit: number, beforeId?: number): Promise<readonly DeadLetter[]>;
  /** Largest first. Summing `count` is the dry run of `queue` and `discard` with the same filter. */
  groups(filter: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
  get(tenants: readonly string[], id: number): Promise<DeadLetterDetail | undefined>;
  count(of: ConnectionRef): Promise<number>;
  /**
   * Called for an operator. Marks dead sink letters as `queued` and wakes their partitions; raw records stay as they are. Returns how many.
   * More than `changeLettersMax` take several commits: after a throw some may be done, and the same call does the rest. So does `discard`.
   */
  queue(filter: DeadLetterFilter): Promise<number>;
  /** Called by the delivery loop that owns (sink, partition): queued letters in position order, at most `limit`. */
  queued(sink: string, partition: number, limit: number): Promise<readonly QueuedLetter[]>;
  /**
   * Called by that loop with what became of them, in one atomic unit. `written` and `stale` remove the letter; `retry` and `reject` put
   * it back as `dead` with one attempt more; one without a result stays queued. `fenced`: nothing was changed; stop.
   */
  settle(
    sink: string,
    partition: number,
    results: readonly { readonly id: number; readonly result: WriteResult }[],
    fence: Fence,
  ): Promise<'committed' | 'fenced'>;
  /** Called for an operator. `payload` is what a replay sends; undefined takes the edit back. False: there is no such letter, or it is queued. */
  edit(tenants: readonly string[], id: number, payload: JsonValue | undefined): Promise<boolean>;
  /** Called for an operator. Removes for good; a queued letter is removed too. Returns how many. */
  discard(filter: DeadLetterFilter): Promise<number>;
  /**
   * Called now and then: removes letters last tried before `beforeMs`, then of each tenant that has more than `countMax` those whose last
   * try is the oldest; at most `changeLettersMax` a call. A queued letter stays.
   */
  forget(beforeMs: number, countMax: number): Promise<DeadLetterRemoval>;
}
