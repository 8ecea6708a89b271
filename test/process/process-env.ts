// The clock and the chance of a test's server process. It cannot use those of the product: only main may import them.

import { randomUUID } from 'node:crypto';
import type { Clock, Env } from '#core/env.ts';

/** `speed`: how many of its own milliseconds pass in a real one, so that a lease of a minute ends within a test. */
export function processEnv(speed = 1): Env {
  return { clock: processClock(speed), random: { float: Math.random, id: randomUUID } };
}

function processClock(speed: number): Clock {
  const startedAtMs = Date.now() - performance.now() * speed;
  const monotonic = (): number => performance.now() * speed;
  return {
    // At its true speed the wall clock is asked each time: it may be stepped, and that is what some tests are about.
    now: speed === 1 ? Date.now : () => Math.floor(startedAtMs + monotonic()),
    monotonic,
    turn: () => new Promise((resolve) => void setImmediate(resolve)),
    sleep: (ms, signal) => pause(Math.min(Math.max(0, ms) / speed, 2 ** 31 - 1), signal),
  };
}

/** Resolves after real milliseconds, or at once when `signal` aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
