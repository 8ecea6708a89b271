import { z } from 'zod';
import {
  defineConnector,
  defineStream,
  Fault,
  versionOfTime,
  type CheckFinding,
  type ConnectorContext,
  type EventDraft,
} from '#sdk/index.ts';
import {
  ANOMALY_LIMITS,
  ANOMALY_RULES,
  EMPTY_STATE,
  forgetAfterGap,
  HOST_METRICS,
  stepAnomaly,
  type AnomalyChange,
  type AnomalyState,
  type HostMetric,
} from './anomaly.ts';
import { anomalyEventOf, sampleEventOf } from './host-events.ts';
import { cpuUsageRatioOf, readHost as readThisHost, type HostReading, type ReadHost } from './host-reading.ts';

const CALL_TIMEOUT_MS = 10_000; // statfs of a network file system that is away never answers
const INTERVAL_SECONDS_DEFAULT = 15;
const EARLY_SHARE = 0.9; // of the interval: a poll that comes a little early samples, or every second one would be lost
const GAP_POINTS_MAX = 20; // intervals without a sample after which the baseline says nothing any more…
const GAP_MS_MIN = 15 * 60_000; // …but never sooner: Weir may be polled more slowly than it could sample, or be restarted

const config = z.strictObject({
  interval_seconds: z
    .int()
    .min(1)
    .max(3600)
    .default(INTERVAL_SECONDS_DEFAULT)
    .describe('at least this long between two samples, seconds'),
});
type HostConfig = z.infer<typeof config>;

const episode = z.object({
  startedAtMs: z.number(),
  baseline: z.object({ mean: z.number(), sigma: z.number() }),
  peak: z.number(),
  peakZ: z.number(),
  points: z.int(),
});
const anomaly = z.object({
  history: z.array(z.number()).max(ANOMALY_LIMITS.historyPointsMax).readonly(),
  exceeding: z.array(z.boolean()).max(ANOMALY_LIMITS.windowPoints).readonly(),
  episode: episode.nullable(),
  excluded: z.int(),
});
const cursor = z.object({
  sampledAtMs: z.number(),
  /** Grows even when the wall clock is set back, because versions must (I4). */
  versionMs: z.number(),
  cpuTimes: z.object({ busyMs: z.number(), totalMs: z.number() }).nullable(),
  anomalies: z.partialRecord(z.enum(HOST_METRICS), anomaly),
});
type HostCursor = z.infer<typeof cursor>;

/** `readHost` is the only way numbers come in; tests give their own. */
export function hostConnector(readHost: ReadHost) {
  return defineConnector<HostConfig>({
    type: 'host',
    version: '1.0.0',
    title: 'This machine',
    stability: 'stable',
    config,
    limits: { callTimeoutMs: CALL_TIMEOUT_MS, pollIntervalMsDefault: INTERVAL_SECONDS_DEFAULT * 1000 },
    check: async (ctx) => findingsOf(await sampleOf(ctx, readHost), diskPathOf(ctx)),
    streams: {
      samples: defineStream<HostConfig, HostCursor>({
        title: 'Samples and anomalies',
        cursor,
        async *pull(ctx, from) {
          const nowMs = ctx.clock.now();
          if (from !== undefined && isTooEarly(nowMs - from.sampledAtMs, ctx.config)) return;
          const reading = await sampleOf(ctx, readHost);
          const page = pageOf(reading, from, nowMs, ctx.config);
          for (const [name, value] of page.values) if (Number.isFinite(value)) ctx.gauge(name, value);
          yield { events: page.events, cursor: page.cursor };
        },
      }),
    },
  });
}

export default hostConnector(readThisHost);

function sampleOf(ctx: ConnectorContext<HostConfig>, readHost: ReadHost): Promise<HostReading> {
  return ctx.call('sample', () => readHost(diskPathOf(ctx)));
}

function diskPathOf(ctx: ConnectorContext<HostConfig>): string {
  return ctx.allowedPaths[0] ?? '/';
}

