// Real time and chance for the benchmarks: what the composition root gives the product, in its smallest form.

import { randomUUID } from 'node:crypto';
import type { Clock, Env } from '../../src/core/env.ts';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};

export const realEnv: Env = { clock, random: { float: () => Math.random(), id: () => randomUUID() } };
