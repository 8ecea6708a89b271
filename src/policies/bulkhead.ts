import { Fault, toFault } from '#core/fault.ts';
import type { Stoppable } from './scope.ts';

export interface BulkheadOptions {
  /** Calls of one connection under way at once. */
  readonly concurrencyMax: number;
  /** Calls that wait for a place. One more is refused: a longer line would only time out. */
  readonly waitingMax: number;
}

export const BULKHEAD_DEFAULTS: BulkheadOptions = { concurrencyMax: 8, waitingMax: 64 };

/** When to come back after a refusal: places free up with every call that ends. */
const REFUSED_RETRY_MS = 1_000;

interface Waiting {
  readonly enter: () => void;
}

/** Bounds what one connection may have under way, so that a slow one cannot take every socket and worker. First come, first served. */
export class Bulkhead {
  readonly #options: BulkheadOptions;
  readonly #name: string;
  readonly #now: () => number;
  #running = 0;
  #waiting: Waiting[] = [];

  /** `name` is for the message; `now` is wall time, for the fault's `retryAtMs`. */
  constructor(name: string, now: () => number, options: Partial<BulkheadOptions> = {}) {
    this.#name = name;
    this.#now = now;
    this.#options = { ...BULKHEAD_DEFAULTS, ...options };
  }

  /** Throws `rate_limited` when the line is full, and what `stop` was stopped with while waiting; `next` is then not called. */
  async run<T>(next: () => Promise<T>, stop?: Stoppable): Promise<T> {
    if (this.#running < this.#options.concurrencyMax) this.#running += 1;
    else await this.#place(stop);
    try {
      return await next();
    } finally {
      this.#leave();
    }
  }

  getStats(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.length };
  }

  #leave(): void {
    const first = this.#waiting.shift();
    // The place is handed over, not freed: a newcomer must not slip in before those who wait.
    if (first === undefined) this.#running -= 1;
    else first.enter();
  }

  #place(stop: Stoppable | undefined): Promise<void> {
    const { concurrencyMax, waitingMax } = this.#options;
    if (this.#waiting.length >= waitingMax) {
      const message = `${this.#name} has ${concurrencyMax} calls under way and ${waitingMax} waiting; lower its load or raise its concurrency`;
      throw new Fault('rate_limited', message, {
        details: { connection: this.#name, limit: 'concurrency' },
        retryAtMs: this.#now() + REFUSED_RETRY_MS,
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { enter: resolve };
    this.#waiting.push(waiting);
    const signal = stop?.signal;
    signal?.addEventListener(
      'abort',
      () => {
        // Whoever has been handed a place already is not in line any more, and gives it back on its own way out.
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(toFault(signal.reason));
      },
      { once: true },
    );
    return promise;
  }
}
