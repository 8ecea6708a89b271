// When is a number unusual? Pure: everything remembered is in the state, which travels in the cursor.
// One episode per anomaly: it opens when enough of the latest points stand out and closes when the value is back near where
// the baseline was at its opening.

export const HOST_METRICS = [
  'cpu_usage_ratio',
  'memory_used_ratio',
  'load_per_core_ratio',
  'disk_used_ratio',
  'event_loop_delay_seconds',
] as const;
export type HostMetric = (typeof HOST_METRICS)[number];

export interface AnomalyRule {
  /** Distance from the mean in standard deviations; 1 × is medium, 1.5 × high, 2 × critical. */
  readonly thresholdSigma: number;
  /** A smaller rise is no anomaly whatever the statistics say: an idle machine that works a little is fine. */
  readonly deviationMin: number;
}

// Latency scatters more than the rest, so it takes more to stand out. Only rises count: an idle processor is no incident.
export const ANOMALY_RULES: Readonly<Record<HostMetric, AnomalyRule>> = {
  cpu_usage_ratio: { thresholdSigma: 2, deviationMin: 0.2 },
  memory_used_ratio: { thresholdSigma: 2, deviationMin: 0.05 },
  load_per_core_ratio: { thresholdSigma: 2, deviationMin: 0.5 },
  disk_used_ratio: { thresholdSigma: 2, deviationMin: 0.02 },
  event_loop_delay_seconds: { thresholdSigma: 2.5, deviationMin: 0.05 },
};

export const ANOMALY_LIMITS = {
  baselinePointsMin: 8, // fewer say nothing about what is usual
  historyPointsMax: 120, // half an hour at the default interval
  windowPoints: 3, // the latest points, the current one included; they are judged, so they are not part of the baseline
  exceedingPointsMin: 2, // of the window: one spike is no episode
  closeShare: 0.5, // an episode ends below this share of what opens one, or it would flutter around the threshold
  episodePointsMax: 240, // an hour at the default interval; then the new level is the usual one
} as const;

const MEAN_SHARE_MIN = 0.01; // σ is at least this share of |mean|: constant series would alarm at any noise

export type AnomalySeverity = 'medium' | 'high' | 'critical';

export interface Baseline {
  readonly mean: number;
  /** Sample standard deviation, or the floor that keeps small noise silent when that is larger. */
  readonly sigma: number;
}

/** `recovered`: the value came back. `new_normal`: it stayed until it was usual. `gap`: nobody looked long enough to tell. */
export type EpisodeEnd = 'recovered' | 'new_normal' | 'gap';

export type Episode = {
  readonly startedAtMs: number;
  readonly baseline: Baseline;
  readonly peak: number;
  readonly peakZ: number;
  readonly points: number;
};

export type AnomalyState = {
  /** Latest finite values, oldest first. */
  readonly history: readonly number[];
  /** Which of the latest points before the next one exceeded. */
  readonly exceeding: readonly boolean[];
  readonly episode: Episode | null;
  /** NaN and infinite values met so far: left out of everything else. */
  readonly excluded: number;
};

export type AnomalyChange =
  | { readonly change: 'opened'; readonly episode: Episode; readonly value: number }
  | { readonly change: 'closed'; readonly episode: Episode; readonly value: number; readonly end: EpisodeEnd };

export interface AnomalyStep {
  readonly state: AnomalyState;
  /** Undefined while there is no baseline, and for values that are excluded. */
  readonly z: number | undefined;
  readonly change: AnomalyChange | undefined;
}

export const EMPTY_STATE: AnomalyState = { history: [], exceeding: [], episode: null, excluded: 0 };

/** Undefined below `baselinePointsMin` points. */
export function baselineOf(points: readonly number[], rule: AnomalyRule): Baseline | undefined {
  if (points.length < ANOMALY_LIMITS.baselinePointsMin) return undefined;
  const mean = points.reduce((sum, point) => sum + point, 0) / points.length;
  const squares = points.reduce((sum, point) => sum + (point - mean) ** 2, 0);
  const sigma = Math.sqrt(squares / (points.length - 1));
  // deviationMin through the threshold: reaching the threshold then always means having risen by deviationMin.
  return { mean, sigma: Math.max(sigma, MEAN_SHARE_MIN * Math.abs(mean), rule.deviationMin / rule.thresholdSigma) };
}

export function zScoreOf(value: number, baseline: Baseline): number {
  return (value - baseline.mean) / baseline.sigma;
}

/** Undefined up to the threshold. */
export function severityOf(z: number, rule: AnomalyRule): AnomalySeverity | undefined {
  const times = z / rule.thresholdSigma;
  if (times > 2) return 'critical';
  if (times > 1.5) return 'high';
  return times > 1 ? 'medium' : undefined;
}

export function stepAnomaly(state: AnomalyState, rule: AnomalyRule, value: number, atMs: number): AnomalyStep {
  if (!Number.isFinite(value))
    return { state: { ...state, excluded: state.excluded + 1 }, z: undefined, change: undefined };
  const history = [...state.history, value].slice(-ANOMALY_LIMITS.historyPointsMax);
  // Frozen while an episode is open: otherwise a lasting rise would widen its own baseline and look like a recovery.
  const baseline =
    state.episode?.baseline ?? baselineOf(state.history.slice(0, -(ANOMALY_LIMITS.windowPoints - 1)), rule);
  const z = baseline === undefined ? undefined : zScoreOf(value, baseline);
  const window = [...state.exceeding, z !== undefined && severityOf(z, rule) !== undefined].slice(
    -ANOMALY_LIMITS.windowPoints,
  );
  const next: AnomalyState = { ...state, history, exceeding: window.slice(-(ANOMALY_LIMITS.windowPoints - 1)) };
  if (baseline === undefined || z === undefined) return { state: next, z, change: undefined };
  if (state.episode !== null) return continueEpisode(next, state.episode, rule, value, z);
  const opens = window.at(-1) === true && window.filter(Boolean).length >= ANOMALY_LIMITS.exceedingPointsMin;
  if (!opens) return { state: next, z, change: undefined };
  const episode: Episode = { startedAtMs: atMs, baseline, peak: value, peakZ: z, points: 1 };
  return { state: { ...next, episode }, z, change: { change: 'opened', episode, value } };
}

function continueEpisode(
  state: AnomalyState,
  before: Episode,
  rule: AnomalyRule,
  value: number,
  z: number,
): AnomalyStep {
  const peak = value > before.peak ? { peak: value, peakZ: z } : {};
  const episode: Episode = { ...before, ...peak, points: before.points + 1 };
  const end = endOf(episode, rule, z);
  if (end === undefined) return { state: { ...state, episode }, z, change: undefined };
  return { state: { ...state, episode: null, exceeding: [] }, z, change: { change: 'closed', episode, value, end } };
}

function endOf(episode: Episode, rule: AnomalyRule, z: number): EpisodeEnd | undefined {
  if (z < rule.thresholdSigma * ANOMALY_LIMITS.closeShare) return 'recovered';
  return episode.points >= ANOMALY_LIMITS.episodePointsMax ? 'new_normal' : undefined;
}

/** After a time without samples: what was usual before says nothing now, and an open episode ends without a verdict. */
export function forgetAfterGap(state: AnomalyState): {
  readonly state: AnomalyState;
  readonly change: AnomalyChange | undefined;
} {
  const { episode, excluded } = state;
  const change: AnomalyChange | undefined =
    episode === null
      ? undefined
      : { change: 'closed', episode, value: state.history.at(-1) ?? episode.peak, end: 'gap' };
  return { state: { ...EMPTY_STATE, excluded }, change };
}
