import type { Clock, Random } from '#core/env.ts';

export interface BreakerOptions {
  /** Failures in a row that open the circuit. */
  readonly failuresToOpen: number;
  /** How long nothing passes after opening. */
  readonly cooldownMs: number;
  /** Chance that a call becomes the trial during the second cooldown; after it the next call surely does. */
  readonly halfOpenProbability: number;
  /** A trial that has not settled by then has lost its permit. Keep it above the longest call. */
  readonly trialTimeoutMs: number;
}

export const BREAKER_DEFAULTS: BreakerOptions = {
  failuresToOpen: 5,
  cooldownMs: 60_000,
  halfOpenProbability: 0.2,
  trialTimeoutMs: 60_000,
};

/** While a trial runs, others are told to look again after this: it usually settles in well under a second. */
const TRIAL_WAIT_MS = 5_000;

/**
 * The right to make one call. Settle it exactly once: `recordSuccess`, `recordFailure` or `release`. It belongs to the
 * state it was given in: once that has changed, its result is late and counts for nothing.
 */
export interface Permit {
  readonly trial: boolean;
}

/** Times are monotonic milliseconds. */
export type CircuitState =
  | { readonly state: 'closed'; readonly failures: number; readonly permit: Permit }
  | { readonly state: 'open'; readonly openedAtMs: number }
  | {
      readonly state: 'half_open';
      readonly openedAtMs: number;
      readonly trial: { readonly permit: Permit; readonly startedAtMs: number } | undefined;
    };

export interface BreakerStats {
  readonly state: CircuitState['state'];
  /** Failures in a row while closed; `failuresToOpen` or more mean nothing once it is open. */
  readonly failures: number;
  /** Until a call can become the trial: surely when half open, at the earliest when open. Absent when closed. */
  readonly probeInMs?: number;
  /** Since it was last closed: an outage is one stretch, however many trials fail in it. Absent when closed. */
  readonly notClosedForMs?: number;
  readonly openedTotal: number;
  readonly refusedTotal: number;
}

export class CircuitBreaker {
  readonly #options: BreakerOptions;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #random: Pick<Random, 'float'>;
  #state: CircuitState = closed();
  #leftClosedAtMs = 0;
  #openedTotal = 0;
  #refusedTotal = 0;

  constructor(
    env: { readonly clock: Pick<Clock, 'monotonic'>; readonly random: Pick<Random, 'float'> },
    options: Partial<BreakerOptions> = {},
  ) {
    this.#options = { ...BREAKER_DEFAULTS, ...options };
    this.#clock = env.clock;
    this.#random = env.random;
  }

  /** Undefined: do not call. Reads no clock while closed, which is nearly always. */
  allow(): Permit | undefined {
    // All calls of one closed stretch share its permit: being the same object is the epoch check, and costs nothing.
    if (this.#state.state === 'closed') return this.#state.permit;
    const permit = this.#trialPermit(this.#clock.monotonic());
    if (permit === undefined) this.#refusedTotal += 1;
    return permit;
  }

  recordSuccess(permit: Permit): void {
    const state = this.#state;
    if (state.state === 'closed') {
      if (state.failures > 0 && permit === state.permit) this.#state = { ...state, failures: 0 };
    } else if (this.#isTrial(permit)) {
      this.#state = closed();
    }
  }

  recordFailure(permit: Permit): void {
    const state = this.#state;
    if (state.state === 'closed') {
      if (permit !== state.permit) return;
      const failures = state.failures + 1;
      if (failures < this.#options.failuresToOpen) this.#state = { ...state, failures };
      else {
        this.#leftClosedAtMs = this.#clock.monotonic();
        this.#open();
      }
    } else if (this.#isTrial(permit)) {
      this.#open();
    }
  }

  /** The call ended without a verdict on the other side: aborted, or never sent. A trial's place is free again. */
  release(permit: Permit): void {
    if (this.#state.state === 'half_open' && this.#isTrial(permit)) this.#state = { ...this.#state, trial: undefined };
  }

  getStats(): BreakerStats {
    const totals = { openedTotal: this.#openedTotal, refusedTotal: this.#refusedTotal };
    if (this.#state.state === 'closed') return { state: 'closed', failures: this.#state.failures, ...totals };
    const nowMs = this.#clock.monotonic();
    const state = this.#cooledDown(nowMs);
    return {
      state: state.state,
      failures: this.#options.failuresToOpen,
      probeInMs: this.#probeInMs(state, nowMs),
      notClosedForMs: nowMs - this.#leftClosedAtMs,
      ...totals,
    };
  }

  /** For an operator: closed at once; what is under way counts for nothing. */
  reset(): void {
    this.#state = closed();
  }

  #open(): void {
    this.#openedTotal += 1;
    this.#state = { state: 'open', openedAtMs: this.#clock.monotonic() };
  }

  #trialPermit(nowMs: number): Permit | undefined {
    const state = this.#cooledDown(nowMs);
    if (state.state !== 'half_open') return undefined;
    this.#state = state;
    if (state.trial !== undefined && !this.#expired(state.trial.startedAtMs, nowMs)) return undefined; // one at a time, or all who wait rush in
    // Chance alone would leave a connection that calls every five minutes open for 25 minutes on average.
    const certain = nowMs - state.openedAtMs >= 2 * this.#options.cooldownMs;
    if (!certain && this.#random.float() >= this.#options.halfOpenProbability) return undefined;
    const permit: Permit = { trial: true };
    this.#state = { ...state, trial: { permit, startedAtMs: nowMs } };
    return permit;
  }

  /** The state as it is at this moment: an open circuit turns half open by time alone. */
  #cooledDown(nowMs: number): CircuitState {
    const state = this.#state;
    if (state.state !== 'open' || nowMs - state.openedAtMs < this.#options.cooldownMs) return state;
    return { state: 'half_open', openedAtMs: state.openedAtMs, trial: undefined };
  }

  /** Only the running trial: not an earlier one, and not one that took too long. */
  #isTrial(permit: Permit): boolean {
    const { trial } = this.#state.state === 'half_open' ? this.#state : { trial: undefined };
    return trial?.permit === permit && !this.#expired(trial.startedAtMs, this.#clock.monotonic());
  }

  #expired(startedAtMs: number, nowMs: number): boolean {
    return nowMs - startedAtMs >= this.#options.trialTimeoutMs;
  }

  #probeInMs(state: CircuitState, nowMs: number): number {
    if (state.state === 'closed') return 0;
    const { cooldownMs, trialTimeoutMs } = this.#options;
    if (state.state === 'open') return Math.max(0, state.openedAtMs + cooldownMs - nowMs);
    if (state.trial !== undefined && !this.#expired(state.trial.startedAtMs, nowMs)) {
      return Math.min(TRIAL_WAIT_MS, state.trial.startedAtMs + trialTimeoutMs - nowMs);
    }
    return Math.max(0, state.openedAtMs + 2 * cooldownMs - nowMs);
  }
}

function closed(): CircuitState {
  return { state: 'closed', failures: 0, permit: { trial: false } };
}
