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

  merge(other: QuantileSketch): void {
    this.#sketch.merge(other.#sketch);
  }

  /** Milliseconds at quantile `q` (0 to 1); undefined without data. */
  at(q: number): number | undefined {
    return this.#sketch.count === 0 ? undefined : this.#sketch.getValueAtQuantile(q);
  }

  /** For CallMinute.sketch. The library's own format needs a package it does not declare, so the bins are written here. */
  encode(): Uint8Array {
    const { store, zeroCount, min, max, sum } = this.#sketch;
    const bins = store.bins.flatMap((count, index) => (count > 0 ? [[index + store.offset, count]] : []));
    return new TextEncoder().encode(JSON.stringify([zeroCount, finite(min), finite(max), sum, bins]));
  }

  /** An unreadable sketch counts as empty: health must not fail because one minute is damaged. */
  static decode(bytes: Uint8Array): QuantileSketch {
    const restored = new QuantileSketch();
    const parsed = StoredSketch.safeParse(parseJson(bytes));
    if (!parsed.success) return restored;
    const [zeroCount, min, max, sum, bins] = parsed.data;
    const sketch = restored.#sketch;
    for (const [key, count] of bins) sketch.store.add(key, count);
    Object.assign(sketch, { zeroCount, min, max, sum, count: zeroCount + sketch.store.count });
    return restored;
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
