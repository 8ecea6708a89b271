import type { Clock } from '#core/env.ts';

const TICK_MS = 100; // sleepers of one tick wake together: a simulated day has few enough ticks with somebody in them

/**
 * A clock for long forecasts: time jumps from one tick with sleepers to the next. Coarser than SimulatedClock, which wakes one
 * sleeper at a time, and some hundred times faster over days.
 */
export class CoarseClock implements Clock {
  readonly #startMs: number;
  #tick = 0;
  /** Somebody waits for a turn, as the storage does before it commits. */
  #asked = false;
  readonly #sleepers = new Map<number, Set<() => void>>();
  readonly #ticks: number[] = []; // a heap of the ticks with sleepers

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.monotonic();
  }

  monotonic(): number {
    return this.#tick * TICK_MS;
  }

  turn(): Promise<void> {
    this.#asked = true;
    return nextTurn();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve();
    const tick = this.#tick + Math.max(1, Math.ceil(Math.min(ms, Number.MAX_SAFE_INTEGER / TICK_MS) / TICK_MS));
    let sleepers = this.#sleepers.get(tick);
    if (sleepers === undefined) {
      sleepers = new Set();
      this.#sleepers.set(tick, sleepers);
      push(this.#ticks, tick);
    }
    const ofTick = sleepers;
    return new Promise((resolve) => {
      const wake = (): void => {
        ofTick.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      ofTick.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  async advance(ms: number): Promise<void> {
    const end = this.#tick + Math.round(ms / TICK_MS);
    await this.#settle();
    for (let next = this.#ticks[0]; next !== undefined && next <= end; next = this.#ticks[0]) {
      pop(this.#ticks);
      const sleepers = this.#sleepers.get(next);
      this.#sleepers.delete(next);
      if (sleepers === undefined || sleepers.size === 0) continue;
      this.#tick = next;
      for (const wake of sleepers) wake();
      await this.#settle();
    }
    this.#tick = end;
  }

  /** Until everything that was woken sleeps again: what runs here waits for promises, for turns, and for time alone. */
  async #settle(): Promise<void> {
    do {
      this.#asked = false;
      await nextTurn();
    } while (this.#asked);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if ((heap[parent] ?? 0) <= value) break;
    heap[at] = heap[parent] ?? 0;
    at = parent;
  }
  heap[at] = value;
}

function pop(heap: number[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const child = right < heap.length && (heap[right] ?? 0) < (heap[left] ?? 0) ? right : left;
    if ((heap[child] ?? 0) >= last) break;
    heap[at] = heap[child] ?? 0;
    at = child;
  }
  heap[at] = last;
}
