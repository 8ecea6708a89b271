import { drillConnector } from '#operations/drill-connector.ts';
import { exitOfHealth } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { healthStyle, healthText } from '../marks.ts';
import type { Terminal } from '../terminal.ts';
import { withSession } from './with-session.ts';

const NAME_CHARS_MAX = 80;
const MESSAGE_CHARS_MAX = 500;

type Answer = Awaited<ReturnType<typeof drillConnector.run>>;

export function drill(host: CliHost, flags: GlobalFlags, name: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(drillConnector, { name });
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else {
      showHealth(terminal, answer);
      showStreams(terminal, answer);
      showHistory(terminal, answer);
    }
    return exitOfHealth(answer.enabled ? [answer.health.status] : []);
  });
}

function showHealth(terminal: Terminal, connector: Answer): void {
  const { status, reason, metrics } = connector.health;
  terminal.line(
    `Connector: ${terminal.fit(connector.name, NAME_CHARS_MAX)} (${connector.type}, tenant ${connector.tenant})`,
  );
  terminal.line(`Health: ${terminal.paint(healthStyle(status), healthText(terminal, status))}`);
  terminal.line(`Reason: ${terminal.fit(reason, MESSAGE_CHARS_MAX)}`);
  terminal.line(`Now: ${terminal.fit(connector.activity, MESSAGE_CHARS_MAX)}`);
  terminal.line(
    `Last result: ${connector.last_result ?? 'none yet'}; last success ${connector.last_success ?? 'never'}; next run ${connector.next_run ?? 'not planned'}`,
  );
  terminal.line();
  terminal.line('Metrics (Last 60 Minutes):');
  terminal.line(`  Total Calls: ${metrics.total_calls}`);
  terminal.line(`  Error Rate: ${metrics.total_calls === 0 ? 'N/A' : `${(metrics.error_rate * 100).toFixed(1)}%`}`);
  for (const [label, value] of [
    ['P50', metrics.p50_ms],
    ['P95', metrics.p95_ms],
    ['P99', metrics.p99_ms],
  ] as const) {
    terminal.line(`  ${label} Latency: ${value === null ? 'N/A' : `${value}ms`}`);
  }
  terminal.line();
  terminal.line(`Circuit State: ${connector.circuit_state.replace('_', '-')}`);
}

function showStreams(terminal: Terminal, { streams, dead_letters: kept, recent_dead_letters: letters }: Answer): void {
  terminal.line();
  terminal.line('Streams:');
  for (const stream of streams) {
    const cursor =
      stream.cursor === null ? 'no cursor yet' : `cursor ${terminal.fit(JSON.stringify(stream.cursor), 100)}`;
    terminal.line(
      `  ${stream.name}: ${stream.events_total} events, ${cursor}${stream.cursor_at === null ? '' : `, moved ${stream.cursor_at}`}`,
    );
  }
  if (letters.length === 0) return;
  terminal.line();
  terminal.line(`Dead letters (${kept} kept, newest ${letters.length}):`);
  for (const letter of letters)
    terminal.line(
      `  - ${letter.last_at}: ${letter.stage} ${terminal.fit(letter.key, 80)} - ${terminal.fit(letter.message, MESSAGE_CHARS_MAX)} [${letter.code}]`,
    );
}

function showHistory(terminal: Terminal, { recent_runs: runs, recent_failures: failures }: Answer): void {
  terminal.line();
  terminal.line(`Recent Runs (Last ${runs.length}):`);
  for (const run of runs) {
    const { appended, unchanged, deleted, failed, skipped } = run.counts;
    const left = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
    const counts = [`${appended} new`, `${unchanged} known`, `${deleted} deleted`, `${failed} failed`, ...left].join(
      ', ',
    );
    terminal.line(
      `  - ${run.started_at}: ${run.stream} ${run.outcome} - ${counts}${run.message === null ? '' : ` (${terminal.fit(run.message, MESSAGE_CHARS_MAX)})`}`,
    );
  }
  terminal.line();
  terminal.line(`Recent Failures (Last ${failures.length}):`);
  if (failures.length === 0) terminal.line('  none');
  for (const { time, operation, message } of failures)
    terminal.line(
      `  - ${time}: ${terminal.fit(operation, NAME_CHARS_MAX)} - ${terminal.fit(message, MESSAGE_CHARS_MAX)}`,
    );
}
