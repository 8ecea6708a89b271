import type { EventDraft, JsonObject } from '#sdk/index.ts';
import { ANOMALY_RULES, severityOf, type AnomalyChange, type EpisodeEnd, type HostMetric } from './anomaly.ts';
import type { HostReading } from './host-reading.ts';

export interface EventMoment {
  readonly atMs: number;
  readonly version: number;
}

interface Shown {
  readonly word: string;
  readonly unit: 'percent' | 'number' | 'milliseconds';
}

const SHOWN: Readonly<Record<HostMetric, Shown>> = {
  cpu_usage_ratio: { word: 'cpu', unit: 'percent' },
  memory_used_ratio: { word: 'memory', unit: 'percent' },
  load_per_core_ratio: { word: 'load', unit: 'number' },
  disk_used_ratio: { word: 'disk', unit: 'percent' },
  event_loop_delay_seconds: { word: 'loop', unit: 'milliseconds' },
};

/** The machine's state now: one entity, `sample`, whose every version is one sample. */
export function sampleEventOf(
  values: ReadonlyMap<HostMetric, number>,
  reading: HostReading,
  excluded: number,
  at: EventMoment,
): EventDraft {
  const finite = [...values].filter(([, value]) => Number.isFinite(value));
  const title = finite.map(([metric, value]) => `${SHOWN[metric].word} ${textOf(metric, value)}`).join(' · ');
  return {
    kind: 'record',
    op: 'upsert',
    key: 'sample',
    version: at.version,
    time: new Date(at.atMs).toISOString(),
    severity: 'low',
    title: title === '' ? 'nothing could be read' : title,
    data: {
      ...Object.fromEntries(finite),
      cores: reading.cores,
      excluded_total: excluded,
      unreadable: reading.unreadable,
    },
  };
}

/** One entity per episode: its first version says that it began, the second how it ended. */
export function anomalyEventOf(metric: HostMetric, change: AnomalyChange, at: EventMoment): EventDraft {
  const { episode, value } = change;
  const { word } = SHOWN[metric];
  const time = new Date(at.atMs).toISOString();
  const data: JsonObject = {
    metric,
    state: change.change === 'opened' ? 'open' : 'closed',
    started_at: new Date(episode.startedAtMs).toISOString(),
    value,
    peak: episode.peak,
    peak_sigma: rounded(episode.peakZ),
    baseline_mean: rounded(episode.baseline.mean),
    baseline_sigma: rounded(episode.baseline.sigma),
    samples: episode.points,
    ...(change.change === 'closed' ? { end: change.end } : {}),
    ...(change.change === 'closed' && change.end !== 'gap' ? { ended_at: time } : {}), // in a gap nobody knows when
  };
  return {
    kind: 'signal',
    op: 'upsert',
    key: `anomaly:${metric}:${episode.startedAtMs}`,
    version: at.version,
    time,
    // Of the peak: an episode that is over was as bad as its worst moment.
    severity: severityOf(episode.peakZ, ANOMALY_RULES[metric]) ?? 'medium',
    title:
      change.change === 'opened'
        ? openedTitle(metric, change)
        : `${word} ${ENDS[change.end]} ${textOf(metric, value)} (peak ${textOf(metric, episode.peak)})`,
    tags: ['anomaly', word],
    data,
  };
}

const ENDS: Readonly<Record<EpisodeEnd, string>> = {
  recovered: 'back to',
  new_normal: 'now usual at',
  gap: 'no longer watched, last seen at',
};

function openedTitle(metric: HostMetric, { value, episode }: AnomalyChange): string {
  const usual = textOf(metric, episode.baseline.mean);
  return `${SHOWN[metric].word} unusually high: ${textOf(metric, value)} (usual ${usual}, ${episode.peakZ.toFixed(1)} σ above)`;
}

function textOf(metric: HostMetric, value: number): string {
  const { unit } = SHOWN[metric];
  if (unit === 'percent') return `${Math.round(value * 100)} %`;
  return unit === 'number' ? value.toFixed(1) : `${(value * 1000).toFixed(1)} ms`;
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
