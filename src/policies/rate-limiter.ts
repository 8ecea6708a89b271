import type { Clock } from '#core/env.ts';
import type { RateLimitReading, WindowReading } from './rate-limit-headers.ts';

/** A limit known beforehand, from the connector or the configuration. */
export type RateLimit =
  | { readonly kind: 'token_bucket'; readonly ratePerSecond: number; readonly burst: number }
  | { readonly kind: 'fixed_window'; readonly quota: number; readonly windowMs: number };

export interface RateLimiterOptions {
  /** Absent: only what the server's answers teach. */
  readonly limit?: RateLimit;
  /** Share of the customer's quota Weir may use, in (0, 1]: their own scripts live from the same one. */
  readonly quotaShareMax?: number;
}

export const RATE_LIMITER_LIMITS = {
  windowsMax: 8, // limits one server may teach; more are ignored
  resetMsMax: 86_400_000, // longest window taken over from a header: daily quotas exist, longer waits are mistakes
  blockMsMax: 3_600_000, // longest wait taken over from a Retry-After; the next answer states the rest
  unstatedBlockMs: 60_000, // "too many requests" without a time: what the strictest large vendor asks for
} as const;

export type RateDecision = { readonly granted: true } | RateRefusal;

export interface RateRefusal {
  readonly granted: false;
  readonly waitMs: number;
  /** The same as wall time, for people and for the run that resumes then. */
  readonly resumeAtMs: number;
}

export interface RateLimiterStats {
  readonly windows: readonly {
    readonly name: string;
    readonly limit?: number;
    readonly remaining: number;
    readonly resetAtMs: number;
  }[];
  readonly blockedUntilMs?: number;
}

interface LearnedWindow {
  readonly name: string;
  readonly limit: number | undefined;
  readonly resetAtMs: number; // monotonic
  remaining: number;
}

const GRANTED: RateDecision = { granted: true };
/** Two answers of one window may differ by a second because servers round. */
const SAME_WINDOW_MS = 2_000;

