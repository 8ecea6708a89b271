// One closed table of everything that can go wrong. Retry, breaker, HTTP status and exit code follow from the code,
// never from a message. A code is never reused: retired ones stay listed in RETIRED_FAULTS.

/** `never`: the same call fails again. `backoff`: try again later. `at`: try again at a stated time. */
export type RetryRule = 'never' | 'backoff' | 'at';

export interface FaultRow {
  readonly retry: RetryRule;
  /** Whether it says that the other side is ill. 429 and 4xx do not: waiting or fixing helps there, not isolation. */
  readonly breaker: boolean;
  readonly http: number;
  readonly exit: 1 | 2 | 3;
  /** What the reader should do next. `{name}` placeholders are filled from the fault's details. */
  readonly hint: string;
}

export const FAULTS = {
  // the external system
  upstream_unavailable: {
    retry: 'backoff',
    breaker: true,
    http: 502,
    exit: 1,
    hint: 'The other system failed; Weir tries again by itself.',
  },
  upstream_timeout: {
    retry: 'backoff',
    breaker: true,
    http: 504,
    exit: 1,
    hint: 'No answer in time; Weir tries again by itself.',
  },
  bad_upstream: {
    retry: 'backoff',
    breaker: false,
    http: 502,
    exit: 1,
    hint: 'The answer makes no sense; look at the failure in `weir drill {connection}`.',
  },
  rate_limited: {
    retry: 'at',
    breaker: false,
    http: 429,
    exit: 1,
    hint: 'Waiting for the limit to reset; nothing to do.',
  },
  circuit_open: {
    retry: 'at',
    breaker: false,
    http: 503,
    exit: 1,
    hint: 'Calls are paused after repeated failures; a trial follows by itself.',
  },
  credential_missing: {
    retry: 'never',
    breaker: false,
    http: 401,
    exit: 1,
    hint: 'Set the credential of {connection} in weir.yaml.',
  },
  credential_rejected: {
    retry: 'never',
    breaker: false,
    http: 401,
    exit: 1,
    hint: 'Renew the credential of {connection}.',
  },
  permission_missing: {
    retry: 'never',
    breaker: false,
    http: 403,
    exit: 1,
    hint: 'Give Weir read access to it, or take it out of the configuration.',
  },
  source_missing: {
    retry: 'never',
    breaker: false,
    http: 404,
    exit: 1,
    hint: 'Check the path or name in the metadata of {connection}.',
  },
  source_invalid: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 1,
    hint: 'Check that {connection} points at what its connector expects.',
  },
  path_not_allowed: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 3,
    hint: 'Add the directory to allowed_paths in weir.yaml, or choose a path below one that is there.',
  },
  egress_blocked: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 1,
    hint: 'Weir calls public https addresses only; correct the address of {connection}.',
  },
  tool_missing: { retry: 'never', breaker: false, http: 500, exit: 3, hint: 'Install it and start again.' },
  // one record
  record_invalid: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 1,
    hint: 'The record is kept as a dead letter; correct it at its source.',
  },
  record_too_large: {
    retry: 'never',
    breaker: false,
    http: 413,
    exit: 1,
    hint: 'The record is kept as a dead letter; it exceeds {limit}.',
  },
  // a sink
  sink_unavailable: {
    retry: 'backoff',
    breaker: true,
    http: 503,
    exit: 1,
    hint: 'Events wait in the log; Weir tries again by itself.',
  },
  sink_rejected: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 1,
    hint: 'The event is kept as a dead letter of this sink; see `weir dlq list`.',
  },
  sink_refuses_all: {
    retry: 'backoff',
    breaker: true,
    http: 503,
    exit: 1,
    hint: 'Check address and settings of the sink; if the events are bad, run `weir sink resume {sink} --accept-rejects`.',
  },
  sink_gone: {
    retry: 'backoff',
    breaker: true,
    http: 503,
    exit: 1,
    hint: 'Its receiver says that it is gone for good: correct the address, or run `weir sink remove {sink}`.',
  },
  dispatch_unfinished: {
    retry: 'never',
    breaker: false,
    http: 422,
    exit: 1,
    hint: 'Weir ended each time it wrote this event; look at it with `weir dlq show` before replaying it.',
  },
  not_replayable: {
    retry: 'never',
    breaker: false,
    http: 409,
    exit: 1,
    hint: 'A raw record is no event yet: correct it at its source, the next pull brings it.',
  },
  // log and store
  log_full: { retry: 'backoff', breaker: false, http: 503, exit: 1, hint: 'Sinks are behind; see `weir queue stats`.' },
  fenced: { retry: 'never', breaker: false, http: 409, exit: 1, hint: 'Another worker owns this now; nothing to do.' },
  storage_unknown: {
    retry: 'backoff',
    breaker: false,
    http: 503,
    exit: 1,
    hint: 'It may have been stored; the same ids are sent again.',
  },
  storage_full: {
    retry: 'backoff',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Free space on the disk of {place}; Weir goes on by itself.',
  },
  storage_broken: {
    retry: 'never',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Restore {place} from a backup, or move it away to start empty.',
  },
  storage_locked: {
    retry: 'never',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Stop the other Weir, or use another directory with --data.',
  },
  storage_newer: {
    retry: 'never',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Use the Weir version that wrote it, or a newer one.',
  },
  storage_unreachable: {
    retry: 'never',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Check that {place} exists and may be written by this user.',
  },
  // deletions
  delete_brake: {
    retry: 'never',
    breaker: false,
    http: 409,
    exit: 1,
    hint: 'Check the source; when it is right, run `weir run {connection} --accept-deletes`.',
  },
  cursor_invalid: {
    retry: 'never',
    breaker: false,
    http: 409,
    exit: 1,
    hint: 'The stored cursor of {connection} does not fit this connector version.',
  },
  // people and their input
  config_invalid: { retry: 'never', breaker: false, http: 422, exit: 3, hint: 'Correct the settings named above.' },
  input_invalid: { retry: 'never', breaker: false, http: 422, exit: 3, hint: 'Correct the input named above.' },
  body_malformed: { retry: 'never', breaker: false, http: 400, exit: 3, hint: 'Send valid JSON.' },
  body_too_large: { retry: 'never', breaker: false, http: 413, exit: 3, hint: 'Send less than {limit}.' },
  media_type_unsupported: { retry: 'never', breaker: false, http: 415, exit: 3, hint: 'Send application/json.' },
  not_found: { retry: 'never', breaker: false, http: 404, exit: 3, hint: 'See `weir list` for what there is.' },
  route_unknown: { retry: 'never', breaker: false, http: 404, exit: 3, hint: 'See /openapi.json for the paths.' },
  method_unknown: { retry: 'never', breaker: false, http: 405, exit: 3, hint: 'See the Allow header.' },
  origin_refused: {
    retry: 'never',
    breaker: false,
    http: 403,
    exit: 3,
    hint: 'Open the page by the address Weir printed.',
  },
  role_missing: {
    retry: 'never',
    breaker: false,
    http: 403,
    exit: 2,
    hint: 'This needs one of the roles Admin, Deployer, Operator.',
  },
  already_running: {
    retry: 'backoff',
    breaker: false,
    http: 409,
    exit: 1,
    hint: 'Wait for it to end; see `weir drill {connection}`.',
  },
  instance_unreachable: {
    retry: 'backoff',
    breaker: false,
    http: 503,
    exit: 3,
    hint: 'Stop the process that holds the data directory, then try again.',
  },
  instance_missing: { retry: 'never', breaker: false, http: 503, exit: 3, hint: 'Start one with `weir start`.' },
  port_busy: { retry: 'never', breaker: false, http: 500, exit: 3, hint: 'Choose another port with --port.' },
  host_refused: {
    retry: 'never',
    breaker: false,
    http: 500,
    exit: 3,
    hint: 'Use a loopback address such as 127.0.0.1.',
  },
  // ourselves
  cancelled: {
    retry: 'backoff',
    breaker: false,
    http: 503,
    exit: 1,
    hint: 'Weir is stopping; the work resumes at the next start.',
  },
  internal: {
    retry: 'backoff',
    breaker: false,
    http: 500,
    exit: 3,
    hint: 'This is a defect of Weir; the log has the details under this request id.',
  },
} as const satisfies Record<string, FaultRow>;

