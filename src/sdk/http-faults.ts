// What each way of failing over HTTP means, as a code of the fault table. Connectors override it by `HttpProfile.toFault`.

import { Fault, toFault, type FaultCode } from '#core/fault.ts';
import type { HttpMethod } from '#core/http.ts';
import { RETRY_AFTER_MS_MAX } from '#policies/retry-after.ts';
import type { RateLimitReading } from '#policies/rate-limit-headers.ts';

/** Statuses with a meaning of their own. Others below 500 are `bad_upstream`, from 500 on `upstream_unavailable`. */
export const HTTP_STATUS_FAULTS: Readonly<Record<number, FaultCode>> = {
  401: 'credential_rejected',
  402: 'permission_missing',
  403: 'permission_missing',
  404: 'source_missing',
  408: 'upstream_timeout',
  410: 'source_missing',
  421: 'upstream_unavailable',
  423: 'upstream_unavailable',
  425: 'upstream_unavailable',
  429: 'rate_limited',
  451: 'permission_missing',
  501: 'bad_upstream',
  504: 'upstream_timeout',
  505: 'bad_upstream',
  522: 'upstream_timeout',
  524: 'upstream_timeout',
};

/** What a write is told when the record itself is at fault: repeating it cannot help. */
const RECORD_STATUSES: ReadonlySet<number> = new Set([400, 413, 422]);

export interface FailedAnswer {
  readonly status: number;
  readonly method: HttpMethod;
  /** `list_issues of github`, and where: never a query, a header or a body (I7). */
  readonly subject: string;
  readonly connection: string;
  /** False: a 401 means that there is none yet. */
  readonly hasCredentials: boolean;
  readonly reading: RateLimitReading;
  readonly nowMs: number;
}

export function faultOfStatus(answer: FailedAnswer): Fault {
  const { status, subject, connection, reading } = answer;
  const code = codeOf(answer);
  const waitMs = statedWaitMs(reading);
  const timed = waitMs !== undefined && (code === 'rate_limited' || code === 'upstream_unavailable');
  return new Fault(code, `${subject} answered with status ${status}`, {
    details: { connection },
    ...(timed ? { retryAtMs: answer.nowMs + Math.ceil(waitMs) } : {}),
  });
}

function codeOf({ status, method, hasCredentials, reading }: FailedAnswer): FaultCode {
  // Some vendors answer 403 for a limit that has been used up, and only the headers tell it from a missing permission.
  if (status === 403 && statedWaitMs(reading) !== undefined) return 'rate_limited';
  if (status === 401 && !hasCredentials) return 'credential_missing';
  if (RECORD_STATUSES.has(status) && method !== 'GET' && method !== 'HEAD') return 'record_invalid';
  return HTTP_STATUS_FAULTS[status] ?? (status >= 500 ? 'upstream_unavailable' : 'bad_upstream');
}

/** Retry-After, else the reset of a window that has nothing left. */
function statedWaitMs({ retryAfterMs, windows }: RateLimitReading): number | undefined {
  if (retryAfterMs !== undefined) return retryAfterMs;
  const resets = windows.filter(({ remaining }) => remaining <= 0).map(({ resetInMs }) => resetInMs);
  return resets.length === 0 ? undefined : Math.min(Math.max(...resets), RETRY_AFTER_MS_MAX);
}

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const SENSELESS_CODES = /^(?:HPE_|HTTPParserError|Z_|ERR__?BROTLI|UND_ERR_(?:HEADERS_OVERFLOW|RES_|RESPONSE))/;
const DEFECT_CODES = /^(?:UND_ERR_(?:INVALID_ARG|REQ_|NOT_SUPPORTED)|ERR_INVALID_)/;
const PARSER_ERROR = 'HTTPParserError';
const CAUSES_MAX = 5; // causes looked through

/**
 * What the library, the socket or the decompressor threw. The message is made of their code alone: their texts may quote
 * what was sent (I7).
 */
export function toNetworkFault(thrown: unknown, subject: string): Fault {
  const codes: string[] = [];
  let cause = thrown;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth += 1) {
    if (cause instanceof Fault) return cause;
    if ('code' in cause && typeof cause.code === 'string') codes.push(cause.code);
    else if (cause.name === PARSER_ERROR) codes.push(PARSER_ERROR); // has a code only sometimes
    cause = cause.cause;
  }
  if (thrown instanceof Error && thrown.name === 'AbortError') return toFault(thrown);
  const code = codes[0];
  if (code === undefined)
    return new Fault('internal', `${subject}: ${thrown instanceof Error ? thrown.name : 'unknown failure'}`);
  if (codes.some((one) => DEFECT_CODES.test(one)))
    return new Fault('internal', `${subject}: the request could not be made (${code})`);
  if (codes.some((one) => SENSELESS_CODES.test(one)))
    return new Fault('bad_upstream', `${subject}: the answer is broken (${code})`);
  if (codes.some((one) => TIMEOUT_CODES.has(one)))
    return new Fault('upstream_timeout', `${subject}: no answer in time (${code})`);
  return new Fault('upstream_unavailable', `${subject}: the connection failed (${code})`);
}
