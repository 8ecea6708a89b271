import type { QuantileSketch } from './quantile-sketch.ts';

export interface HealthThresholds {
  /** Above it the connection is degraded, milliseconds. */
  readonly p95MsMax: number;
  /** Above it the connection is degraded, 0 to 1. */
  readonly errorRatioMax: number;
  /** From this many calls in the window on, an error rate is judged. */
  readonly callsMin: number;
  readonly windowMs: number;
}

export const ERROR_RATIO_DOWN = 0.5;

export interface HealthMetrics {
  readonly totalCalls: number;
  /** 0 to 1; 0 without calls. */
  readonly errorRatio: number;
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export type HealthState = 'healthy' | 'degraded' | 'down' | 'unknown';

export interface Health {
  readonly state: HealthState;
  /** One sentence with the measured value and the threshold. */
  readonly reason: string;
  readonly metrics: HealthMetrics;
}

export function metricsOf(succeeded: number, failed: number, durations: QuantileSketch): HealthMetrics {
  const totalCalls = succeeded + failed;
  return {
    totalCalls,
    errorRatio: totalCalls === 0 ? 0 : failed / totalCalls,
    p50Ms: durations.at(0.5),
    p95Ms: durations.at(0.95),
    p99Ms: durations.at(0.99),
  };
}

/** A pure function of what was measured: more failures never make it better (P25). `lastFault`: what the newest run failed with. */
export function healthOf(metrics: HealthMetrics, thresholds: HealthThresholds, lastFault?: string): Health {
  const { totalCalls, errorRatio, p95Ms = 0 } = metrics;
  const { p95MsMax, errorRatioMax, callsMin, windowMs } = thresholds;
  const minutes = Math.round(windowMs / 60_000);
  if (totalCalls === 0) {
    return lastFault === undefined
      ? { state: 'unknown', reason: `no calls in the last ${minutes} minutes`, metrics }
      : { state: 'down', reason: `the last run failed: ${lastFault}`, metrics };
  }
  // P25: a failed call more must not look better than no call at all.
  if (errorRatio === 1 && lastFault !== undefined)
    return { state: 'down', reason: `the last run failed: ${lastFault}`, metrics };
  const judged = totalCalls >= callsMin;
  if (judged && errorRatio > ERROR_RATIO_DOWN) {
    return { state: 'down', reason: `error rate ${percent(errorRatio)} exceeds ${percent(ERROR_RATIO_DOWN)}`, metrics };
  }
  if (lastFault !== undefined) return { state: 'degraded', reason: `the last run failed: ${lastFault}`, metrics };
  if (judged && errorRatio > errorRatioMax) {
    return {
      state: 'degraded',
      reason: `error rate ${percent(errorRatio)} exceeds ${percent(errorRatioMax)}`,
      metrics,
    };
  }
  if (p95Ms > p95MsMax)
    return { state: 'degraded', reason: `p95 latency ${Math.round(p95Ms)}ms exceeds ${p95MsMax}ms`, metrics };
  return { state: 'healthy', reason: 'all metrics within thresholds', metrics };
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)}%`;
}
