// The one place where the order of the policies is written. From the outside in:
//
//   overall timeout     the caller's patience: everything below counts, waits included
//   bulkhead            before any try, and held between tries: a call that waits to be repeated is still this connection's load
//   retry               around limiter and breaker, so that every single try asks both; nothing below repeats anything
//     rate limit        before the breaker: a trial permit must not be held while waiting for a token
//     breaker           last word before the call; counts tries, for two failed tries are two signs of illness
//     attempt timeout   inside the breaker, so that a try without an answer is a failure to it
//     the call          recorded with its duration and outcome, each try for itself
//
// Retry outside the breaker means that a circuit that opens between two tries ends the call instead of waiting it out.

import type { Env } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import { Bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { CircuitBreaker, type BreakerOptions, type BreakerStats, type Permit } from './circuit-breaker.ts';
import type { Breaker } from './host-breaker.ts';
import type { RateLimitReading } from './rate-limit-headers.ts';
import { RATE_LIMITER_LIMITS, RateLimiter } from './rate-limiter.ts';
import { awaitGrant } from './rate-limit-wait.ts';
import { MOMENT_MS_MAX, Retry, withRetryAt, type RetryOptions } from './retry.ts';
import { Scope } from './scope.ts';
import { Timeout, TIMEOUT_DEFAULTS } from './timeout.ts';

export interface GuardOptions {
  /** Name of the connection, for messages and details. */
  readonly connection: string;
  readonly retry?: RetryOptions;
  readonly breaker?: Partial<BreakerOptions>;
  /** The view of this tenant on the host's circuit, when several tenants call it. */
  readonly hostBreaker?: Breaker;
  /** Shared by every connection that uses the same credential. Absent: one of this guard's own, taught by answers alone. */
  readonly rateLimiter?: RateLimiter;
  readonly bulkhead?: Partial<BulkheadOptions>;
  readonly attemptTimeoutMs?: number;
  readonly overallTimeoutMs?: number;
  /** Longest wait slept inside a call, before a retry or for a rate limit. */
  readonly momentMsMax?: number;
  /** Every try that went out, with how it ended. Must not throw. */
  readonly onCall?: (call: CallRecord) => void;
}

export interface CallRecord {
  /** A bounded name (`list_files`), never an id. */
  readonly operation: string;
  readonly durationMs: number;
  /** Absent: it succeeded. */
  readonly fault?: Fault;
}

export interface CallOptions {
  /** Repeating it does nothing twice. Default false: a write is never repeated by accident. */
  readonly idempotent?: boolean;
  readonly signal?: AbortSignal;
}

/** What is happening now, which is another question than how the last call ended. */
export type GuardActivity =
  | { readonly kind: 'retrying'; readonly attempt: number; readonly attemptsMax: number; readonly nextInMs: number }
  | { readonly kind: 'waiting'; readonly untilMs: number }
  | { readonly kind: 'open'; readonly probeInMs: number };

export interface GuardStats {
  readonly circuit: BreakerStats['state'];
  /** Wall time of the next trial. Absent when closed. */
  readonly opensUntilMs?: number;
  /** Since the circuit was last closed: failed trials in between do not start it over. Absent when closed. */
  readonly notClosedForMs?: number;
  readonly activity?: GuardActivity;
}

export interface Guard {
  /**
   * Any number of callers at once. `fn` gets the attempt: `attempt.signal` aborts at its deadline and with the caller's
   * signal, and is made only when read. Throws a Fault, always; one with `retryAtMs` says when to come back.
   */
  call<T>(operation: string, fn: (attempt: Scope) => Promise<T>, options?: CallOptions): Promise<T>;
  /** What an answer's headers say about the limit of this credential: the next calls heed it. Called with every answer. */
  learn(reading: RateLimitReading): void;
  stats(): GuardStats;
  /** For an operator: closes the circuit at once. */
  reset(): void;
  /** Ends the timers and lets go of callers' signals. Calls under way go on without deadlines. */
  close(): void;
}

/** A refusal never says "at once": a run that yields until now would spin. */
const RETRY_AT_MS_MIN = 1_000;

export function createGuard(options: GuardOptions, env: Env): Guard {
  return new ConnectionGuard(options, env);
}

class ConnectionGuard implements Guard {
  readonly #env: Env;
  readonly #connection: string;
  readonly #overall: Timeout;
  readonly #bulkhead: Bulkhead;
  readonly #retry: Retry;
  readonly #limiter: RateLimiter;
  readonly #momentMsMax: number;
  readonly #breaker: CircuitBreaker;
  readonly #hostBreaker: Breaker | undefined;
  readonly #attempt: Timeout;
  readonly #onCall: ((call: CallRecord) => void) | undefined;
  readonly #closing = new AbortController();
  readonly #watched = new WeakSet<AbortSignal>();
  #lastWatched: AbortSignal | undefined;
  #waitingUntilMs = -Infinity;

  constructor(options: GuardOptions, env: Env) {
    const { connection, momentMsMax = MOMENT_MS_MAX } = options;
    this.#env = env;
    this.#connection = connection;
    this.#momentMsMax = momentMsMax;
    this.#overall = new Timeout(env.clock, {
      name: connection,
      timeoutMs: options.overallTimeoutMs ?? TIMEOUT_DEFAULTS.overallTimeoutMs,
    });
    this.#bulkhead = new Bulkhead(connection, () => env.clock.now(), options.bulkhead);
    this.#retry = new Retry(env, { momentMsMax, ...options.retry });
    this.#limiter = options.rateLimiter ?? new RateLimiter(env.clock);
    this.#breaker = new CircuitBreaker(env, options.breaker);
    this.#hostBreaker = options.hostBreaker;
    this.#attempt = new Timeout(env.clock, {
      name: connection,
      timeoutMs: options.attemptTimeoutMs ?? TIMEOUT_DEFAULTS.attemptTimeoutMs,
    });
    this.#onCall = options.onCall;
  }

  async call<T>(operation: string, fn: (attempt: Scope) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { idempotent = false, signal } = options;
    if (signal !== undefined) this.#watch(signal, operation);
    const call = new Scope(operation, undefined, signal);
    return this.#overall.run(call, () =>
      this.#bulkhead.run(() => this.#retry.run(() => this.#try(operation, fn, call), { idempotent, stop: call }), call),
    );
  }

  learn(reading: RateLimitReading): void {
    this.#limiter.learn(reading);
  }

  stats(): GuardStats {
    const { state, probeInMs, notClosedForMs } = this.#breaker.getStats();
    const activity = this.#activity(state, probeInMs);
    return {
      circuit: state,
      ...(probeInMs === undefined ? {} : { opensUntilMs: this.#env.clock.now() + probeInMs }),
      ...(notClosedForMs === undefined ? {} : { notClosedForMs }),
      ...(activity === undefined ? {} : { activity }),
    };
  }

  reset(): void {
    this.#breaker.reset();
  }

  close(): void {
    this.#closing.abort();
    this.#overall.close();
    this.#attempt.close();
  }

  async #try<T>(operation: string, fn: (attempt: Scope) => Promise<T>, call: Scope): Promise<T> {
    if (call.fault !== undefined) throw call.fault; // stopped between two tries, or while it was handed a place
    const decision = this.#limiter.take();
    if (!decision.granted) await this.#awaitGrant(call);
    const hostPermit = this.#hostBreaker === undefined ? undefined : this.#permitOf(this.#hostBreaker);
    const permit = this.#connectionPermit(hostPermit);
    const startedAtMs = this.#env.clock.monotonic();
    let value: T;
    try {
      value = await this.#attempt.run(new Scope(operation, call), fn);
    } catch (thrown) {
      const fault = this.#tellLimiter(toFault(thrown));
      this.#settle(permit, hostPermit, fault);
      this.#onCall?.({ operation, durationMs: this.#env.clock.monotonic() - startedAtMs, fault });
      throw fault;
    }
    this.#breaker.recordSuccess(permit);
    if (hostPermit !== undefined) this.#hostBreaker?.recordSuccess(hostPermit);
    this.#onCall?.({ operation, durationMs: this.#env.clock.monotonic() - startedAtMs });
    return value;
  }

  async #awaitGrant(call: Scope): Promise<void> {
    await awaitGrant(this.#limiter, {
      env: this.#env,
      name: this.#connection,
      momentMsMax: this.#momentMsMax,
      stop: call,
      onWait: ({ waitMs }) => {
        this.#waitingUntilMs = this.#env.clock.monotonic() + waitMs;
      },
    });
  }

  #connectionPermit(hostPermit: Permit | undefined): Permit {
    try {
      return this.#permitOf(this.#breaker);
    } catch (refused) {
      if (hostPermit !== undefined) this.#hostBreaker?.release(hostPermit); // nothing will be sent: the host's trial is free again
      throw refused;
    }
  }

  #permitOf(breaker: Breaker): Permit {
    const permit = breaker.allow();
    if (permit !== undefined) return permit;
    const waitMs = Math.max(breaker.getStats().probeInMs ?? 0, RETRY_AT_MS_MIN);
    const subject = breaker === this.#breaker ? this.#connection : `the host of ${this.#connection}`;
    const message = `calls to ${subject} are paused after repeated failures; next trial in ${Math.ceil(waitMs / 1_000)} s`;
    throw new Fault('circuit_open', message, {
      details: { connection: this.#connection },
      retryAtMs: this.#env.clock.now() + Math.ceil(waitMs),
    });
  }

  /** A 429 is the limiter's: everybody with this credential waits, not only the call that was told. */
  #tellLimiter(fault: Fault): Fault {
    if (fault.code !== 'rate_limited') return fault;
    const stated = fault.retryAtMs !== undefined && Number.isFinite(fault.retryAtMs);
    const nowMs = this.#env.clock.now();
    const waitMs = stated ? Math.max(0, (fault.retryAtMs ?? nowMs) - nowMs) : RATE_LIMITER_LIMITS.unstatedBlockMs;
    this.#limiter.block(waitMs);
    return stated ? fault : withRetryAt(fault, nowMs + waitMs);
  }

  /**
   * The table decides. `breaker`: the other side is ill. `never`: it gave a clear answer about our request, so it is well.
   * Everything else (stopped, limited, never sent, a defect of ours) says nothing about it.
   */
  #settle(permit: Permit, hostPermit: Permit | undefined, fault: Fault): void {
    const answered = fault.row.retry === 'never' && fault.code !== 'egress_blocked';
    const verdict = fault.row.breaker ? 'recordFailure' : answered ? 'recordSuccess' : 'release';
    this.#breaker[verdict](permit);
    if (hostPermit !== undefined) this.#hostBreaker?.[verdict](hostPermit);
  }

  /** One listener per signal however many calls it covers: a run makes thousands of calls with the same one. */
  #watch(signal: AbortSignal, operation: string): void {
    if (signal.aborted)
      throw new Fault('cancelled', `${operation} of ${this.#connection} was not started: its run was stopped`, {
        cause: signal.reason,
      });
    if (signal === this.#lastWatched) return;
    this.#lastWatched = signal;
    if (this.#watched.has(signal)) return;
    this.#watched.add(signal);
    signal.addEventListener('abort', () => this.#stopCallsOf(signal), { once: true, signal: this.#closing.signal });
  }

  #stopCallsOf(signal: AbortSignal): void {
    for (const call of this.#overall.running()) {
      if (call.caller !== signal) continue;
      call.stop(
        new Fault('cancelled', `${call.operation} of ${this.#connection} was stopped before it was done`, {
          cause: signal.reason,
        }),
      );
    }
  }

  #activity(state: BreakerStats['state'], probeInMs: number | undefined): GuardActivity | undefined {
    if (state !== 'closed') return { kind: 'open', probeInMs: probeInMs ?? 0 };
    const waitMs = this.#waitingUntilMs - this.#env.clock.monotonic();
    if (waitMs > 0) return { kind: 'waiting', untilMs: this.#env.clock.now() + Math.ceil(waitMs) };
    const retrying = this.#retry.getWaiting();
    if (retrying === undefined) return undefined;
    const { attempt, attemptsMax, nextInMs } = retrying;
    return { kind: 'retrying', attempt, attemptsMax, nextInMs };
  }
}
