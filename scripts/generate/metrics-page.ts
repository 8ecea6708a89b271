import { METRICS, type MetricRow } from '#telemetry/metric-table.ts';
import { code, page, table } from './page.ts';

export function metricsPage(): string {
  const rows = Object.entries<MetricRow>(METRICS).map(([name, row]) => [
    code(name),
    row.kind,
    row.labels.map(code).join(', ') || '–',
    row.help,
  ]);
  const body = `Served at ${code('/metrics')} in the Prometheus text format when ${code('OBS_METRICS_ENABLED=true')} (or ${code('metrics.enabled')} in weir.yaml).
Labels are bounded sets; what is beyond their limit counts under ${code('other')}. Gauges of a connector are named
${code('<connector type>_<name>')} and carry the label ${code('connector')}.

${table(['Metric', 'Kind', 'Labels', 'Meaning'], rows)}`;
  return page('Metrics', '`src/telemetry/metric-table.ts`', body);
}
