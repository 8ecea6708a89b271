import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ANOMALY_LIMITS,
  ANOMALY_RULES,
  baselineOf,
  EMPTY_STATE,
  forgetAfterGap,
  HOST_METRICS,
  severityOf,
  stepAnomaly,
  zScoreOf,
  type AnomalyChange,
  type AnomalyRule,
  type AnomalyState,
} from './anomaly.ts';

const RUNS = { numRuns: 1000 };
const CPU = ANOMALY_RULES.cpu_usage_ratio;
const { baselinePointsMin, windowPoints, historyPointsMax, episodePointsMax } = ANOMALY_LIMITS;
const LEARNING_POINTS = baselinePointsMin + windowPoints - 1;

interface Told {
  readonly at: number;
  readonly change: AnomalyChange;
}

function feed(values: readonly number[], rule: AnomalyRule = CPU, from: AnomalyState = EMPTY_STATE) {
  let state = from;
  const changes: Told[] = [];
  for (const [at, value] of values.entries()) {
    const step = stepAnomaly(state, rule, value, 1000 + at);
    state = step.state;
    if (step.change !== undefined) changes.push({ at, change: step.change });
  }
  return {
    state,
    changes,
    told: changes.map(
      ({ at, change }) => `${at} ${change.change}${change.change === 'closed' ? ` ${change.end}` : ''}`,
    ),
  };
}

/** Same statistics the slow way: two passes over a Kahan sum, no floor hidden in it. */
function slowBaseline(points: readonly number[], rule: AnomalyRule) {
  const sumOf = (values: readonly number[]): number => {
    let sum = 0;
    let lost = 0;
    for (const value of values) {
      const next = value - lost;
      const total = sum + next;
      lost = total - sum - next;
      sum = total;
    }
    return sum;
  };
  const mean = sumOf(points) / points.length;
  const sigma = Math.sqrt(sumOf(points.map((point) => (point - mean) * (point - mean))) / (points.length - 1));
  const floors = [sigma, Math.abs(mean) / 100, rule.deviationMin / rule.thresholdSigma].sort((a, b) => a - b);
  return { mean, sigma: floors.at(-1) ?? Number.NaN };
}

const value = fc.double({ min: 0, max: 100, noNaN: true });
const rule = fc.constantFrom(...Object.values(ANOMALY_RULES));

describe('baselineOf and zScoreOf', () => {
  it('agree with a slow reference (P26)', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: baselinePointsMin, maxLength: historyPointsMax }),
        value,
        rule,
        (points, current, any) => {
          const expected = slowBaseline(points, any);
          const found = baselineOf(points, any);
          if (found === undefined) throw new Error('no baseline');
          expect(found.mean).toBeCloseTo(expected.mean, 9);
          expect(found.sigma).toBeCloseTo(expected.sigma, 9);
          expect(zScoreOf(current, found)).toBeCloseTo((current - expected.mean) / expected.sigma, 6);
        },
      ),
      RUNS,
    );
  });

  it('give no baseline below the least number of points', () => {
    for (let count = 0; count < baselinePointsMin; count += 1)
      expect(baselineOf(Array(count).fill(1), CPU)).toBeUndefined();
    expect(baselineOf(Array(baselinePointsMin).fill(1), CPU)).toBeDefined();
  });

  it('reach the threshold only when the value rose by the least deviation', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: baselinePointsMin }), value, rule, (points, current, any) => {
        const baseline = baselineOf(points, any);
        if (baseline === undefined || severityOf(zScoreOf(current, baseline), any) === undefined) return;
        expect(current - baseline.mean).toBeGreaterThanOrEqual(any.deviationMin * (1 - 1e-9));
      }),
      RUNS,
    );
  });
});

describe('severityOf', () => {
  it.each([
    [2, undefined],
    [2.01, 'medium'],
    [3, 'medium'],
    [3.01, 'high'],
    [4, 'high'],
    [4.01, 'critical'],
    [-9, undefined],
    [Infinity, 'critical'],
  ])('of z = %d with a threshold of 2 is %s', (z, severity) => expect(severityOf(z, CPU)).toBe(severity));

  it('takes more to be reached by latency', () => {
    expect(severityOf(2.4, ANOMALY_RULES.event_loop_delay_seconds)).toBeUndefined();
    expect(severityOf(2.6, ANOMALY_RULES.event_loop_delay_seconds)).toBe('medium');
  });
});

