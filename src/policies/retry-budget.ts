import type { Clock } from '#core/env.ts';

export interface RetryBudgetOptions {
  /** Repetitions allowed per request, in the long run. */
  readonly ratio: number;
  /** Repetitions allowed on top in any window, so that a connection with few calls can repeat at all. */
  readonly burst: number;
  readonly windowMs: number;
}

export const RETRY_BUDGET_DEFAULTS: RetryBudgetOptions = { ratio: 0.1, burst: 10, windowMs: 120_000 };

/**
 * Keeps repetitions from multiplying an outage. Share one per (tenant, host): many connections may call the same server.
 * Promise: in every window of `windowMs`, repetitions <= ratio · requests of that window + burst. Half of the burst lies
 * in reserve and the other half flows in over one window; both together can never exceed it.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #reserveMax: number;
  #reserve: number;
  #refilledAtMs: number;

  constructor(clock: Pick<Clock, 'monotonic'>, options: Partial<RetryBudgetOptions> = {}) {
    this.#options = { ...RETRY_BUDGET_DEFAULTS, ...options };
    this.#clock = clock;
    this.#reserveMax = this.#options.burst / 2;
    this.#reserve = this.#reserveMax;
    this.#refilledAtMs = clock.monotonic();
  }

  /** Call once per request, before its first try: counted afterwards, a slow outage would look like no traffic. */
  recordRequest(): void {
    this.#reserve += this.#options.ratio; // cut to the reserve when something is taken from it
  }

  /** True: one repetition is paid for. False: give up now, the fault goes to the caller. */
  tryRetry(): boolean {
    const nowMs = this.#clock.monotonic();
    const elapsedRatio = Math.max(0, nowMs - this.#refilledAtMs) / this.#options.windowMs;
    this.#refilledAtMs = nowMs;
    this.#reserve = Math.min(this.#reserveMax, this.#reserve + elapsedRatio * this.#reserveMax);
    if (this.#reserve < 1) return false;
    this.#reserve -= 1;
    return true;
  }
}
