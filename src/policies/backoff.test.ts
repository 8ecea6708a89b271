import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { computeBackoffMs, RETRY_AFTER_SPREAD_RATIO, RETRY_DEFAULTS, type RetryPolicy } from './backoff.ts';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';

const policies = fc.record({
  baseMs: fc.integer({ min: 1, max: 10_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  capMs: fc.integer({ min: 1, max: 3_600_000 }),
  jitter: fc.constantFrom('proportional', 'full', 'decorrelated'),
  jitterRatio: fc.double({ min: 0, max: 0.9, noNaN: true }),
  attemptsMax: fc.constant(3),
}) satisfies fc.Arbitrary<RetryPolicy>;
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempts = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 31 }),
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(-1, 0.5, NaN, Infinity, 1_024),
);
const fixed = (chance: number) => ({ float: () => chance });

function mean(policy: RetryPolicy, attempt: number): number {
  const grid = Array.from({ length: 100 }, (_, n) =>
    computeBackoffMs({ attempt, policy, random: fixed((n + 0.5) / 100) }),
  );
  return grid.reduce((sum, waitMs) => sum + waitMs, 0) / grid.length;
}

describe('P2: every wait lies in the range of its jitter', () => {
  test('it is above 0, finite and at most capMs·(1 + jitterRatio), for any attempt up to 2^31 and any policy', () => {
    fc.assert(
      fc.property(
        policies,
        chances,
        attempts,
        fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined }),
        (policy, chance, attempt, previousMs) => {
          const waitMs = computeBackoffMs({
            attempt,
            policy,
            random: fixed(chance),
            ...(previousMs === undefined ? {} : { previousMs }),
          });
          expect(waitMs).toBeGreaterThan(0);
          expect(waitMs).toBeLessThanOrEqual(
            policy.capMs * (1 + (policy.jitter === 'proportional' ? policy.jitterRatio : 0)),
          );
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('proportional, full and decorrelated fill exactly their own range', () => {
    fc.assert(
      fc.property(
        policies,
        chances,
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 100_000 }),
        (policy, chance, attempt, previousMs) => {
          const plainMs = Math.min(policy.capMs, policy.baseMs * policy.factor ** attempt);
          const lowMs = Math.min(policy.baseMs, policy.capMs);
          const range = {
            proportional: [plainMs * (1 - policy.jitterRatio), plainMs * (1 + policy.jitterRatio)],
            full: [plainMs, 0],
            decorrelated: [lowMs, Math.min(policy.capMs, Math.max(lowMs, previousMs * 3))],
          }[policy.jitter] as [number, number]; // the record above has two numbers per strategy
          const waitMs = computeBackoffMs({ attempt, policy, random: fixed(chance), previousMs });
          expect(waitMs).toBeCloseTo(range[0] + (range[1] - range[0]) * chance, 3);
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('the mean never falls as attempts grow, and at the cap the waits still differ', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 30 }), (policy, attempt) => {
        expect(mean(policy, attempt + 1)).toBeGreaterThanOrEqual(mean(policy, attempt) * (1 - 1e-9));
        const spread: RetryPolicy = { ...policy, baseMs: 1, capMs: 60_000, factor: 2, jitterRatio: 0.2 };
        const low = computeBackoffMs({ attempt: 2 ** 31, policy: spread, random: fixed(0.1), previousMs: 60_000 });
        const high = computeBackoffMs({ attempt: 2 ** 31, policy: spread, random: fixed(0.9), previousMs: 60_000 });
        expect(Math.abs(high - low)).toBeGreaterThan(1_000);
      }),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('the wait is never below what the server asked for, and at most a tenth above it or the backoff', () => {
    fc.assert(
      fc.property(
        policies,
        chances,
        attempts,
        fc.integer({ min: 0, max: 3_600_000 }),
        (policy, chance, attempt, retryAfterMs) => {
          const waitMs = computeBackoffMs({ attempt, policy, random: fixed(chance), retryAfterMs });
          expect(waitMs).toBeGreaterThanOrEqual(retryAfterMs);
          expect(waitMs).toBeLessThanOrEqual(
            Math.max(retryAfterMs * (1 + RETRY_AFTER_SPREAD_RATIO), policy.capMs * (1 + policy.jitterRatio)),
          );
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('the defaults wait 400, 800, 1600 ms in the middle of their range', () => {
    const waits = [0, 1, 2].map((attempt) => computeBackoffMs({ attempt, policy: RETRY_DEFAULTS, random: fixed(0.5) }));
    expect(waits).toEqual([400, 800, 1_600]);
  });
});

describe('P3: a herd of 1,000 clients through an outage of 60 s', () => {
  const OUTAGE_MS = 60_000;
  const CLIENTS = 1_000;
  type Backoff = (attempt: number, previousMs: number | undefined) => number;

  /** Times of every retry, by attempt, until the outage is over; the client then succeeds. */
  function retryTimes(
    backoff: Backoff,
    firstFailuresMs: readonly number[],
  ): { readonly attempt: number; readonly atMs: number }[] {
    return firstFailuresMs.flatMap((startMs) => {
      const times = [];
      let previousMs: number | undefined;
      for (let attempt = 0, atMs = startMs; atMs < OUTAGE_MS; attempt += 1) {
        previousMs = backoff(attempt, previousMs);
        atMs += previousMs;
        times.push({ attempt, atMs });
      }
      return times;
    });
  }

  /** The most retries in any second of [fromMs, OUTAGE_MS), divided by the mean over that time. */
  function peakOverMean(timesMs: readonly number[], fromMs: number): number {
    const within = timesMs.filter((atMs) => atMs >= fromMs && atMs < OUTAGE_MS).sort((a, b) => a - b);
    let peak = 0;
    for (let from = 0, to = 0; to < within.length; to += 1) {
      while ((within[to] ?? 0) - (within[from] ?? 0) >= 1_000) from += 1;
      peak = Math.max(peak, to - from + 1);
    }
    return peak / (within.length / ((OUTAGE_MS - fromMs) / 1_000));
  }

  const atOnce = Array.from({ length: CLIENTS }, () => 0);
  const capped: RetryPolicy = { ...RETRY_DEFAULTS, capMs: 5_000 };
  const CAP_REACHED_MS = 8_500; // 400 + 800 + 1,600 + 3,200 ms and jitter: from then on every wait is the cap
  const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const HERD_RUNS = PROPERTY_RUNS / 10; // each run is 1,000 clients with some 15 retries

  test('cut off at the same moment, they have come apart when their backoff reaches its cap: peak <= 3 × mean', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = simulatedRandom(seed);
        const times = retryTimes((attempt) => computeBackoffMs({ attempt, policy: capped, random }), atOnce);
        expect(
          peakOverMean(
            times.map(({ atMs }) => atMs),
            CAP_REACHED_MS,
          ),
        ).toBeLessThanOrEqual(3);
      }),
      { numRuns: HERD_RUNS },
    );
  });

  test('with the cap after the jitter (B14) they stay together: peak > 3 × mean', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = simulatedRandom(seed);
        const uncapped: RetryPolicy = { ...capped, capMs: Number.MAX_VALUE };
        const times = retryTimes(
          (attempt) => Math.min(capped.capMs, computeBackoffMs({ attempt, policy: uncapped, random })),
          atOnce,
        );
        expect(
          peakOverMean(
            times.map(({ atMs }) => atMs),
            CAP_REACHED_MS,
          ),
        ).toBeGreaterThan(3);
      }),
      { numRuns: HERD_RUNS },
    );
  });

  test('polling once a minute with the default policy, no second of the whole outage sees more than 3 × the mean', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom('proportional', 'full', 'decorrelated'), (seed, jitter) => {
        const random = simulatedRandom(seed);
        const polls = Array.from({ length: CLIENTS }, () => random.float() * OUTAGE_MS);
        const policy: RetryPolicy = { ...RETRY_DEFAULTS, jitter };
        const backoff: Backoff = (attempt, previousMs) =>
          computeBackoffMs({ attempt, policy, random, ...(previousMs === undefined ? {} : { previousMs }) });
        expect(
          peakOverMean(
            retryTimes(backoff, polls).map(({ atMs }) => atMs),
            0,
          ),
        ).toBeLessThanOrEqual(3);
      }),
      { numRuns: HERD_RUNS },
    );
  });
});
