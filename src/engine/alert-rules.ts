// What is worth waking somebody for, in one table. Weir evaluates it by itself; deploy/prometheus/weir-rules.yml and the
// dashboard are written from the same rows, so a threshold cannot say two things.

import type { ConnectionRef } from '#core/names.ts';
import type { DiskState } from './disk-guard.ts';
import { HEARTBEAT_LATE_MS } from './heartbeat.ts';

const MIN = 60_000;

/** What a rule judges. Counts are of the time before now, measured on the monotonic clock. */
export interface AlertFacts {
  /** 0 to 1. */
  readonly queueUsageRatio: number;
  /** Of the oldest event that a sink has not settled; 0: none waits. */
  readonly queueOldestAgeMs: number;
  /** Absent: the data is in memory. */
  readonly disk?: DiskState | undefined;
  /** Sinks that refuse every event. */
  readonly sinksRefusing: number;
  /** Since the last heartbeat that was written. */
  readonly heartbeatAgeMs: number;
  /** Enabled connectors only. */
  readonly connectors: readonly ConnectorFacts[];
}

export interface ConnectorFacts extends ConnectionRef {
  readonly circuit: 'closed' | 'open' | 'half_open';
  /** Within ALERT_WINDOWS.callsMs. */
  readonly calls: { readonly total: number; readonly failed: number };
  /** Kept within ALERT_WINDOWS.deadLettersMs. */
  readonly deadLettersNew: number;
  /** Within ALERT_WINDOWS.webhooksMs. Absent: nothing receives webhooks. */
  readonly webhooks?: { readonly total: number; readonly failed: number };
}

export const ALERT_WINDOWS = { callsMs: 5 * MIN, deadLettersMs: 15 * MIN, webhooksMs: 60 * MIN } as const;

/** Below it a ratio says nothing: one failure out of one call is not an error rate of 100 %. */
export const ALERT_CALLS_MIN = 10;

/** What one rule measured of one subject; the rule is met while `value` exceeds its threshold. */
export interface Reading {
  /** Absent: the instance as a whole. */
  readonly connector?: ConnectionRef;
  readonly value: number;
}

export interface AlertRule {
  readonly name: AlertRuleName;
  /** Name of the alert in Prometheus. */
  readonly title: string;
  readonly severity: 'critical' | 'warning';
  /** Whether somebody is to be woken. */
  readonly page: boolean;
  readonly threshold: number;
  /** How long it must be met without a break before it fires. */
  readonly forMs: number;
  /** How long it must not be met without a break before it is resolved: what flutters is one alert, not many. */
  readonly keepFiringMs: number;
  /** One line; `{subject}` stands for the connector, `{value}` for what was measured. */
  readonly summary: string;
  readonly valueForm: 'percent' | 'seconds' | 'count';
  readonly description: string;
  /** Heading of docs/operating.md, as its anchor. */
  readonly runbook: string;
  /** PromQL over the metrics of docs/metrics.md. Absent: the metric does not exist yet. */
  readonly expr?: string;
  read(facts: AlertFacts): readonly Reading[];
  /** Why it cannot be judged now. Absent or undefined: it is judged. */
  inactive?(facts: AlertFacts): string | undefined;
}

export const ALERT_RULE_NAMES = [
  'circuit_open',
  'queue_full',
  'events_waiting',
  'disk_low',
  'disk_full',
  'sink_refusing',
  'error_rate',
  'webhook_failures',
  'heartbeat_late',
  'dead_letters_growing',
] as const;
export type AlertRuleName = (typeof ALERT_RULE_NAMES)[number];

const QUEUE_USAGE_RATIO = 0.9;
const WAITING_S = 15 * 60;
const ERROR_RATIO = 0.1;
const WEBHOOK_FAILURE_RATIO = 0.5;
const KEEP_FIRING_MS = MIN;
/** Calls that were made; those an open circuit refused say nothing about the other side. */
const CALLS_MADE = `sum by (connector) (increase(connector_requests_total{outcome=~"succeeded|failed"}[${promDuration(ALERT_WINDOWS.callsMs)}]))`;
const CALLS_FAILED = `sum by (connector) (increase(connector_requests_total{outcome="failed"}[${promDuration(ALERT_WINDOWS.callsMs)}]))`;
const DEAD_WINDOW = promDuration(ALERT_WINDOWS.deadLettersMs);

