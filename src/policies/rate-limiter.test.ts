import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { RATE_LIMITER_LIMITS, RateLimiter, type RateLimiterOptions } from './rate-limiter.ts';

const TEN_YEARS_MS = 10 * 365.25 * 86_400_000;

function simulatedLimiter(options: RateLimiterOptions) {
  const world = { monotonicMs: 0, wallMs: Date.UTC(2026, 0, 1) };
  const clock = {
    monotonic: () => world.monotonicMs,
    now: () => world.wallMs,
    sleep: () => Promise.resolve(),
    turn: () => Promise.resolve(),
  };
  const pass = (ms: number): void => {
    world.monotonicMs += ms;
    world.wallMs += ms;
  };
  return { world, limiter: new RateLimiter(clock, options), pass };
}

describe('P8: a limit is never exceeded', () => {
  const steps = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.nat(50), fc.nat(5_000), fc.double({ min: 0, max: 100, noNaN: true })),
      wallStepMs: fc.constantFrom(0, 0, 0, TEN_YEARS_MS, -TEN_YEARS_MS),
      takes: fc.nat(4),
    }),
    { maxLength: 50, size: 'max' },
  );

  test('token bucket: grants in any window <= rate · t + burst, whatever the wall clock does', () => {
    let refusedTotal = 0;
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        (ratePerSecond, burst, pattern) => {
          const { world, limiter, pass } = simulatedLimiter({ limit: { kind: 'token_bucket', ratePerSecond, burst } });
          const grants: number[] = [];
          for (const { afterMs, wallStepMs, takes } of pattern) {
            pass(afterMs);
            world.wallMs += wallStepMs;
            for (let n = 0; n < takes; n += 1) {
              const decision = limiter.take();
              if (decision.granted) grants.push(world.monotonicMs);
              else {
                refusedTotal += 1;
                expect(decision.waitMs).toBeGreaterThan(0);
                expect(decision.waitMs).toBeLessThanOrEqual(Math.ceil(1_000 / ratePerSecond));
                expect(decision.resumeAtMs).toBe(world.wallMs + decision.waitMs);
              }
            }
          }
          grants.forEach((fromMs, first) => {
            grants
              .slice(first)
              .forEach((toMs, more) =>
                expect(more + 1).toBeLessThanOrEqual((ratePerSecond * (toMs - fromMs)) / 1_000 + burst + 1e-6),
              );
          });
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
    expect(refusedTotal).toBeGreaterThan(PROPERTY_RUNS);
  });

  test('fixed window: never more than the quota between two starts of a window, and the stated wait is enough', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 10_000 }),
        steps,
        (quota, windowMs, pattern) => {
          const { world, limiter, pass } = simulatedLimiter({ limit: { kind: 'fixed_window', quota, windowMs } });
          let startMs = 0;
          let granted = 0;
          for (const { afterMs, wallStepMs, takes } of pattern) {
            pass(afterMs);
            world.wallMs += wallStepMs;
            for (let n = 0; n < takes; n += 1) {
              if (startMs + windowMs - world.monotonicMs <= 0) [startMs, granted] = [world.monotonicMs, 0];
              const decision = limiter.take();
              if (decision.granted) granted += 1;
              else {
                pass(decision.waitMs);
                expect(limiter.take().granted).toBe(true);
                [startMs, granted] = [world.monotonicMs, 1];
              }
              expect(granted).toBeLessThanOrEqual(quota);
            }
          }
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });
});

describe('what answers teach', () => {
  const answer = (remaining: number, resetInMs: number, limit = 100, name = 'default') => ({
    windows: [{ name, limit, remaining, resetInMs }],
  });
  const takes = (limiter: RateLimiter, count: number): number =>
    Array.from({ length: count }, () => limiter.take()).filter(({ granted }) => granted).length;

  test('after an answer with 3 remaining, three more requests leave and the fourth waits for the reset', () => {
    const { limiter, pass } = simulatedLimiter({});
    limiter.learn(answer(3, 30_000));
    expect(takes(limiter, 10)).toBe(3);
    pass(29_999);
    expect(limiter.take()).toMatchObject({ granted: false, waitMs: 1 });
    pass(1);
    expect(limiter.take().granted).toBe(true);
  });

  test('an answer that was overtaken cannot give back what has been used since', () => {
    const { limiter, pass } = simulatedLimiter({});
    limiter.learn(answer(2, 30_000));
    limiter.learn(answer(50, 30_500));
    expect(takes(limiter, 10)).toBe(2);
    pass(30_000);
    limiter.learn(answer(50, 30_000));
    limiter.learn(answer(0, 1_000)); // of the window before
    expect(takes(limiter, 100)).toBe(50);
  });

  test('of several windows the tightest decides', () => {
    const { limiter } = simulatedLimiter({});
    limiter.learn({
      windows: [...answer(90, 1_000, 100, 'burst').windows, ...answer(0, 60_000, 1_000, 'daily').windows],
    });
    expect(limiter.take()).toMatchObject({ granted: false, waitMs: 60_000 });
    expect(limiter.getStats().windows.map(({ name, remaining }) => [name, remaining])).toEqual([
      ['burst', 90],
      ['daily', 0],
    ]);
  });

  test("with a share of 0.4, six tenths of the customer's quota stay theirs", () => {
    const { limiter } = simulatedLimiter({ quotaShareMax: 0.4 });
    limiter.learn(answer(100, 60_000));
    expect(takes(limiter, 100)).toBe(40);
    const known = simulatedLimiter({ quotaShareMax: 0.4, limit: { kind: 'fixed_window', quota: 10, windowMs: 1_000 } });
    expect(takes(known.limiter, 100)).toBe(4);
  });

  test('a server cannot lock a credential for longer than the named limits, nor fill memory', () => {
    const { limiter } = simulatedLimiter({});
    limiter.block(1e15);
    expect(limiter.take()).toMatchObject({ waitMs: RATE_LIMITER_LIMITS.blockMsMax });
    const { limiter: other } = simulatedLimiter({});
    for (let n = 0; n < 100; n += 1) other.learn(answer(0, 1e15, 1, `w${n}`));
    expect(other.take()).toMatchObject({ waitMs: RATE_LIMITER_LIMITS.resetMsMax });
    expect(other.getStats().windows).toHaveLength(RATE_LIMITER_LIMITS.windowsMax);
  });

  test('a shorter block does not shorten a longer one', () => {
    const { limiter } = simulatedLimiter({});
    limiter.block(10_000);
    limiter.learn({ windows: [], retryAfterMs: 1_000 });
    expect(limiter.take()).toMatchObject({ granted: false, waitMs: 10_000 });
  });
});
