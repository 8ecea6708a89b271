import { listConnectors } from '#operations/list-connectors.ts';
import type { ConnectorView } from '#operations/shapes.ts';
import { exitOfHealth } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { healthStyle, healthText } from '../marks.ts';
import { renderTable, type Column } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { withSession } from './with-session.ts';

const SUMMARY_CHARS_MAX = 1000;

export function list(host: CliHost, flags: GlobalFlags): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(listConnectors, {});
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else if (answer.connectors.length === 0) showEmpty(terminal);
    else {
      renderTable(terminal, columnsOf(terminal), answer.connectors);
      terminal.line();
      terminal.line(terminal.fit(answer.summary, SUMMARY_CHARS_MAX));
    }
    const enabled = answer.connectors.filter((connector) => connector.enabled);
    return exitOfHealth(enabled.map(({ health }) => health.status));
  });
}

function columnsOf(terminal: Terminal): readonly Column<ConnectorView>[] {
  return [
    { title: 'Connector', text: (row) => row.name, shrink: true },
    {
      title: 'Health',
      text: (row) => (row.enabled ? healthText(terminal, row.health.status) : '- disabled'),
      paint: (text, row) => terminal.paint(row.enabled ? healthStyle(row.health.status) : 'dim', text),
    },
    {
      title: 'P95 (ms)',
      align: 'right',
      text: ({ health }) => (health.metrics.p95_ms === null ? 'N/A' : `${Math.round(health.metrics.p95_ms)}`),
    },
    {
      title: 'Error %',
      align: 'right',
      text: ({ health }) => (health.metrics.total_calls === 0 ? 'N/A' : (health.metrics.error_rate * 100).toFixed(1)),
    },
    { title: 'Calls (60m)', align: 'right', text: ({ health }) => String(health.metrics.total_calls) },
    { title: 'Circuit', text: (row) => row.circuit_state.replace('_', '-') },
    { title: 'Events', align: 'right', text: (row) => String(row.events_total) },
    { title: 'Now', text: (row) => row.activity },
  ];
}

function showEmpty(terminal: Terminal): void {
  terminal.line('No connectors are configured yet. Put this into weir.yaml, or run `weir init`:');
  terminal.line();
  terminal.line('  connectors:');
  terminal.line('    git:');
  terminal.line('      metadata: { path: . }');
  terminal.line();
  terminal.line('All connectors and their settings: docs/connectors.md');
}