export type FaultCode = keyof typeof FAULTS;

/** Codes of earlier releases: never given a new meaning. */
export const RETIRED_FAULTS: readonly string[] = [];

export interface FaultProblem {
  readonly path: string;
  readonly problem: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly hint?: string;
}

export interface FaultOptions {
  /** What the fault is about, for the hint: connection, place, limit, role. Never a secret (I7). */
  readonly details?: Readonly<Record<string, string>>;
  /** For `retry: 'at'`: wall time in milliseconds before which trying again is useless. */
  readonly retryAtMs?: number;
  /** Several findings at once: every error of a configuration, every field of an input. */
  readonly problems?: readonly FaultProblem[];
  readonly cause?: unknown;
}

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly details: Readonly<Record<string, string>>;
  readonly retryAtMs: number | undefined;
  readonly problems: readonly FaultProblem[];

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.retryAtMs = options.retryAtMs;
    this.problems = options.problems ?? [];
  }

  get row(): FaultRow {
    return FAULTS[this.code];
  }

  /** The next step in words, with the fault's own details filled in. */
  get hint(): string {
    return this.row.hint.replace(/\{(\w+)\}/g, (_, name: string) => this.details[name] ?? 'it');
  }
}

/**
 * The border between what libraries throw and what Weir decides on. A Fault passes unchanged; an abort is `cancelled`;
 * anything unknown is `internal`, which is tried again with a cap rather than given up.
 */
export function toFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new Fault('cancelled', 'stopped before it was done', { cause: thrown });
  if (thrown instanceof Error && thrown.name === 'TimeoutError')
    return new Fault('upstream_timeout', thrown.message, { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault('internal', message || 'an error without a message', { cause: thrown });
}
