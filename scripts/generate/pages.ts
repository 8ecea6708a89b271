// The committed files that are written from the code, so that the script and the drift test compare the same text.
import type { Connector } from '#core/connector.ts';
import type { SinkDefinition } from '#core/sink.ts';
import { generatedFiles, type GeneratedFile } from '#config/generated-files.ts';
import { openRegistry, openSinkRegistry } from '#engine/registry.ts';
import { connectorsPage } from './connectors-page.ts';
import { faultsPage } from './faults-page.ts';
import { grafanaDashboard } from './grafana-dashboard.ts';
import { metricsPage } from './metrics-page.ts';
import { operationsPage } from './operations-page.ts';
import { prometheusRules } from './prometheus-rules.ts';
import { sinksPage } from './sinks-page.ts';

export async function generatedPages(): Promise<readonly GeneratedFile[]> {
  const registry = openRegistry(new URL('../../src/connectors/', import.meta.url));
  const connectors: readonly Connector[] = await Promise.all(registry.types.map((type) => registry.load(type)));
  const sinkRegistry = openSinkRegistry(new URL('../../src/sinks/', import.meta.url));
  const sinks: readonly SinkDefinition[] = await Promise.all(sinkRegistry.types.map((type) => sinkRegistry.load(type)));
  return [
    ...generatedFiles(
      new Map(connectors.map(({ type, config }) => [type, config])),
      new Map(sinks.map((sink) => [sink.type, sink])),
    ),
    { path: 'docs/connectors.md', text: connectorsPage(connectors) },
    { path: 'docs/faults.md', text: faultsPage() },
    { path: 'docs/metrics.md', text: metricsPage() },
    { path: 'docs/operations.md', text: operationsPage() },
    { path: 'docs/sinks.md', text: sinksPage(sinks) },
    { path: 'deploy/prometheus/weir-rules.yml', text: prometheusRules() },
    { path: 'deploy/grafana/weir-overview.json', text: grafanaDashboard() },
  ];
}
