import type { Random } from '#core/env.ts';
import { whatIsReady } from '../simulated-clock.ts';

export interface Timer {
  readonly atMs: number;
  readonly order: number;
  /** Undefined once it has run or was cancelled. */
  run: (() => void) | undefined;
}

/**
 * Time of a whole simulated world: monotonic and wall, moved by hand. Whatever waits is woken in an order that the seed decides, and
 * everything that can go on by itself does so before the next is woken, so one seed gives one interleaving.
 */
export class VirtualTime {
  readonly #chance: Random;
  readonly #heap: Timer[] = [];
  #turns: (() => void)[] = [];
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  /** How often something was woken: bounds a world that goes on without time passing. */
  steps = 0;

  constructor(chance: Random, startMs = Date.UTC(2026, 0, 1)) {
    this.#chance = chance;
    this.#wallOffsetMs = startMs;
  }

  now(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  /** Wall time alone, as an operator or NTP would. */
  stepWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  at(atMs: number, run: () => void): Timer {
    const timer: Timer = { atMs: Math.max(atMs, this.#monotonicMs), order: this.#order++, run };
    this.#push(timer);
    return timer;
  }

  after(ms: number, run: () => void): Timer {
    return this.at(this.#monotonicMs + ms, run);
  }

  /** Runs with the next generation of turns, before time passes. */
  turn(run: () => void): void {
    this.#turns.push(run);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Lets everything that is ready run, then wakes what is next. Returns false when nothing is left to wake before `untilMs`. */
  async step(untilMs: number): Promise<boolean> {
    await whatIsReady();
    this.steps += 1;
    if (this.#turns.length > 0) {
      const generation = this.#shuffled(this.#turns);
      this.#turns = [];
      for (const run of generation) run();
      return true;
    }
    const next = this.#peek();
    if (next === undefined || next.atMs > untilMs) {
      this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
      return false;
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
    this.#wakeAllAt(next.atMs);
    return true;
  }

  #wakeAllAt(atMs: number): void {
    for (let due = this.#peek(); due !== undefined && due.atMs <= atMs; due = this.#peek()) {
      this.#pop();
      const run = due.run;
      due.run = undefined;
      run?.();
    }
  }

  #shuffled(turns: (() => void)[]): (() => void)[] {
    for (let index = turns.length - 1; index > 0; index -= 1) {
      const other = Math.floor(this.#chance.float() * (index + 1));
      const [a, b] = [turns[index], turns[other]];
      if (a !== undefined && b !== undefined) [turns[index], turns[other]] = [b, a];
    }
    return turns;
  }

  /** The earliest timer that was not cancelled. */
  #peek(): Timer | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.run !== undefined) return top;
      this.#pop();
    }
    return undefined;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || isBefore(parent, timer)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = child === right ? 2 * at + 2 : 2 * at + 1;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
