// What is measured: each subject makes `count` successful calls one after the other. Every loop is written out, because a loop
// that all of them shared would be compiled for all of them and be fast for none.

import { CallRecorder } from '../../src/engine/call-recorder.ts';
import type { CallStore } from '../../src/core/store.ts';
import { CircuitBreaker } from '../../src/policies/circuit-breaker.ts';
import { createGuard, type CallOptions, type Guard } from '../../src/policies/guard.ts';
import { RateLimiter } from '../../src/policies/rate-limiter.ts';
import { Retry } from '../../src/policies/retry.ts';
import { TIMEOUT_DEFAULTS } from '../../src/policies/timeout.ts';
import { cockatielBreaker, cockatielChain, opossumBreaker, type Opponents, type Work } from './guard-opponents.ts';
import { WrongResult } from './measure.ts';
import { realEnv } from './real-env.ts';

export interface Subject {
  /** Throws when a call gave something else than the work's result. */
  run(count: number): Promise<void>;
  /** Ends timers. */
  close(): void;
}

export const SUBJECT_NAMES = [
  'bare async call',
  'Weir breaker',
  'Weir retry + breaker',
  'Weir full chain',
  'Weir full chain, recorded',
  'Weir full chain, recorded, signal read',
  'Weir full chain, recorded, caller’s signal',
  'cockatiel breaker',
  'cockatiel retry + breaker + bulkhead + timeout, aggressive',
  'cockatiel retry + breaker + bulkhead + timeout, cooperative',
  'opossum breaker',
  'opossum breaker + timeout',
  'p-retry',
] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

const RESULT = 7;
const CONNECTION = { tenant: 'default', connection: 'bench' };

/** One turn of the microtask queue: the smallest thing that is still an asynchronous call. */
const work: Work = async () => RESULT;
const idle = (): void => {};

export function openSubjects(opponents: Opponents): Readonly<Record<SubjectName, Subject>> {
  const { cockatiel, opossum } = opponents;
  return {
    'bare async call': bare(),
    'Weir breaker': breakerAlone(),
    'Weir retry + breaker': retryAndBreaker(),
    'Weir full chain': chain({ recorded: false }),
    'Weir full chain, recorded': chain({ recorded: true }),
    'Weir full chain, recorded, signal read': chainReadingSignal(),
    'Weir full chain, recorded, caller’s signal': chain({ recorded: true, signal: new AbortController().signal }),
    'cockatiel breaker': policy(cockatielBreaker(cockatiel)),
    'cockatiel retry + breaker + bulkhead + timeout, aggressive': policy(cockatielChain(cockatiel, 'Aggressive')),
    'cockatiel retry + breaker + bulkhead + timeout, cooperative': policy(cockatielChain(cockatiel, 'Cooperative')),
    'opossum breaker': opossumOf(opossumBreaker(opossum, work, false)),
    'opossum breaker + timeout': opossumOf(opossumBreaker(opossum, work, TIMEOUT_DEFAULTS.attemptTimeoutMs)),
    'p-retry': pRetryOf(opponents),
  };
}

function check(sum: number, count: number): void {
  if (sum !== RESULT * count) throw new WrongResult(`the results add up to ${sum}, expected ${RESULT * count}`);
}

function bare(): Subject {
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await work();
      check(sum, count);
    },
    close: idle,
  };
}

function breakerAlone(): Subject {
  const breaker = new CircuitBreaker(realEnv);
  const call = async (next: Work): Promise<number> => {
    const permit = breaker.allow();
    if (permit === undefined) throw new WrongResult('the circuit is open');
    try {
      const value = await next();
      breaker.recordSuccess(permit);
      return value;
    } catch (error) {
      breaker.recordFailure(permit);
      throw error;
    }
  };
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await call(work);
      check(sum, count);
    },
    close: idle,
  };
}

function retryAndBreaker(): Subject {
  const breaker = new CircuitBreaker(realEnv);
  const retry = new Retry(realEnv);
  const once = { idempotent: true };
  const attempt = async (): Promise<number> => {
    const permit = breaker.allow();
    if (permit === undefined) throw new WrongResult('the circuit is open');
    try {
      const value = await work();
      breaker.recordSuccess(permit);
      return value;
    } catch (error) {
      breaker.recordFailure(permit);
      throw error;
    }
  };
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await retry.run(attempt, once);
      check(sum, count);
    },
    close: idle,
  };
}

/** A limiter with a limit of its own that is never reached, so that it has something to count. */
function openGuard(recorded: boolean): Guard {
  const limit = { kind: 'token_bucket', ratePerSecond: 1e9, burst: 1e9 } as const;
  const rateLimiter = new RateLimiter(realEnv.clock, { limit });
  const { connection } = CONNECTION;
  if (!recorded) return createGuard({ connection, rateLimiter }, realEnv);
  const recorder = new CallRecorder({ clock: realEnv.clock, store: NO_STORE, redact: (text) => text });
  return createGuard({ connection, rateLimiter, onCall: (call) => recorder.record(CONNECTION, call) }, realEnv);
}

function chain({ recorded, signal }: { readonly recorded: boolean; readonly signal?: AbortSignal }): Subject {
  const guard = openGuard(recorded);
  const options: CallOptions = { idempotent: true, ...(signal === undefined ? {} : { signal }) };
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await guard.call('list_files', work, options);
      check(sum, count);
    },
    close: () => guard.close(),
  };
}

function chainReadingSignal(): Subject {
  const guard = openGuard(true);
  const options: CallOptions = { idempotent: true };
  const reading = async ({ signal }: { readonly signal: AbortSignal }): Promise<number> =>
    signal.aborted ? 0 : RESULT;
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await guard.call('list_files', reading, options);
      check(sum, count);
    },
    close: () => guard.close(),
  };
}

function policy(of: ReturnType<typeof cockatielBreaker>): Subject {
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await of.execute(work);
      check(sum, count);
    },
    close: idle,
  };
}

function opossumOf(breaker: ReturnType<typeof opossumBreaker>): Subject {
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await breaker.fire();
      check(sum, count);
    },
    close: () => breaker.shutdown(),
  };
}

function pRetryOf({ pRetry }: Opponents): Subject {
  const options = { retries: 2 };
  return {
    async run(count) {
      let sum = 0;
      for (let done = 0; done < count; done += 1) sum += await pRetry.default(work, options);
      check(sum, count);
    },
    close: idle,
  };
}

/** Flushing is measured by the benchmark `health`; here only what a call itself pays. */
const NO_STORE: CallStore = {
  save: () => Promise.resolve(),
  minutes: () => Promise.resolve([]),
  failures: () => Promise.resolve([]),
  forget: () => Promise.resolve(),
};