/** A clock set back makes the elapsed time negative: then a sample is due, however long the old time stays ahead. */
function isTooEarly(elapsedMs: number, { interval_seconds }: HostConfig): boolean {
  return elapsedMs >= 0 && elapsedMs < interval_seconds * 1000 * EARLY_SHARE;
}

interface SamplePage {
  readonly values: ReadonlyMap<HostMetric, number>;
  readonly events: readonly EventDraft[];
  readonly cursor: HostCursor;
}

function pageOf(
  reading: HostReading,
  from: HostCursor | undefined,
  nowMs: number,
  { interval_seconds }: HostConfig,
): SamplePage {
  const versionMs = Math.max(nowMs, (from?.versionMs ?? 0) + 1);
  const at = { atMs: nowMs, version: versionOfTime(versionMs) };
  const elapsedMs = nowMs - (from?.sampledAtMs ?? nowMs);
  const gap = elapsedMs > Math.max(GAP_POINTS_MAX * interval_seconds * 1000, GAP_MS_MIN);
  const values = valuesOf(reading, gap ? null : (from?.cpuTimes ?? null));
  const events: EventDraft[] = [];
  const anomalies: Partial<Record<HostMetric, AnomalyState>> = {};
  const tell = (metric: HostMetric, change: AnomalyChange | undefined): void => {
    if (change !== undefined) events.push(anomalyEventOf(metric, change, at));
  };
  for (const metric of HOST_METRICS) {
    let state = from?.anomalies[metric] ?? EMPTY_STATE;
    if (gap) {
      const forgotten = forgetAfterGap(state);
      tell(metric, forgotten.change);
      state = forgotten.state;
    }
    const value = values.get(metric);
    const step = value === undefined ? undefined : stepAnomaly(state, ANOMALY_RULES[metric], value, versionMs);
    tell(metric, step?.change);
    anomalies[metric] = step?.state ?? state;
  }
  const excluded = Object.values(anomalies).reduce((sum, state) => sum + state.excluded, 0);
  events.unshift(sampleEventOf(values, reading, excluded, at));
  return { values, events, cursor: { sampledAtMs: nowMs, versionMs, cpuTimes: reading.cpuTimes, anomalies } };
}

function valuesOf(reading: HostReading, cpuBefore: HostReading['cpuTimes']): ReadonlyMap<HostMetric, number> {
  const all: Readonly<Record<HostMetric, number | null>> = {
    cpu_usage_ratio: cpuUsageRatioOf(cpuBefore, reading.cpuTimes),
    memory_used_ratio: reading.memoryUsedRatio,
    load_per_core_ratio: reading.loadPerCoreRatio,
    disk_used_ratio: reading.diskUsedRatio,
    event_loop_delay_seconds: reading.eventLoopDelaySeconds,
  };
  const found = new Map<HostMetric, number>();
  for (const metric of HOST_METRICS) {
    const value = all[metric];
    if (value !== null) found.set(metric, Math.round(value * 1e6) / 1e6); // the cursor holds hundreds of them
  }
  return found;
}

const CHECKED = {
  cpu: 'cpuTimes',
  memory: 'memoryUsedRatio',
  load: 'loadPerCoreRatio',
  disk: 'diskUsedRatio',
  'event loop': 'eventLoopDelaySeconds',
} as const;

function findingsOf(reading: HostReading, diskPath: string): readonly CheckFinding[] {
  return Object.entries(CHECKED).map(([what, member]) => {
    const shown = what === 'disk' ? `disk of ${diskPath}` : what;
    if (reading[member] !== null)
      return { ok: true, message: `${shown} can be read${what === 'cpu' ? ` (${reading.cores} cores)` : ''}` };
    const why = reading.unreadable[what] ?? 'no reason given';
    // The delay of the event loop is measured between two readings, so the first one never has it.
    if (what === 'event loop') return { ok: true, message: `${shown}: ${why}` };
    const message = `${shown} cannot be read: ${why}`;
    return { ok: false, message, fault: new Fault('source_missing', message) };
  });
}
