import type { ForecastReport } from '#core/forecast.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, SimulateFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

const HAPPENINGS_SHOWN = 40;

/** `weir simulate`: what the planned troubles would do to the connections of this configuration. Ends with 1 when something is not well at the end. */
export async function simulate(host: CliHost, flags: SimulateFlags): Promise<number> {
  const { terminal } = host;
  const report = await host.simulate(flags);
  if (terminal.json) terminal.document({ schemaVersion: 1, ...report });
  else show(terminal, report);
  return report.healthy_at_end ? EXIT.done : EXIT.unwell;
}

function show(terminal: Terminal, report: ForecastReport): void {
  terminal.line(
    `Simulated ${span(report.simulated_seconds)} with seed ${report.seed}: ${report.faults.length} planned troubles on simulated sources and sinks.`,
  );
  terminal.line('');
  showHappenings(terminal, report.happenings);
  terminal.line('');
  showConnectors(terminal, report);
  terminal.line('');
  showSinks(terminal, report);
  terminal.line('');
  const { usage_max_pct: usage, max_size: size, paused_seconds: paused } = report.queue;
  terminal.line(
    `Queue: at most ${usage} % of ${size} events, pulls paused ${paused === 0 ? 'never' : `for ${span(paused)}`}.`,
  );
  terminal.line(verdict(terminal, report));
}

function showHappenings(terminal: Terminal, happenings: ForecastReport['happenings']): void {
  for (const { at_seconds: at, what } of happenings.slice(0, HAPPENINGS_SHOWN))
    terminal.line(`  ${clock(at)}  ${terminal.fit(what, 300)}`);
  const more = happenings.length - HAPPENINGS_SHOWN;
  if (more > 0) terminal.line(`  … and ${more} more; --json has them all`);
}

function showConnectors(terminal: Terminal, report: ForecastReport): void {
  renderTable(
    terminal,
    [
      { title: 'Connector', text: ({ name }) => name, shrink: true },
      { title: 'Records', align: 'right', text: ({ records }) => String(records) },
      { title: 'In log', align: 'right', text: (line) => String(line.in_log) },
      { title: 'Calls', align: 'right', text: ({ calls }) => String(calls) },
      { title: 'Failed', align: 'right', text: (line) => String(line.failed_calls) },
      { title: 'Retries', align: 'right', text: ({ retries }) => String(retries) },
      { title: 'Circuit open', align: 'right', text: (line) => times(line.circuit_opened, line.circuit_open_seconds) },
      { title: 'Max delay', align: 'right', text: (line) => span(line.delay_max_seconds) },
      { title: 'At the end', text: (line) => (line.caught_up ? 'caught up' : 'behind'), paint: paintEnd(terminal) },
    ],
    report.connectors,
  );
}

function showSinks(terminal: Terminal, report: ForecastReport): void {
  renderTable(
    terminal,
    [
      { title: 'Sink', text: ({ name }) => name, shrink: true },
      { title: 'Delivered', align: 'right', text: ({ delivered }) => String(delivered) },
      { title: 'Failed writes', align: 'right', text: (line) => String(line.failed_writes) },
      { title: 'Dead letters', align: 'right', text: (line) => String(line.dead_letters) },
      { title: 'Max backlog', align: 'right', text: (line) => String(line.backlog_max) },
      { title: 'Max delay', align: 'right', text: (line) => span(line.delay_max_seconds) },
      { title: 'At the end', text: (line) => (line.caught_up ? 'caught up' : 'behind'), paint: paintEnd(terminal) },
    ],
    report.sinks,
  );
}

const paintEnd =
  (terminal: Terminal) =>
  (text: string, { caught_up: done }: { readonly caught_up: boolean }): string =>
    terminal.paint(done ? 'green' : 'red', text);

function verdict(terminal: Terminal, report: ForecastReport): string {
  const dead = report.sinks.reduce((sum, line) => sum + line.dead_letters, 0);
  const letters = dead === 0 ? 'no dead letters' : `${dead} dead letters`;
  if (report.lost > 0)
    return terminal.paint('red', `${report.lost} events lost: this is a defect of Weir, seed ${report.seed} shows it.`);
  if (report.healthy_at_end) return terminal.paint('green', `Nothing lost, ${letters}; everything has caught up.`);
  return terminal.paint('yellow', `Nothing lost, ${letters}; at the end not everything is well.`);
}

function times(count: number, seconds: number): string {
  return count === 0 ? 'never' : `${count} × (${span(seconds)})`;
}

/** `d hh:mm` of the simulated time. */
function clock(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(minutes / 1440)}d ${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
}

function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 360) / 10} h` : `${Math.round(seconds / 8640) / 10} d`;
}
