import { randomUUID } from 'node:crypto';
import type { Clock, Env } from '#core/env.ts';

const TIMER_MS_MAX = 2 ** 31 - 1; // a longer setTimeout fires at once: long waits are cut into pieces

/** The real outside world. The only place where timers, chance and time are touched. */
export function realEnv(): Env {
  return { clock: realClock, random: { float: () => Math.random(), id: () => randomUUID() } };
}

const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  turn: () => new Promise((resolve) => void setImmediate(resolve)),
  async sleep(ms, signal) {
    let left = Math.max(0, ms);
    do {
      const piece = Math.min(left, TIMER_MS_MAX);
      await sleepPiece(piece, signal);
      left -= piece;
    } while (left > 0 && signal?.aborted !== true);
  },
};

function sleepPiece(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Number.isFinite(ms) ? ms : TIMER_MS_MAX);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
