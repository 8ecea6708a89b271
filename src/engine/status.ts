import type { Run, Store, StreamState } from '#core/store.ts';
import type { Guard } from '#policies/guard.ts';
import type { Activities, Progress } from './activity.ts';
import type { CallRecorder } from './call-recorder.ts';
import { streamsOf, type Connection } from './connection.ts';
import { healthOf, type Health, type HealthThresholds } from './health-status.ts';

export type ConnectionActivity =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly progress: readonly Progress[] }
  | { readonly kind: 'retrying'; readonly attempt: number; readonly attemptsMax: number; readonly nextInMs: number }
  | { readonly kind: 'waiting'; readonly untilMs: number }
  | { readonly kind: 'circuit_open'; readonly probeInMs: number };

/** Last result and activity now are two facts: one never hides the other. */
export interface ConnectionStatus {
  readonly health: Health;
  readonly activity: ConnectionActivity;
  readonly circuit: 'closed' | 'open' | 'half_open';
  /** The newest run that has an outcome. */
  readonly lastRun: Run | undefined;
  readonly lastSuccessAtMs: number | undefined;
  readonly nextRunAtMs: number | undefined;
  /** Of a run that yielded and waits. */
  readonly resumeAtMs: number | undefined;
  readonly eventsTotal: number;
  readonly deadLetters: number;
  readonly streams: readonly StreamState[];
}

export interface StatusSources {
  readonly store: Store;
  readonly recorder: CallRecorder;
  readonly activities: Activities;
  readonly thresholds: HealthThresholds;
  readonly guard: Guard;
  readonly nextRunAtMs: (stream: string) => number | undefined;
}

const RUNS_LOOKED_AT = 100;

export async function readStatus(connection: Connection, from: StatusSources): Promise<ConnectionStatus> {
  const { store, recorder, guard, thresholds } = from;
  const [metrics, runs, streams, lastSuccessAtMs, deadLetters] = await Promise.all([
    recorder.metrics(connection, thresholds.windowMs),
    store.runs.recent(connection, RUNS_LOOKED_AT),
    store.streams.list(connection),
    store.runs.lastSuccess(connection),
    store.deadLetters.count(connection),
  ]);
  const { circuit, activity } = guard.stats();
  return {
    health: healthOf(metrics, thresholds, lastFaultOf(runs, streams)),
    activity: activityOf(activity, from.activities.of(connection)),
    circuit,
    lastRun: runs.find(({ outcome }) => outcome === 'succeeded' || outcome === 'failed'),
    lastSuccessAtMs,
    nextRunAtMs: nextRunOf(connection, streams, from.nextRunAtMs),
    resumeAtMs: resumeOf(runs),
    eventsTotal: streams.reduce((sum, { eventsTotal }) => sum + eventsTotal, 0),
    deadLetters,
    streams,
  };
}

/** The failure of the newest ended run of each stream: a stream that failed and has not run since is not well, whatever its calls say. */
function lastFaultOf(runs: readonly Run[], streams: readonly StreamState[]): string | undefined {
  const judged = runs.filter(
    ({ outcome, code }) => (outcome === 'succeeded' || outcome === 'failed') && code !== 'cancelled',
  );
  const newest = newestPerStream(judged);
  const failed = newest.find(({ outcome }) => outcome === 'failed');
  if (failed !== undefined) return `${failed.stream}: ${failed.message ?? failed.code ?? 'no reason given'}`;
  // Many yielded slices of one stream can push another's failure out of sight; its count of failures cannot be.
  const hidden = streams.find(({ stream, failures }) => failures > 0 && !newest.some((run) => run.stream === stream));
  return hidden === undefined ? undefined : `${hidden.stream}: ${hidden.failures} runs in a row`;
}

function resumeOf(runs: readonly Run[]): number | undefined {
  const times = newestPerStream(runs.filter(({ outcome }) => outcome !== 'running')).map(
    ({ resumeAtMs }) => resumeAtMs,
  );
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** `runs` come newest first. */
function newestPerStream(runs: readonly Run[]): readonly Run[] {
  const newest = new Map<string, Run>();
  for (const run of runs) if (!newest.has(run.stream)) newest.set(run.stream, run);
  return [...newest.values()];
}

function activityOf(
  guarded: ReturnType<Guard['stats']>['activity'],
  progress: readonly Progress[],
): ConnectionActivity {
  if (guarded?.kind === 'open') return { kind: 'circuit_open', probeInMs: guarded.probeInMs };
  if (guarded !== undefined) return guarded;
  return progress.length > 0 ? { kind: 'running', progress } : { kind: 'idle' };
}

function nextRunOf(
  connection: Connection,
  states: readonly StreamState[],
  planned: StatusSources['nextRunAtMs'],
): number | undefined {
  const times = streamsOf(connection).map(
    (stream) => planned(stream) ?? states.find((state) => state.stream === stream)?.dueAtMs,
  );
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
