// Every metric of Weir, in one table: names and labels are what dashboards and alert rules rely on. Labels are bounded sets,
// never ids, URLs or texts; a series exists as 0 from the start wherever its labels are known, or alerts on it never fire.

import { FAULTS, type FaultCode } from '#core/fault.ts';

export interface MetricRow {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly LabelName[];
  /** Upper bounds in seconds. */
  readonly buckets?: readonly number[];
  /** False where 0 would be a claim (an unknown age is not an age of zero) or the combinations too many. */
  readonly seeded?: false;
}

/** Values a label can take. An open label (null) takes names of the configuration, up to `labelValuesMax`. */
export const LABELS = {
  connector: null,
  stream: null,
  sink: null,
  worker: null,
  tenant: null,
  operation: null,
  version: null,
  commit: null,
  outcome: ['succeeded', 'failed', 'refused'], // refused: an open breaker or a limit kept the call from being made
  state: ['closed', 'open', 'half_open'],
  result: ['written', 'stale', 'retry', 'reject'],
  fault: faultsThat((code) => FAULTS[code].retry !== 'never'),
  condition: ['delivering', 'waiting', 'refusing', 'detached'],
  level: ['ok', 'low', 'full'],
  // Why a dead letter came, or how it went.
  reason: [...faultsThat(() => true), 'expired', 'evicted', 'discarded', 'replayed'],
} as const satisfies Record<string, readonly string[] | null>;

export type LabelName = keyof typeof LABELS;

const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const JOB_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900];

export const METRICS = {
  scheduler_runs_total: { kind: 'counter', help: 'Runs that ended, by connector.', labels: ['connector'] },
  scheduler_failures_total: { kind: 'counter', help: 'Runs that ended failed, by connector.', labels: ['connector'] },
  worker_jobs_inflight: { kind: 'gauge', help: 'Runs in progress.', labels: [] },
  worker_job_duration_seconds: { kind: 'histogram', help: 'Duration of one run.', labels: [], buckets: JOB_SECONDS },
  worker_heartbeat_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the worker last showed it is alive, Unix time.',
    labels: ['worker'],
  },
  connector_requests_total: { kind: 'counter', help: 'Outward calls.', labels: ['connector', 'operation', 'outcome'] },
  connector_request_duration_seconds: {
    kind: 'histogram',
    help: 'Duration of outward calls.',
    labels: ['connector', 'operation', 'outcome'],
    buckets: CALL_SECONDS,
  },
  connector_circuit_state: {
    kind: 'gauge',
    help: '1 for the state the circuit is in, 0 for the others.',
    labels: ['connector', 'state'],
  },
  connector_retries_total: {
    kind: 'counter',
    help: 'Calls made again, by the fault before.',
    labels: ['connector', 'fault'],
  },
  connector_last_success_timestamp_seconds: {
    kind: 'gauge',
    help: 'End of the last run that succeeded, Unix time; 0: never.',
    labels: ['connector', 'stream'],
  },
  connector_cursor_age_seconds: {
    kind: 'gauge',
    help: 'Time since the cursor last moved.',
    labels: ['connector', 'stream'],
    seeded: false,
  },
  queue_depth: { kind: 'gauge', help: 'Events that at least one sink has not settled.', labels: [] },
  queue_capacity: { kind: 'gauge', help: 'Events the log may hold.', labels: [] },
  queue_usage_ratio: { kind: 'gauge', help: 'Depth through capacity.', labels: [] },
  queue_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest event that is not settled; 0: none waits.',
    labels: [],
  },
  queue_backpressure: { kind: 'gauge', help: '1 while pulls pause because the log is full.', labels: [] },
  queue_tenant_usage_ratio: {
    kind: 'gauge',
    help: 'Backlog of a tenant through its share, of the tenants with the fullest ones; with several tenants only.',
    labels: ['tenant'],
    seeded: false,
  },
  events_appended_total: { kind: 'counter', help: 'Events made durable.', labels: ['connector'] },
  events_duplicate_total: { kind: 'counter', help: 'Events that were known already.', labels: ['connector'] },
  events_dead_total: { kind: 'counter', help: 'Events and raw records kept as dead letters.', labels: ['connector'] },
  dlq_depth: { kind: 'gauge', help: 'Dead letters kept.', labels: ['sink', 'reason'], seeded: false },
  dlq_removed_total: {
    kind: 'counter',
    help: 'Dead letters that went: past their age, above the number kept, given up by an operator, taken by their sink.',
    labels: ['reason'],
  },
  sink_writes_total: { kind: 'counter', help: 'Write results, one per event.', labels: ['sink', 'result'] },
  sink_write_duration_seconds: {
    kind: 'histogram',
    help: 'Duration of one batch written.',
    labels: ['sink'],
    buckets: CALL_SECONDS,
  },
  sink_suspect_attempts: {
    kind: 'gauge',
    help: 'Counted tries so far of the event that fails alone while its sink takes others, the most of any; 0: none does.',
    labels: ['sink'],
  },
  sink_state: {
    kind: 'gauge',
    help: '1 for what the sink does, 0 for the others.',
    labels: ['sink', 'condition'],
  },
  sink_lag_events: { kind: 'gauge', help: 'Events the sink has not settled.', labels: ['sink'] },
  lease_fenced_total: { kind: 'counter', help: 'Writes refused because the lease had another owner.', labels: [] },
  disk_free_bytes: { kind: 'gauge', help: 'Room left on the disk of the data.', labels: [], seeded: false },
  disk_ballast_bytes: { kind: 'gauge', help: 'Room held back for when the disk is full.', labels: [] },
  disk_state: {
    kind: 'gauge',
    help: '1 for the state the disk is in, 0 for the others: pulls pause when it is low, intake refuses when it is full.',
    labels: ['level'],
  },
  storage_wal_bytes: { kind: 'gauge', help: 'Size of the write-ahead log.', labels: [] },
  weir_build_info: {
    kind: 'gauge',
    help: 'Always 1; the labels tell what runs.',
    labels: ['version', 'commit'],
    seeded: false,
  },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;
type NamesOf<Kind extends MetricRow['kind']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

type LabelValue<Name extends LabelName> = (typeof LABELS)[Name] extends readonly (infer Value)[] ? Value : string;
/** Exactly the labels of that metric, with the values they can take. */
export type LabelsOf<Name extends MetricName> = {
  readonly [Label in (typeof METRICS)[Name]['labels'][number]]: LabelValue<Label>;
};

function faultsThat(matches: (code: FaultCode) => boolean): readonly FaultCode[] {
  // Object.keys widens to string; the table's keys are the codes by definition.
  return (Object.keys(FAULTS) as FaultCode[]).filter(matches);
}
