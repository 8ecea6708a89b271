import type { Env } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import { computeBackoffMs, RETRY_DEFAULTS, type RetryPolicy } from './backoff.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Stoppable } from './scope.ts';

/** Longest wait that is slept inside a call. Beyond it the fault carries the time and the run yields, which frees its worker. */
export const MOMENT_MS_MAX = 15_000;

/** "retrying 2/3, next in 12 s": said before the wait. */
export interface RetryNotice {
  /** The try that comes next; the first one is 1. */
  readonly attempt: number;
  readonly attemptsMax: number;
  readonly nextInMs: number;
  readonly fault: Fault;
}

export interface RetryOptions extends Partial<RetryPolicy> {
  readonly momentMsMax?: number;
  /** Shared per (tenant, host). Absent: bounded by `attemptsMax` alone. */
  readonly budget?: RetryBudget;
  /** Must not throw. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

export interface RetryCall {
  /** Repeating it must not do anything twice. */
  readonly idempotent: boolean;
  readonly stop?: Stoppable;
}

export class Retry {
  readonly #env: Env;
  readonly #policy: RetryPolicy;
  readonly #momentMsMax: number;
  readonly #budget: RetryBudget | undefined;
  readonly #onRetry: ((notice: RetryNotice) => void) | undefined;
  readonly #waiting = new Set<{ readonly notice: RetryNotice; readonly untilMs: number }>();

  constructor(env: Env, { momentMsMax = MOMENT_MS_MAX, budget, onRetry, ...policy }: RetryOptions = {}) {
    this.#env = env;
    this.#policy = { ...RETRY_DEFAULTS, ...policy };
    this.#momentMsMax = momentMsMax;
    this.#budget = budget;
    this.#onRetry = onRetry;
  }

  /** Throws the last Fault; with `retryAtMs` when the next try is known but too far away to wait for here. */
  async run<T>(next: (attempt: number) => Promise<T>, call: RetryCall): Promise<T> {
    this.#budget?.recordRequest();
    let waitedMs: number | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await next(attempt);
      } catch (thrown) {
        waitedMs = await this.#pause(attempt, toFault(thrown), call, waitedMs);
      }
    }
  }

  /** The wait that ends first, counted down to this moment. */
  getWaiting(): RetryNotice | undefined {
    const nowMs = this.#env.clock.monotonic();
    const [soonest] = [...this.#waiting].sort((a, b) => a.untilMs - b.untilMs);
    return soonest === undefined ? undefined : { ...soonest.notice, nextInMs: Math.max(0, soonest.untilMs - nowMs) };
  }

  /** Waits for the next try and says how long, or throws when there is none. */
  async #pause(
    attempt: number,
    fault: Fault,
    { idempotent, stop }: RetryCall,
    previousMs: number | undefined,
  ): Promise<number> {
    const { attemptsMax } = this.#policy;
    if (!idempotent || !isRepeatable(fault) || attempt >= attemptsMax || stop?.signal.aborted === true) throw fault;
    const waitMs = this.#waitMs(attempt, fault, previousMs);
    if (waitMs > this.#momentMsMax) throw withRetryAt(fault, this.#env.clock.now() + Math.ceil(waitMs));
    // Asked last, so that only what is really repeated is paid for. Refused: no time is given, or the run would come back at once.
    if (this.#budget?.tryRetry() === false) throw fault;
    await this.#sleep({ attempt: attempt + 1, attemptsMax, nextInMs: waitMs, fault }, stop);
    return waitMs;
  }

  #waitMs(attempt: number, fault: Fault, previousMs: number | undefined): number {
    const retryAfterMs = fault.retryAtMs === undefined ? undefined : fault.retryAtMs - this.#env.clock.now();
    return computeBackoffMs({
      attempt: attempt - 1,
      policy: this.#policy,
      random: this.#env.random,
      ...(previousMs === undefined ? {} : { previousMs }),
      ...(retryAfterMs === undefined || Number.isNaN(retryAfterMs) ? {} : { retryAfterMs: Math.max(0, retryAfterMs) }),
    });
  }

  async #sleep(notice: RetryNotice, stop: Stoppable | undefined): Promise<void> {
    const waiting = { notice, untilMs: this.#env.clock.monotonic() + notice.nextInMs };
    this.#waiting.add(waiting);
    this.#onRetry?.(notice);
    try {
      const signal = stop?.signal;
      await this.#env.clock.sleep(Math.ceil(notice.nextInMs), signal);
      if (signal?.aborted === true) throw toFault(signal.reason);
    } finally {
      this.#waiting.delete(waiting);
    }
  }
}

/** An open circuit is not waited out, and a caller who stopped does not want another try: both tables say "later", not "here". */
function isRepeatable(fault: Fault): boolean {
  return fault.row.retry !== 'never' && fault.code !== 'circuit_open' && fault.code !== 'cancelled';
}

/** The same fault with the time of the next try; a later time it already has stays. */
export function withRetryAt(fault: Fault, retryAtMs: number): Fault {
  if (fault.retryAtMs !== undefined && fault.retryAtMs >= retryAtMs) return fault;
  return new Fault(fault.code, fault.message, {
    details: fault.details,
    problems: fault.problems,
    cause: fault.cause ?? fault,
    retryAtMs,
  });
}