/**
 * Decides when the next request may leave. One per credential, shared by all connections that use it: vendors count per
 * credential. Every time inside is monotonic (I10): a stepped wall clock must neither grant nor lock.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limit: RateLimit | undefined;
  readonly #shareMax: number;
  #available: number; // tokens in the bucket, or what is left of the window
  #countedFromMs: number; // when the bucket was last filled, or when the window began
  #blockedUntilMs = -Infinity;
  #learned: LearnedWindow[] = [];

  constructor(clock: Clock, { limit, quotaShareMax = 1 }: RateLimiterOptions = {}) {
    this.#clock = clock;
    this.#shareMax = quotaShareMax;
    this.#limit = limit === undefined ? undefined : shareOf(limit, quotaShareMax);
    this.#available = this.#limit?.kind === 'token_bucket' ? this.#limit.burst : (this.#limit?.quota ?? 0);
    this.#countedFromMs = clock.monotonic();
  }

  /** Called before every request. Granted: it counts as sent. Refused: nothing was taken. */
  take(): RateDecision {
    const nowMs = this.#clock.monotonic();
    const waitMs = Math.max(this.#blockedUntilMs - nowMs, this.#ownWaitMs(nowMs), this.#learnedWaitMs(nowMs));
    if (waitMs > 0) return this.#refusal(waitMs);
    this.#available -= 1;
    for (const window of this.#learned) window.remaining -= 1;
    return GRANTED;
  }

  /** Called with every answer's headers. Answers may arrive out of order: within one window the lower count is the truth. */
  learn(reading: RateLimitReading): void {
    const nowMs = this.#clock.monotonic();
    for (const window of reading.windows) this.#learnWindow(window, nowMs);
    if (reading.retryAfterMs !== undefined) this.block(reading.retryAfterMs);
  }

  /** Nothing leaves for this long. A shorter block never shortens a longer one. */
  block(waitMs: number): void {
    const untilMs = this.#clock.monotonic() + Math.min(waitMs, RATE_LIMITER_LIMITS.blockMsMax);
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
  }

  getStats(): RateLimiterStats {
    const nowMs = this.#clock.monotonic();
    const toWallMs = this.#clock.now() - nowMs;
    const windows = this.#learned
      .filter((window) => window.resetAtMs > nowMs)
      .map(({ name, limit, remaining, resetAtMs }) => ({
        name,
        remaining: Math.max(0, remaining),
        resetAtMs: resetAtMs + toWallMs,
        ...(limit === undefined ? {} : { limit }),
      }));
    return this.#blockedUntilMs > nowMs ? { windows, blockedUntilMs: this.#blockedUntilMs + toWallMs } : { windows };
  }

  #refusal(exactMs: number): RateRefusal {
    const waitMs = Math.ceil(exactMs); // a timer that fires a fraction early would ask in vain
    return { granted: false, waitMs, resumeAtMs: this.#clock.now() + waitMs };
  }

  #ownWaitMs(nowMs: number): number {
    const limit = this.#limit;
    if (limit === undefined) return 0;
    if (limit.kind === 'token_bucket') {
      const elapsedMs = Math.max(0, nowMs - this.#countedFromMs);
      this.#available = Math.min(limit.burst, this.#available + (elapsedMs * limit.ratePerSecond) / 1_000);
      this.#countedFromMs = nowMs;
      return this.#available >= 1 ? 0 : ((1 - this.#available) * 1_000) / limit.ratePerSecond;
    }
    // One expression for "is it over" and "how long": two that round differently would grant from an empty window.
    const remainingMs = this.#countedFromMs + limit.windowMs - nowMs;
    if (remainingMs <= 0) {
      this.#available = limit.quota;
      this.#countedFromMs = nowMs;
    }
    return this.#available >= 1 ? 0 : remainingMs;
  }

  #learnedWaitMs(nowMs: number): number {
    if (this.#learned.length === 0) return 0;
    let waitMs = 0;
    for (const { limit, remaining, resetAtMs } of this.#learned) {
      if (resetAtMs <= nowMs) continue;
      const reserved = limit === undefined ? 0 : limit * (1 - this.#shareMax);
      if (remaining - 1 < reserved) waitMs = Math.max(waitMs, resetAtMs - nowMs);
    }
    return waitMs;
  }

  #learnWindow({ name, limit, remaining, resetInMs }: WindowReading, nowMs: number): void {
    const resetAtMs = nowMs + Math.min(resetInMs, RATE_LIMITER_LIMITS.resetMsMax);
    this.#learned = this.#learned.filter((window) => window.resetAtMs > nowMs);
    const known = this.#learned.find((window) => window.name === name);
    // An answer from before the reset may arrive after one from behind it: it describes a window that is over.
    if (known !== undefined && resetAtMs < known.resetAtMs - SAME_WINDOW_MS) return;
    const sameWindow = known !== undefined && Math.abs(resetAtMs - known.resetAtMs) <= SAME_WINDOW_MS;
    const learned: LearnedWindow = {
      name,
      limit,
      // The first word on when a window ends stays: a rounded one could slip a little later with every answer.
      resetAtMs: sameWindow ? known.resetAtMs : resetAtMs,
      remaining: sameWindow ? Math.min(remaining, known.remaining) : remaining,
    };
    const others = this.#learned.filter((window) => window.name !== name);
    if (others.length < RATE_LIMITER_LIMITS.windowsMax) this.#learned = [...others, learned];
  }
}

function shareOf(limit: RateLimit, shareMax: number): RateLimit {
  // At least one: a share that rounds to nothing would stop the connection for ever.
  if (limit.kind === 'token_bucket')
    return { ...limit, ratePerSecond: limit.ratePerSecond * shareMax, burst: Math.max(1, limit.burst * shareMax) };
  return { ...limit, quota: Math.max(1, Math.floor(limit.quota * shareMax)) };
}
