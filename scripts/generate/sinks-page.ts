import type { SinkDefinition } from '#core/sink.ts';
import { page, table } from './page.ts';

export function sinksPage(sinks: readonly SinkDefinition[]): string {
  const rows = sinks.map(({ type, title, version, stability }) => [
    `[${type}](../src/sinks/${type}/README.md)`,
    title,
    version,
    stability,
  ]);
  const body = `Every event goes to the two sinks in Weir's own store, timeline and library. Entries of \`sinks:\` in \`weir.yaml\` send events
to other systems as well; each kind documents its own set-up and what it asks of the other side. Settings common to all of them:
[configuration.md](configuration.md).

${table(['Type', 'Where it writes', 'Version', 'Stability'], rows)}`;
  return page('Sinks', '`src/sinks`', body);
}
