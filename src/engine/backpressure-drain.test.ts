import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DRAIN_LIMITS, DrainRate, retryAfterMs } from './backpressure-drain.ts';

const rateOf = (samples: readonly (readonly [atMs: number, size: number])[]): number => {
  const drain = new DrainRate();
  for (const [atMs, size] of samples) drain.note(size, atMs);
  return drain.eventsPerMs();
};
const at = (float: number) => ({ float: () => float });

test('the rate is what went, through the time it took', () => {
  expect(
    rateOf([
      [0, 1000],
      [10_000, 900],
      [20_000, 700],
    ]),
  ).toBe(300 / 20_000);
});

test('what arrives in between does not count as going', () => {
  expect(
    rateOf([
      [0, 1000],
      [10_000, 900],
      [20_000, 1500],
      [30_000, 1400],
    ]),
  ).toBe(200 / 30_000);
});

test('a backlog that does not shrink, or was seen once, drains at nothing', () => {
  expect([
    rateOf([]),
    rateOf([[0, 5]]),
    rateOf([
      [0, 5],
      [9000, 6],
    ]),
  ]).toEqual([0, 0, 0]);
});

test('what is older than the window is forgotten', () => {
  const { windowMs } = DRAIN_LIMITS;
  expect(
    rateOf([
      [0, 100_000],
      [1000, 0],
      [windowMs + 2000, 50],
      [windowMs + 7000, 0],
    ]),
  ).toBe(50 / 5000);
});

test('what goes back and forth between two looks of a second is no drain', () => {
  const samples = Array.from({ length: 1001 }, (_, look) => [look * 10, look % 2 === 0 ? 1000 : 900] as const);
  expect(rateOf(samples)).toBe(0);
  expect(rateOf(samples.map(([atMs, size]) => [atMs, size - atMs / 100]))).toBeCloseTo(0.01, 6);
});

test('the wait is backlog through rate, within 5 to 300 s, give or take a fifth', () => {
  expect(retryAfterMs(1000, 0.1, at(0.5))).toBe(10_000);
  expect([0, 1].map((float) => retryAfterMs(1000, 0.1, at(float)))).toEqual([8000, 12_000]);
  expect(retryAfterMs(1, 10, at(0.5))).toBe(5000);
  expect(retryAfterMs(1_000_000, 0, at(0.5))).toBe(300_000);
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (backlog, rate, float) => {
        const waitMs = retryAfterMs(backlog, rate, at(float));
        expect(waitMs).toBeGreaterThanOrEqual(4000);
        expect(waitMs).toBeLessThanOrEqual(360_000);
      },
    ),
    { numRuns: 1000 },
  );
});
