import type { Random } from '#core/env.ts';

/** How the wait is spread. The first two keep a minimum wait; `full` does the least total work against a healing server. */
export type Jitter = 'proportional' | 'decorrelated' | 'full';

export interface RetryPolicy {
  /** Wait before the first repetition, before jitter. */
  readonly baseMs: number;
  readonly factor: number;
  /** The wait stops growing here. Jitter is added after, so a wait can last capMs·(1 + jitterRatio). */
  readonly capMs: number;
  readonly jitter: Jitter;
  /** For `proportional`: half the width of the spread, as a share of the wait, in [0, 1). */
  readonly jitterRatio: number;
  /** Tries in all, the first one included. */
  readonly attemptsMax: number;
}

export const RETRY_DEFAULTS: RetryPolicy = {
  baseMs: 400,
  factor: 2,
  capMs: 60_000,
  jitter: 'proportional',
  jitterRatio: 0.2,
  attemptsMax: 3,
};

/** A server's Retry-After is a lower bound, so its spread is only ever added: all who were told the same second come back apart. */
export const RETRY_AFTER_SPREAD_RATIO = 0.1;

/** Beyond this the growth has long met any cap. */
const EXPONENT_MAX = 1_023;

export interface BackoffInput {
  /** How many repetitions came before: 0 gives a wait around `baseMs`. Any number is safe. */
  readonly attempt: number;
  readonly policy: RetryPolicy;
  readonly random: Pick<Random, 'float'>;
  /** For `decorrelated`: the wait before this one. */
  readonly previousMs?: number;
  /** What the server asked for. The result is never below it. */
  readonly retryAfterMs?: number;
}

/**
 * Milliseconds to wait before the next try; finite and above 0 for a policy with baseMs and capMs above 0.
 * Cap first, jitter last: capped after the jitter, every client would wait exactly capMs and come back as one herd.
 */
export function computeBackoffMs(input: BackoffInput): number {
  const waitMs = jittered(input);
  if (input.retryAfterMs === undefined) return waitMs;
  return Math.max(waitMs, input.retryAfterMs * (1 + RETRY_AFTER_SPREAD_RATIO * input.random.float()));
}

function jittered({ attempt, policy, random, previousMs }: BackoffInput): number {
  const chance = random.float();
  switch (policy.jitter) {
    case 'proportional':
      return cappedMs(attempt, policy) * (1 + policy.jitterRatio * (2 * chance - 1));
    case 'full':
      return cappedMs(attempt, policy) * (1 - chance); // (0, d]: never a wait of nothing
    case 'decorrelated': {
      // The usual formula caps the draw, which puts most draws exactly on the cap; here the range is capped instead.
      const lowMs = Math.min(policy.baseMs, policy.capMs);
      const highMs = Math.min(policy.capMs, Math.max(lowMs, (previousMs ?? policy.baseMs) * 3));
      return lowMs + (highMs - lowMs) * chance;
    }
  }
}

function cappedMs(attempt: number, { baseMs, factor, capMs }: RetryPolicy): number {
  const exponent = Math.min(Math.max(Math.floor(attempt) || 0, 0), EXPONENT_MAX);
  // 10^1023 is Infinity, and Infinity · 0 is NaN: the growth is kept finite before it meets anything.
  const growth = Math.min(factor ** exponent, Number.MAX_VALUE);
  return Math.min(capMs, baseMs * growth);
}