export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: 'circuit_open',
    title: 'WeirCircuitOpen',
    severity: 'critical',
    page: true,
    threshold: 0,
    forMs: 5 * MIN,
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the circuit of {subject} has not been closed for 5 minutes',
    valueForm: 'count',
    description:
      'Calls are paused after repeated failures and the trials fail too: the other system has a lasting problem.',
    runbook: 'circuit-open',
    // Half open counts as well: an outage is one stretch, whatever trials are made in it.
    expr: 'max by (connector) (connector_circuit_state{state=~"open|half_open"}) > 0',
    read: ({ connectors }) =>
      connectors.map((one) => ({ connector: refOf(one), value: one.circuit === 'closed' ? 0 : 1 })),
  },
  {
    name: 'queue_full',
    title: 'WeirQueueNearlyFull',
    severity: 'warning',
    page: false,
    threshold: QUEUE_USAGE_RATIO,
    forMs: 10 * MIN,
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the event log is {value} full',
    valueForm: 'percent',
    description: 'Sinks are behind. Pulls pause at 80 %; at 100 % nothing more is accepted. Nothing is dropped.',
    runbook: 'queue-nearly-full',
    expr: `queue_usage_ratio > ${QUEUE_USAGE_RATIO}`,
    read: ({ queueUsageRatio }) => [{ value: queueUsageRatio }],
  },
  {
    name: 'events_waiting',
    title: 'WeirEventsWaiting',
    severity: 'warning',
    page: false,
    threshold: WAITING_S,
    forMs: MIN, // a machine that has slept catches up in less
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the oldest event has been waiting for a sink for {value}',
    valueForm: 'seconds',
    description:
      'A sink takes nothing, or one of its partitions is stuck. Until it is repaired the event log fills for all.',
    runbook: 'events-waiting',
    expr: `queue_oldest_age_seconds > ${WAITING_S}`,
    read: ({ queueOldestAgeMs }) => [{ value: queueOldestAgeMs / 1000 }],
  },
  {
    name: 'disk_low',
    title: 'WeirDiskLow',
    severity: 'warning',
    page: false,
    threshold: 0,
    forMs: 0, // the marks have room between them
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the disk of the data directory is nearly full',
    valueForm: 'count',
    description: 'Pulls pause until there is more room; what is in the event log is still delivered.',
    runbook: 'disk-nearly-full',
    // Full counts as well: from low to full is no recovery.
    expr: 'sum(disk_state{level=~"low|full"}) > 0',
    read: ({ disk }) => [{ value: disk === 'low' || disk === 'full' ? 1 : 0 }],
    inactive: noDisk,
  },
  {
    name: 'disk_full',
    title: 'WeirDiskFull',
    severity: 'critical',
    page: true,
    threshold: 0,
    forMs: 0,
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the disk of the data directory is full',
    valueForm: 'count',
    description: 'Nothing more is accepted. The ballast has been given back, so that the event log still drains.',
    runbook: 'disk-nearly-full',
    expr: 'disk_state{level="full"} > 0',
    read: ({ disk }) => [{ value: disk === 'full' ? 1 : 0 }],
    inactive: noDisk,
  },
  {
    name: 'sink_refusing',
    title: 'WeirSinkRefusing',
    severity: 'critical',
    page: true,
    threshold: 0,
    forMs: 0, // it is a verdict already
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'sinks that refuse every event: {value}',
    valueForm: 'count',
    description:
      'As a rule the address or the settings of the sink are wrong. Its events wait until an operator has acted.',
    runbook: 'sink-refusing',
    expr: 'max by (sink) (sink_state{condition="refusing"}) > 0',
    read: ({ sinksRefusing }) => [{ value: sinksRefusing }],
  },
  {
    name: 'error_rate',
    title: 'WeirErrorRateHigh',
    severity: 'critical',
    page: true,
    threshold: ERROR_RATIO,
    forMs: 0, // the five minutes are the window it is measured over
    keepFiringMs: KEEP_FIRING_MS,
    summary: '{value} of the calls of {subject} failed within 5 minutes',
    valueForm: 'percent',
    description: `More than one call in ten failed within 5 minutes, of at least ${ALERT_CALLS_MIN} calls.`,
    runbook: 'high-error-rate',
    expr: `${CALLS_FAILED} / ${CALLS_MADE} > ${ERROR_RATIO} and ${CALLS_MADE} >= ${ALERT_CALLS_MIN}`,
    read: ({ connectors }) => connectors.flatMap((one) => ratioOf(one, one.calls)),
  },
  {
    name: 'webhook_failures',
    title: 'WeirWebhookFailures',
    severity: 'warning',
    page: false,
    threshold: WEBHOOK_FAILURE_RATIO,
    forMs: 0, // the hour is the window it is measured over
    keepFiringMs: KEEP_FIRING_MS,
    summary: '{value} of the webhook deliveries of {subject} failed within an hour',
    valueForm: 'percent',
    description: 'Most deliveries are refused; as a rule the secret here differs from the one at the sender.',
    runbook: 'webhook-failures',
    read: ({ connectors }) =>
      connectors.flatMap((one) => (one.webhooks === undefined ? [] : ratioOf(one, one.webhooks))),
    inactive: ({ connectors }) =>
      connectors.some(({ webhooks }) => webhooks !== undefined) ? undefined : 'no webhook deliveries',
  },
  {
    name: 'heartbeat_late',
    title: 'WeirHeartbeatLate',
    severity: 'critical',
    page: true,
    threshold: HEARTBEAT_LATE_MS / 1000,
    forMs: 0, // the age is a time already
    keepFiringMs: KEEP_FIRING_MS,
    summary: 'the last heartbeat was written {value} ago',
    valueForm: 'seconds',
    description:
      'The worker is stuck or cannot write to the data directory. A process that is stuck as a whole cannot say so itself: let Prometheus watch this one.',
    runbook: 'heartbeat-late',
    expr: `time() - worker_heartbeat_timestamp_seconds > ${HEARTBEAT_LATE_MS / 1000}`,
    read: ({ heartbeatAgeMs }) => [{ value: heartbeatAgeMs / 1000 }],
  },
  {
    name: 'dead_letters_growing',
    title: 'WeirDeadLettersGrowing',
    severity: 'warning',
    page: false,
    threshold: 0,
    forMs: 0, // the quarter of an hour is the window it is measured over
    keepFiringMs: KEEP_FIRING_MS,
    summary: '{value} new dead letters of {subject} within 15 minutes',
    valueForm: 'count',
    description:
      'Records could not be read, or a sink refused them. They are kept with their reason; the rest goes on.',
    runbook: 'dead-letters-growing',
    expr: `sum by (connector) (increase(events_dead_total[${DEAD_WINDOW}])) > 0 or sum by (sink) (increase(sink_writes_total{result="reject"}[${DEAD_WINDOW}])) > 0`,
    read: ({ connectors }) => connectors.map((one) => ({ connector: refOf(one), value: one.deadLettersNew })),
  },
];

