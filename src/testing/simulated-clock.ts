import type { Clock } from '#core/env.ts';

interface Sleeper {
  readonly wakeAtMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * A clock that moves only when told. `advance` wakes sleepers in order of their time and lets the woken code run before the
 * next one, so a test sees the same interleaving every time. `stepWall` moves wall time alone, as an operator or NTP would.
 */
export class SimulatedClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  #sleepers: Sleeper[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs;
  }

  now(): number {
    return Math.floor(this.#wallMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  turn(): Promise<void> {
    return settle();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const sleeper: Sleeper = { wakeAtMs: this.#monotonicMs + ms, order: this.#order++, wake: resolve };
    this.#sleepers.push(sleeper);
    const stop = (): void => this.#drop(sleeper);
    signal?.addEventListener('abort', stop, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', stop));
  }

  /** How many sleepers wait: lets a test see that something is idle. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#earliest(end); next !== undefined; next = this.#earliest(end)) {
      this.#moveTo(next.wakeAtMs);
      this.#drop(next);
      await settle();
    }
    this.#moveTo(end);
  }

  #earliest(end: number): Sleeper | undefined {
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeAtMs <= end);
    return due.sort((a, b) => a.wakeAtMs - b.wakeAtMs || a.order - b.order)[0];
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #drop(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    sleeper.wake();
  }
}

const TURNS_PER_SETTLE = 20; // enough for the longest chain of awaits between two sleeps in the code under test

/** Resolves when every promise chain that can go on by itself has done so; time does not pass. */
export function whatIsReady(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function settle(): Promise<void> {
  // A real turn of the event loop lets promise chains and completed I/O run; time does not pass for the code under test.
  for (let turn = 0; turn < TURNS_PER_SETTLE; turn += 1) await whatIsReady();
}
