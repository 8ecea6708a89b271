import { parseHttpDate } from './http-date.ts';

/** A longer wait is cut to this and parked: the next answer of the server states the rest. */
export const RETRY_AFTER_MS_MAX = 3_600_000;

export interface RetryAfterContext {
  /** Our wall clock when the response arrived. */
  readonly nowMs: number;
  /** The response's own Date header. A date is compared with it, so that a clock that is an hour off changes nothing. */
  readonly serverDateMs?: number;
  readonly capMs?: number;
}

const SECONDS = /^\d{1,10}$/;
const DIGITS = /^\d+$/;
const HEADER_LENGTH_MAX = 128; // the longest date has 33 characters

/**
 * Milliseconds the server asks us to wait, in [0, capMs]; undefined for anything that is not one of the forms of
 * RFC 9110 §10.2.3, for then the backoff decides. A date in the past is 0: the caller still never goes below its backoff.
 */
export function parseRetryAfter(header: string | null | undefined, context: RetryAfterContext): number | undefined {
  if (header === null || header === undefined || header.length > HEADER_LENGTH_MAX) return undefined;
  const text = header.replace(/^[ \t]+|[ \t]+$/g, '');
  const capMs = context.capMs ?? RETRY_AFTER_MS_MAX;
  // Digits are looked at before they are read: parseInt would take 'Thu, …' for "no wait" and '-5' for a wait.
  if (SECONDS.test(text)) return Math.min(Number(text) * 1_000, capMs);
  if (DIGITS.test(text)) return capMs; // more than ten digits of seconds: no number we would wait out, and surely no "now"

  const serverNowMs =
    context.serverDateMs !== undefined && Number.isFinite(context.serverDateMs) ? context.serverDateMs : context.nowMs;
  const dateMs = parseHttpDate(text, serverNowMs);
  if (dateMs === undefined) return undefined;
  return Math.min(Math.max(dateMs - serverNowMs, 0), capMs);
}
