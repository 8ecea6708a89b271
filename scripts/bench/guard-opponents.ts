// The resilience libraries that a Node team would take instead of the guard, set to the same numbers as far as they have them.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { BREAKER_DEFAULTS } from '../../src/policies/circuit-breaker.ts';
import { BULKHEAD_DEFAULTS } from '../../src/policies/bulkhead.ts';
import { RETRY_DEFAULTS } from '../../src/policies/backoff.ts';
import { TIMEOUT_DEFAULTS } from '../../src/policies/timeout.ts';

/** In the lockfile of this folder, not of the product: imported by computed name, so that a clone without them still type-checks. */
const PACKAGES = ['cockatiel', 'opossum', 'p-retry'] as const;

export type Work = () => Promise<number>;

// Only what is used here, for the same reason.
interface Policy {
  execute<T>(work: (context: { readonly signal: AbortSignal }) => Promise<T>): Promise<T>;
}
interface Cockatiel {
  readonly handleAll: unknown;
  readonly TimeoutStrategy: { readonly Aggressive: string; readonly Cooperative: string };
  readonly ConsecutiveBreaker: new (failures: number) => unknown;
  readonly ExponentialBackoff: new () => unknown;
  circuitBreaker(of: unknown, options: object): Policy;
  retry(of: unknown, options: object): Policy;
  bulkhead(running: number, waiting: number): Policy;
  timeout(ms: number, strategy: string): Policy;
  wrap(...policies: readonly Policy[]): Policy;
}
interface Opossum {
  readonly default: new (work: Work, options: object) => { fire(): Promise<number>; shutdown(): void };
}
interface PRetry {
  default<T>(work: (attempt: number) => Promise<T>, options: object): Promise<T>;
}

export interface Opponents {
  readonly versions: Readonly<Record<(typeof PACKAGES)[number], string>>;
  readonly cockatiel: Cockatiel;
  readonly opossum: Opossum;
  readonly pRetry: PRetry;
}

/** Throws when one is not installed. */
export async function loadOpponents(): Promise<Opponents> {
  const require = createRequire(import.meta.url);
  const load = async (name: string): Promise<unknown> => import(pathToFileURL(require.resolve(name)).href);
  const [cockatiel, opossum, pRetry] = await Promise.all(PACKAGES.map(load));
  const { dependencies } = require('./package.json') as { dependencies: Opponents['versions'] }; // exact, as in the lockfile
  return {
    versions: Object.fromEntries(PACKAGES.map((name) => [name, dependencies[name]])) as Opponents['versions'], // the keys just mapped
    // The exact versions are locked beside this file.
    cockatiel: cockatiel as Cockatiel,
    opossum: opossum as Opossum,
    pRetry: pRetry as PRetry,
  };
}

export function cockatielBreaker({ handleAll, circuitBreaker, ConsecutiveBreaker }: Cockatiel): Policy {
  const { cooldownMs, failuresToOpen } = BREAKER_DEFAULTS;
  return circuitBreaker(handleAll, { halfOpenAfter: cooldownMs, breaker: new ConsecutiveBreaker(failuresToOpen) });
}

/** `Aggressive` ends work that does not heed its signal, as the guard does; `Cooperative` leaves that to the work. */
export function cockatielChain(cockatiel: Cockatiel, strategy: 'Aggressive' | 'Cooperative'): Policy {
  const { handleAll, retry, bulkhead, timeout, wrap, ExponentialBackoff, TimeoutStrategy } = cockatiel;
  const { concurrencyMax, waitingMax } = BULKHEAD_DEFAULTS;
  return wrap(
    retry(handleAll, { maxAttempts: RETRY_DEFAULTS.attemptsMax, backoff: new ExponentialBackoff() }),
    cockatielBreaker(cockatiel),
    bulkhead(concurrencyMax, waitingMax),
    timeout(TIMEOUT_DEFAULTS.attemptTimeoutMs, TimeoutStrategy[strategy]),
  );
}

export function opossumBreaker(opossum: Opossum, work: Work, timeoutMs: number | false) {
  const { cooldownMs } = BREAKER_DEFAULTS;
  return new opossum.default(work, { timeout: timeoutMs, resetTimeout: cooldownMs });
}
