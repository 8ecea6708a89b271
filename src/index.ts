// What a program imports that wants parts of Weir without running it (docs/library.md). Beside main.ts the other composition
// root: it offers the real clock and chance, which no room may own, and joins them to the health that needs one of them.

import {
  createHealth as createHealthOn,
  type StandaloneHealth,
  type StandaloneHealthOptions,
} from '#engine/standalone-health.ts';
import { realEnv } from './main/real-env.ts';
import type { Env } from '#core/env.ts';

export type { Clock, Env, Random } from '#core/env.ts';
export { Fault, FAULTS, toFault, type FaultCode, type FaultOptions, type FaultRow } from '#core/fault.ts';
export {
  computeBackoffMs,
  RETRY_DEFAULTS,
  type BackoffInput,
  type Jitter,
  type RetryPolicy,
} from '#policies/backoff.ts';
export { BULKHEAD_DEFAULTS, type BulkheadOptions } from '#policies/bulkhead.ts';
export {
  BREAKER_DEFAULTS,
  CircuitBreaker,
  type BreakerOptions,
  type BreakerStats,
  type Permit,
} from '#policies/circuit-breaker.ts';
export {
  createGuard,
  type CallOptions,
  type CallRecord,
  type Guard,
  type GuardActivity,
  type GuardOptions,
  type GuardStats,
} from '#policies/guard.ts';
export {
  RateLimiter,
  type RateDecision,
  type RateLimit,
  type RateLimiterOptions,
  type RateLimiterStats,
} from '#policies/rate-limiter.ts';
export { parseRetryAfter, type RetryAfterContext } from '#policies/retry-after.ts';
export { RetryBudget, type RetryBudgetOptions } from '#policies/retry-budget.ts';
export { Retry, type RetryCall, type RetryNotice, type RetryOptions } from '#policies/retry.ts';
export { TIMEOUT_DEFAULTS } from '#policies/timeout.ts';
export type {
  CallFigures,
  HealthReport,
  HealthWindow,
  RecentFailure,
  RecordedCall,
  StandaloneHealth,
  StandaloneHealthOptions,
} from '#engine/standalone-health.ts';

/** Real time and chance, for everything here that asks for an Env. Tests pass their own. */
export function systemEnv(): Env {
  return realEnv();
}

/** Health of named connections, in memory: every call is recorded, the state of the last minutes can be asked for at any time. */
export function createHealth(
  options: Omit<StandaloneHealthOptions, 'clock'> & Partial<Pick<StandaloneHealthOptions, 'clock'>> = {},
): StandaloneHealth {
  return createHealthOn({ clock: systemEnv().clock, ...options });
}
