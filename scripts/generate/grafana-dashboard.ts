import { ALERT_RULES } from '#engine/alert-rules.ts';
import { METRICS, type MetricRow } from '#telemetry/metric-table.ts';

const COLUMNS = 24; // width of a Grafana dashboard
const STAT = { w: 4, h: 4 } as const;
const GRAPH = { w: 8, h: 7 } as const;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

/** Rows of the dashboard: metrics by the first word of their name, in the order a person asks. */
const ROWS = [
  { title: 'Connectors', prefixes: ['connector_'] },
  { title: 'Event log', prefixes: ['queue_', 'events_', 'dlq_'] },
  { title: 'Sinks', prefixes: ['sink_'] },
  { title: 'Worker', prefixes: ['scheduler_', 'worker_', 'lease_', 'storage_', 'disk_', 'weir_'] },
] as const;

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries';
  readonly unit: string;
  readonly expr: string;
  readonly legend: string;
}

/** One number per alert rule on top, below it every metric of the table: a metric that is added shows up by itself. */
export function grafanaDashboard(): string {
  const panels: unknown[] = [];
  let y = 0;
  const place = (
    title: string,
    group: readonly Panel[],
    { w, h }: { readonly w: number; readonly h: number },
  ): void => {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    const perLine = COLUMNS / w;
    for (const [index, panel] of group.entries()) {
      const gridPos = { x: (index % perLine) * w, y: y + Math.floor(index / perLine) * h, w, h };
      panels.push(toPanel(panels.length + 1, panel, gridPos));
    }
    y += Math.ceil(group.length / perLine) * h;
  };
  place('Alerts: how many subjects meet each rule now', alertPanels(), STAT);
  for (const { title, prefixes } of ROWS) {
    const rows = Object.entries<MetricRow>(METRICS).filter(([name]) =>
      prefixes.some((prefix) => name.startsWith(prefix)),
    );
    place(
      title,
      rows.map(([name, row]) => metricPanel(name, row)),
      GRAPH,
    );
  }
  const dashboard = {
    uid: 'weir-overview',
    title: 'Weir',
    description:
      'Written by scripts/generate-docs.ts from the tables of alert rules and metrics. Do not edit: change them there.',
    tags: ['weir'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' }] },
    panels,
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

function alertPanels(): readonly Panel[] {
  return ALERT_RULES.flatMap(({ title, description, expr }): Panel[] =>
    expr === undefined
      ? []
      : [{ title, description, type: 'stat', unit: 'short', expr: `count(${expr}) or vector(0)`, legend: '' }],
  );
}

function metricPanel(name: string, { kind, help, labels }: MetricRow): Panel {
  const legend = labels.map((label) => `{{${label}}}`).join(' ');
  const by = (more: readonly string[] = []): string => {
    const all = [...more, ...labels];
    return all.length === 0 ? '' : ` by (${all.join(', ')})`;
  };
  const base = { title: name, description: help, type: 'timeseries', legend } as const;
  switch (kind) {
    case 'counter':
      return { ...base, unit: 'ops', expr: `sum${by()} (rate(${name}[5m]))` };
    case 'histogram':
      return {
        ...base,
        title: `${name}, p95`,
        unit: 's',
        expr: `histogram_quantile(0.95, sum${by(['le'])} (rate(${name}_bucket[5m])))`,
      };
    case 'gauge':
      // A point in time says little on a graph: its age does.
      return name.endsWith('_timestamp_seconds')
        ? { ...base, title: `${name}, age`, unit: 's', expr: `time() - (${name} > 0)` }
        : { ...base, unit: unitOf(name), expr: name };
  }
}

function unitOf(name: string): string {
  if (name.endsWith('_seconds')) return 's';
  if (name.endsWith('_bytes')) return 'bytes';
  return name.endsWith('_ratio') ? 'percentunit' : 'short';
}

function toPanel(id: number, { title, description, type, unit, expr, legend }: Panel, gridPos: object) {
  return {
    id,
    type,
    title,
    description,
    gridPos,
    datasource: DATASOURCE,
    fieldConfig: {
      defaults: {
        unit,
        ...(type === 'stat'
          ? {
              thresholds: {
                mode: 'absolute',
                steps: [
                  { color: 'green', value: null },
                  { color: 'red', value: 1 },
                ],
              },
            }
          : { min: 0 }),
      },
      overrides: [],
    },
    targets: [{ refId: 'A', datasource: DATASOURCE, expr, legendFormat: legend, instant: type === 'stat' }],
  };
}
