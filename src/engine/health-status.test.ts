import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { healthOf, type HealthMetrics, type HealthState, type HealthThresholds } from './health-status.ts';

const THRESHOLDS: HealthThresholds = { p95MsMax: 2000, errorRatioMax: 0.1, callsMin: 10, windowMs: 3_600_000 };
const BADNESS: Readonly<Record<Exclude<HealthState, 'unknown'>, number>> = { healthy: 0, degraded: 1, down: 2 };

function measured(succeeded: number, failed: number, p95Ms = 100): HealthMetrics {
  const totalCalls = succeeded + failed;
  return { totalCalls, errorRatio: totalCalls === 0 ? 0 : failed / totalCalls, p50Ms: p95Ms, p95Ms, p99Ms: p95Ms };
}

const stateOf = (metrics: HealthMetrics, lastFault?: string): HealthState =>
  healthOf(metrics, THRESHOLDS, lastFault).state;
const badnessOf = (state: HealthState): number | undefined => (state === 'unknown' ? undefined : BADNESS[state]);
const lastFault = fc.option(fc.constant('docs: it failed'), { nil: undefined });

function expectNoBetter(before: HealthState, after: HealthState): void {
  const [was, is] = [badnessOf(before), badnessOf(after)];
  if (was !== undefined) expect(is).toBeGreaterThanOrEqual(was);
}

describe('health (P25)', () => {
  test('without calls and without a failed run nothing is known', () => {
    expect(healthOf(measured(0, 0), THRESHOLDS)).toMatchObject({
      state: 'unknown',
      reason: 'no calls in the last 60 minutes',
    });
  });

  test('a failed run is seen even when it made no call', () => {
    expect(stateOf(measured(0, 0), 'docs: no such folder')).not.toBe('healthy');
    expect(healthOf(measured(0, 0), THRESHOLDS, 'docs: no such folder').reason).toContain('docs: no such folder');
  });

  test.for([
    { succeeded: 90, failed: 10, state: 'healthy' },
    { succeeded: 89, failed: 11, state: 'degraded' },
    { succeeded: 50, failed: 50, state: 'degraded' },
    { succeeded: 49, failed: 51, state: 'down' },
    { succeeded: 0, failed: 9, state: 'healthy' }, // too few to judge a rate
    { succeeded: 0, failed: 10, state: 'down' },
  ] as const)('$succeeded calls that succeeded and $failed that failed are $state', ({ succeeded, failed, state }) => {
    expect(stateOf(measured(succeeded, failed))).toBe(state);
  });

  test('a p95 at its threshold is within it, above it degraded', () => {
    expect(stateOf(measured(20, 0, 2000))).toBe('healthy');
    expect(healthOf(measured(20, 0, 2001), THRESHOLDS)).toMatchObject({
      state: 'degraded',
      reason: 'p95 latency 2001ms exceeds 2000ms',
    });
  });

  test('the reason of an error rate names the value and the threshold', () => {
    expect(healthOf(measured(80, 20), THRESHOLDS).reason).toBe('error rate 20.0% exceeds 10.0%');
  });

  test('one more failed call never makes it better', () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.nat(60),
        fc.integer({ min: 1, max: 4000 }),
        lastFault,
        (succeeded, failed, p95Ms, fault) => {
          expectNoBetter(
            stateOf(measured(succeeded, failed, p95Ms), fault),
            stateOf(measured(succeeded, failed + 1, p95Ms), fault),
          );
        },
      ),
      {
        numRuns: 2000,
        examples: [
          [0, 0, 100, 'docs: it failed'],
          [9, 0, 100, undefined],
        ],
      },
    );
  });

  test('a failed run never makes it better', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 4000 }), (succeeded, failed, p95Ms) => {
        const metrics = measured(succeeded, failed, p95Ms);
        expectNoBetter(stateOf(metrics), stateOf(metrics, 'docs: it failed'));
      }),
    );
  });

  test('it is a function: the same measurements give the same health', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), lastFault, (succeeded, failed, fault) => {
        const metrics = measured(succeeded, failed);
        expect(healthOf(metrics, THRESHOLDS, fault)).toEqual(healthOf({ ...metrics }, { ...THRESHOLDS }, fault));
      }),
    );
  });
});
