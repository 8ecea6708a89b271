import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { Keyed } from './keyed.ts';
import { RETRY_BUDGET_DEFAULTS, RetryBudget } from './retry-budget.ts';

const { ratio, burst, windowMs } = RETRY_BUDGET_DEFAULTS;

describe('P4: repetitions stay a tenth of the requests', () => {
  const steps = fc.array(
    fc.record({
      afterMs: fc.constantFrom(0, 1, 500, 10_000, 60_000, 300_000),
      requests: fc.nat(50),
      retriesWanted: fc.nat(60),
    }),
    { maxLength: 40, size: 'max' },
  );

  test('in every window of two minutes, retries <= 10 % of its requests + burst, for any pattern of failures', () => {
    let refusedTotal = 0;
    fc.assert(
      fc.property(steps, (pattern) => {
        let nowMs = 0;
        const budget = new RetryBudget({ monotonic: () => nowMs });
        const history: { atMs: number; requests: number; retries: number }[] = [];
        for (const { afterMs, requests, retriesWanted } of pattern) {
          nowMs += afterMs;
          for (let n = 0; n < requests; n += 1) budget.recordRequest();
          let retries = 0;
          for (let n = 0; n < retriesWanted; n += 1) retries += budget.tryRetry() ? 1 : 0;
          refusedTotal += retriesWanted - retries;
          history.push({ atMs: nowMs, requests, retries });
        }
        for (const { atMs: endMs } of history) {
          const window = history.filter(({ atMs }) => atMs > endMs - windowMs && atMs <= endMs);
          const retries = window.reduce((sum, step) => sum + step.retries, 0);
          const requests = window.reduce((sum, step) => sum + step.requests, 0);
          expect(retries).toBeLessThanOrEqual(ratio * requests + burst + 1e-6);
        }
      }),
      { numRuns: PROPERTY_RUNS },
    );
    expect(refusedTotal).toBeGreaterThan(0);
  });

  test('a connection with hardly any calls can still repeat now and then', () => {
    let nowMs = 0;
    const budget = new RetryBudget({ monotonic: () => nowMs });
    for (let n = 0; n < 100; n += 1) budget.tryRetry();
    expect(budget.tryRetry()).toBe(false);
    nowMs += windowMs;
    expect([1, 2, 3, 4, 5, 6].map(() => budget.tryRetry())).toEqual([true, true, true, true, true, false]);
  });
});

describe('one policy object per key', () => {
  test('the same key gives the same object, another key another one', () => {
    const keyed = new Keyed((key) => ({ key }));
    expect(keyed.of('acme api.example.com')).toBe(keyed.of('acme api.example.com'));
    expect(keyed.of('acme api.example.com')).not.toBe(keyed.of('globex api.example.com'));
  });

  test('at the limit the key unused for longest is forgotten, and memory stays bounded', () => {
    const keyed = new Keyed((key) => ({ key }), 2);
    const first = keyed.of('a');
    keyed.of('b');
    keyed.of('a');
    keyed.of('c');
    expect(keyed.size).toBe(2);
    expect(keyed.of('a')).toBe(first);
  });
});
