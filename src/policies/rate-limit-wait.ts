import type { Env } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import { RETRY_AFTER_SPREAD_RATIO } from './backoff.ts';
import type { RateLimiter, RateRefusal } from './rate-limiter.ts';
import type { Stoppable } from './scope.ts';

export interface GrantOptions {
  readonly env: Env;
  /** The connection, for the message. */
  readonly name: string;
  /** Longest time to wait here in all. */
  readonly momentMsMax: number;
  readonly stop?: Stoppable;
  readonly onWait?: (refusal: RateRefusal) => void;
}

/**
 * Resolves when the limiter has granted a request. A wait beyond a moment is not slept: it throws `rate_limited` with the
 * time, the run yields and its worker is free.
 */
export async function awaitGrant(
  limiter: RateLimiter,
  { env, name, momentMsMax, stop, onWait }: GrantOptions,
): Promise<void> {
  const startedAtMs = env.clock.monotonic();
  // Others may take what came free first; the moment, measured from the start, ends the loop.
  for (let decision = limiter.take(); !decision.granted; decision = limiter.take()) {
    onWait?.(decision);
    const waitedMs = env.clock.monotonic() - startedAtMs;
    if (waitedMs + decision.waitMs > momentMsMax) {
      const until = new Date(decision.resumeAtMs).toISOString();
      throw new Fault('rate_limited', `${name} has used up its rate limit; the next call is possible at ${until}`, {
        details: { connection: name },
        retryAtMs: decision.resumeAtMs,
      });
    }
    const signal = stop?.signal;
    await env.clock.sleep(Math.ceil(decision.waitMs * (1 + RETRY_AFTER_SPREAD_RATIO * env.random.float())), signal);
    if (signal?.aborted === true) throw toFault(signal.reason);
  }
}