/** The summary with what was measured. `name` absent: the instance as a whole. */
export function summaryOf(rule: AlertRule, name: string | undefined, value: number): string {
  const texts = { subject: name ?? 'this Weir', value: formatValue(rule.valueForm, value) };
  return rule.summary.replace(/\{(subject|value)\}/g, (_, part: keyof typeof texts) => texts[part]);
}

/** Milliseconds as PromQL and rule files write them: `5m`, `0s`. */
export function promDuration(ms: number): string {
  return ms > 0 && ms % MIN === 0 ? `${ms / MIN}m` : `${Math.round(ms / 1000)}s`;
}

function formatValue(form: AlertRule['valueForm'], value: number): string {
  if (form === 'percent') return `${Math.round(value * 1000) / 10} %`;
  return form === 'seconds' ? `${Math.round(value)} s` : String(value);
}

function noDisk({ disk }: AlertFacts): string | undefined {
  return disk === undefined ? 'the data is in memory' : undefined;
}

function ratioOf(of: ConnectionRef, { total, failed }: { readonly total: number; readonly failed: number }): Reading[] {
  return total < ALERT_CALLS_MIN ? [] : [{ connector: refOf(of), value: failed / total }];
}

function refOf({ tenant, connection }: ConnectionRef): ConnectionRef {
  return { tenant, connection };
}