describe('stepAnomaly', () => {
  const quiet = Array.from({ length: LEARNING_POINTS }, (_, at) => 0.1 + 0.01 * (at % 3));

  it('opens one episode for a lasting rise and closes it when the value is back', () => {
    const { told, changes } = feed([...quiet, 0.9, 0.95, 0.92, 0.93, 0.12, 0.11]);
    expect(told).toEqual([`${LEARNING_POINTS + 1} opened`, `${LEARNING_POINTS + 4} closed recovered`]);
    expect(changes.at(-1)?.change.episode).toMatchObject({
      startedAtMs: 1000 + LEARNING_POINTS + 1,
      peak: 0.95,
      points: 4,
    });
  });

  it('does not open for a single spike, and does for two of three', () => {
    expect(feed([...quiet, 0.9, 0.1, 0.1, 0.9, 0.1]).told).toEqual([]);
    expect(feed([...quiet, 0.9, 0.1, 0.9]).told).toEqual([`${LEARNING_POINTS + 2} opened`]);
  });

  it('does not close between the threshold and the lower bound', () => {
    const { told, state } = feed([...quiet, 0.9, 0.9, 0.28, 0.28, 0.28]);
    expect(told).toEqual([`${LEARNING_POINTS + 1} opened`]);
    expect(state.episode).not.toBeNull();
    expect(feed([0.2], CPU, state).told).toEqual(['0 closed recovered']);
  });

  it('judges nothing before there is a baseline, the latest points not counted', () => {
    expect(feed([...quiet.slice(0, -1), 0.9, 0.9]).told).toEqual([]);
    expect(feed([...quiet, 0.9, 0.9]).told).toHaveLength(1);
  });

  it('keeps the value that is judged out of its own baseline', () => {
    const { state } = feed(quiet);
    const step = stepAnomaly(state, CPU, 1000, 0);
    const baseline = baselineOf(quiet.slice(0, baselinePointsMin), CPU);
    expect(baseline && step.z).toBe(baseline && zScoreOf(1000, baseline));
  });

  it('never alarms on a constant series, nor on an idle machine that works a little', () => {
    const { cpu_usage_ratio: cpu, event_loop_delay_seconds: loop } = ANOMALY_RULES;
    expect(feed(Array(200).fill(0.5)).told).toEqual([]);
    expect(feed([...Array(50).fill(0.01), ...Array(50).fill(0.04)], cpu).told).toEqual([]);
    expect(feed([...Array(50).fill(0.0001), ...Array(50).fill(0.01)], loop).told).toEqual([]);
  });

  it('does not alarm on a fall', () => {
    for (const metric of HOST_METRICS)
      expect(feed([...Array(50).fill(0.9), ...Array(50).fill(0)], ANOMALY_RULES[metric]).told).toEqual([]);
  });

  it('takes a level that lasts for the usual one, and alarms from there on', () => {
    const lasting = Array(episodePointsMax + 50).fill(0.6);
    const { told, state } = feed([...quiet, ...lasting]);
    expect(told).toEqual([`${LEARNING_POINTS + 1} opened`, `${LEARNING_POINTS + episodePointsMax} closed new_normal`]);
    expect(feed([0.95, 0.95], CPU, state).told).toEqual(['1 opened']);
  });

  it('leaves NaN and infinite values out and counts them', () => {
    const { state, told } = feed([...quiet, NaN, Infinity, -Infinity, 0.9, NaN, 0.9]);
    expect(state.excluded).toBe(4);
    expect(state.history.every(Number.isFinite)).toBe(true);
    expect(told).toEqual([`${LEARNING_POINTS + 5} opened`]);
  });

  it('for any series opens and closes in turn, with a bounded state that survives JSON', () => {
    const any = fc.oneof(value, fc.constantFrom(NaN, Infinity, -Infinity, 0, 50));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 400, size: 'max' }), rule, (values, each) => {
        const { state, changes } = feed(values, each);
        expect(changes.map(({ change }) => change.change)).toEqual(
          changes.map((_, at) => (at % 2 === 0 ? 'opened' : 'closed')),
        );
        expect(state.history.length).toBeLessThanOrEqual(historyPointsMax);
        expect(state.exceeding.length).toBeLessThan(windowPoints);
        expect(state.excluded).toBe(values.filter((one) => !Number.isFinite(one)).length);
        expect(JSON.parse(JSON.stringify(state))).toEqual(state);
        const starts = changes.map(({ change }) => change.episode.startedAtMs);
        expect(new Set(starts).size).toBe(Math.ceil(changes.length / 2));
      }),
      { numRuns: 300 },
    );
  });
});

describe('forgetAfterGap', () => {
  it('ends an open episode without calling it recovered, and learns anew', () => {
    const { state } = feed([...Array(LEARNING_POINTS).fill(0.1), 0.9, 0.9, NaN]);
    const { state: after, change } = forgetAfterGap(state);
    expect(change).toMatchObject({ change: 'closed', end: 'gap', value: 0.9 });
    expect(after).toEqual({ ...EMPTY_STATE, excluded: 1 });
    expect(forgetAfterGap(EMPTY_STATE).change).toBeUndefined();
  });
});
