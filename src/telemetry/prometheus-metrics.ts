// The only file that knows the client library: it is changing its owner and its name.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Fault } from '#core/fault.ts';
import { LabelGuard, type Labels } from './label-guard.ts';
import { LABELS, METRICS, type LabelName, type MetricName, type MetricRow } from './metric-table.ts';
import { METRIC_LIMITS, type Metrics } from './metrics.ts';

const GAUGE_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** Metrics in a registry of their own: two in one process, as in tests, do not meet. */
export function createPrometheusMetrics(): Metrics {
  const registry = new Registry();
  const guard = new LabelGuard();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const connectorGauges = new Map<string, (connection: string, value: number) => void>();
  let processCollected = false;
  for (const [name, row] of rows()) {
    const options = { name, help: row.help, labelNames: row.labels, registers: [registry] };
    if (row.kind === 'counter') counters.set(name, new Counter(options));
    else if (row.kind === 'gauge') gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: [...(row.buckets ?? [])] }));
  }

  const add = (name: string, labels: Labels, amount: number): void => {
    if (Number.isFinite(amount) && amount >= 0) counters.get(name)?.inc(guard.guard(name, labels).labels, amount);
  };
  const setGauge = (gauge: Gauge | undefined, name: string, labels: Labels, value: number): void => {
    const guarded = guard.guard(name, labels);
    if (Number.isFinite(value) && guarded.exact) gauge?.set(guarded.labels, value);
  };
  const seed = (known: Readonly<Partial<Record<LabelName, readonly string[]>>>, subject: LabelName): void => {
    for (const [name, row] of rows()) {
      if (row.seeded === false || !row.labels.includes(subject)) continue;
      for (const labels of combinationsOf(row.labels, known)) {
        if (row.kind === 'counter') add(name, labels, 0);
        else if (row.kind === 'gauge') setGauge(gauges.get(name), name, labels, 0);
        else histograms.get(name)?.zero(guard.guard(name, labels).labels);
      }
    }
  };
  const createConnectorGauge = (name: string): ((connection: string, value: number) => void) => {
    if (connectorGauges.size >= METRIC_LIMITS.connectorGaugesMax) return () => {};
    const gauge = new Gauge({ name, help: 'Set by the connector.', labelNames: ['connector'], registers: [registry] });
    const setter = (connection: string, value: number): void => setGauge(gauge, name, { connector: connection }, value);
    connectorGauges.set(name, setter);
    return setter;
  };

  return {
    add: (name, labels, amount = 1) => add(name, toLabels(labels), amount),
    set: (name, labels, value) => setGauge(gauges.get(name), name, toLabels(labels), value),
    observe: (name, labels, seconds) => {
      if (Number.isFinite(seconds)) histograms.get(name)?.observe(guard.guard(name, toLabels(labels)).labels, seconds);
    },
    gaugeOf: (connectorType, gaugeName) => {
      const name = `${connectorType.replaceAll('-', '_')}_${gaugeName}`;
      const known = connectorGauges.get(name);
      if (known !== undefined) return known;
      const taken = registry.getSingleMetric(name) !== undefined;
      if (taken || !GAUGE_NAME.test(gaugeName) || !GAUGE_NAME.test(name)) {
        const why = taken ? 'is the name of another metric' : 'is not snake_case of at most 64 characters';
        throw new Fault('input_invalid', `the gauge ${name} of connector ${connectorType} ${why}`);
      }
      return createConnectorGauge(name);
    },
    seedConnection: (connection, streams = []) => {
      seed({ connector: [connection], stream: streams }, 'connector');
      // A circuit begins closed; three zeros would say it has no state.
      setGauge(
        gauges.get('connector_circuit_state'),
        'connector_circuit_state',
        { connector: connection, state: 'closed' },
        1,
      );
    },
    seedSink: (sink) => seed({ sink: [sink] }, 'sink'),
    collectProcessMetrics: () => {
      if (!processCollected) collectDefaultMetrics({ register: registry });
      processCollected = true;
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

function toLabels(labels: object): Labels {
  // LabelsOf gives every member a string or a union of strings; the compiler does not see that for a generic name.
  return labels as Labels;
}

function rows(): readonly (readonly [MetricName, MetricRow])[] {
  // Object.entries widens the keys to string; they are the table's own.
  return Object.entries(METRICS) as [MetricName, MetricRow][];
}

/** Every combination of the values known in advance; none when a label (`operation`) shows its values only at run time. */
function combinationsOf(
  names: readonly LabelName[],
  known: Readonly<Partial<Record<LabelName, readonly string[]>>>,
): readonly Labels[] {
  return names.reduce<readonly Labels[]>(
    (sofar, name) =>
      sofar.flatMap((labels) => (known[name] ?? LABELS[name] ?? []).map((value) => ({ ...labels, [name]: value }))),
    [{}],
  );
}
