import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QuantileSketch } from './quantile-sketch.ts';

const QUANTILES = [0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 1];
// From a microsecond to a day: what a call can take.
const durationMs = fc.oneof(
  fc.double({ min: 0.001, max: 2, noNaN: true }),
  fc.double({ min: 0.001, max: 86_400_000, noNaN: true }),
  fc.integer({ min: 0, max: 5000 }),
  fc.constantFrom(0, 1),
);

function sketchOf(values: readonly number[]): QuantileSketch {
  const sketch = new QuantileSketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

/** The slow reference: sort and take the value at the lower rank. */
function exactAt(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? Number.NaN;
}

function expectNear(sketch: QuantileSketch, values: readonly number[]): void {
  for (const q of QUANTILES) {
    const exactMs = exactAt(values, q);
    const toldMs = sketch.at(q) ?? Number.NaN;
    expect(Math.abs(toldMs - exactMs)).toBeLessThanOrEqual(exactMs * 0.0101 + 1e-9);
  }
}

describe('quantiles of durations (P26)', () => {
  test('without data there is no quantile', () => {
    expect(new QuantileSketch().at(0.95)).toBeUndefined();
  });

  test('one point is every quantile', () => {
    expectNear(sketchOf([42]), [42]);
  });

  test('equal points have one quantile, zero included', () => {
    expectNear(sketchOf([7, 7, 7]), [7, 7, 7]);
    expect(sketchOf([0, 0]).at(0.5)).toBe(0);
  });

  test('every quantile is told within 1 % of the exact one', () => {
    fc.assert(
      fc.property(fc.array(durationMs, { minLength: 1, maxLength: 80 }), (values) =>
        expectNear(sketchOf(values), values),
      ),
      { numRuns: 1000 },
    );
  });

  test('a negative duration, as a stepped clock would give, counts as nothing', () => {
    expect(sketchOf([-5]).at(0.5)).toBe(0);
  });

  test('merged, the quantiles are as told as if all had been measured by one', () => {
    const values = fc.array(durationMs, { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), (parts) => {
        const merged = new QuantileSketch();
        for (const part of parts) merged.merge(sketchOf(part));
        const all = parts.flat();
        if (all.length === 0) expect(merged.at(0.5)).toBeUndefined();
        else expectNear(merged, all);
      }),
      { numRuns: 1000 },
    );
  });

  test('a call of one millisecond is not lost among calls of microseconds when minutes are merged', () => {
    const merged = sketchOf([0.05]);
    merged.merge(sketchOf([0.02, 1]));
    expectNear(merged, [0.02, 0.05, 1]);
  });

  test('merging leaves what was merged in as it was', () => {
    const other = sketchOf([1, 2, 3]);
    const into = new QuantileSketch();
    into.merge(other);
    into.add(1000);
    expectNear(other, [1, 2, 3]);
  });
});

describe('a stored sketch', () => {
  test('read back, it tells the same quantiles, and goes on counting', () => {
    fc.assert(
      fc.property(
        fc.array(durationMs, { maxLength: 40 }),
        fc.array(durationMs, { minLength: 1, maxLength: 10 }),
        (before, after) => {
          const direct = sketchOf(before);
          const restored = QuantileSketch.decode(direct.encode());
          for (const q of QUANTILES) expect(restored.at(q)).toBe(direct.at(q));
          for (const value of after) restored.add(value);
          expectNear(restored, [...before, ...after]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a damaged sketch counts as empty and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          const sketch = QuantileSketch.decode(bytes);
          sketch.add(5);
          expect(sketch.at(0.5)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
    expect(QuantileSketch.decode(sketchOf([5]).encode().slice(0, 10)).at(0.5)).toBeUndefined();
  });
});
