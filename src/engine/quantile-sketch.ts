import { DDSketch } from '@datadog/sketches-js';
import { z } from 'zod';

const RELATIVE_ACCURACY = 0.01; // p95 of 2000 ms is told as 1980 to 2020

const StoredSketch = z.tuple([
  z.int().nonnegative(), // zeros
  z.number(), // min
  z.number(), // max
  z.number(), // sum
  z.array(z.tuple([z.int(), z.number().positive()])), // key, count of each bin that is not empty
]);

/** Durations in milliseconds whose quantiles can be merged: of minutes into an hour, of operations into a connection. */
export class QuantileSketch {
  readonly #sketch = new DDSketch({ relativeAccuracy: RELATIVE_ACCURACY });

  add(ms: number): void {
    this.#sketch.accept(Math.max(0, ms));
  }

  /** Bin by bin: the library's own merge loses counts when a sketch's largest value lies between 0.98 and 1. */
  merge(other: QuantileSketch): void {
    const { zeroCount, min, max, sum } = other.#sketch;
    this.#take(other.#bins(), { zeroCount, min, max, sum });
  }

  /** Milliseconds at quantile `q` (0 to 1); undefined without data. */
  at(q: number): number | undefined {
    return this.#sketch.count === 0 ? undefined : this.#sketch.getValueAtQuantile(q);
  }

  /** For CallMinute.sketch. The library's own format needs a package it does not declare, so the bins are written here. */
  encode(): Uint8Array {
    const { zeroCount, min, max, sum } = this.#sketch;
    return new TextEncoder().encode(JSON.stringify([zeroCount, finite(min), finite(max), sum, this.#bins()]));
  }

  /** An unreadable sketch counts as empty: health must not fail because one minute is damaged. */
  static decode(bytes: Uint8Array): QuantileSketch {
    const restored = new QuantileSketch();
    const parsed = StoredSketch.safeParse(parseJson(bytes));
    if (!parsed.success) return restored;
    const [zeroCount, min, max, sum, bins] = parsed.data;
    restored.#take(bins, { zeroCount, min, max, sum });
    return restored;
  }

  #bins(): readonly (readonly [number, number])[] {
    const { bins, offset } = this.#sketch.store;
    return bins.flatMap((count, index) => (count > 0 ? [[index + offset, count] as const] : []));
  }

  #take(
    bins: readonly (readonly [number, number])[],
    rest: { zeroCount: number; min: number; max: number; sum: number },
  ): void {
    const sketch = this.#sketch;
    for (const [key, count] of bins) sketch.store.add(key, count);
    sketch.zeroCount += rest.zeroCount;
    sketch.sum += rest.sum;
    sketch.min = Math.min(sketch.min, rest.min);
    sketch.max = Math.max(sketch.max, rest.max);
    sketch.count = sketch.zeroCount + sketch.store.count;
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
