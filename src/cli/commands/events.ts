import { listEvents } from '#operations/list-events.ts';
import { Fault } from '#core/fault.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags, Session } from '../host.ts';
import { renderTable, type Column } from '../table.ts';
import type { Style, Terminal } from '../terminal.ts';
import { given, withSession } from './with-session.ts';

interface EventFlags extends GlobalFlags {
  readonly connector?: string;
  readonly kind?: string;
  readonly severity?: string;
  readonly tag?: string;
  readonly text?: string;
  readonly since?: string;
  readonly until?: string;
  readonly follow?: boolean;
  readonly limit: number;
}

type Item = Awaited<ReturnType<typeof listEvents.run>>['items'][number];

const FOLLOW_EVERY_MS = 500;
const CELL_CHARS_MAX = 300;
const SEVERITY_STYLE: Readonly<Record<string, Style>> = { critical: 'red', high: 'red', medium: 'yellow' };

export function events(host: CliHost, flags: EventFlags): Promise<number> {
  return withSession(host, flags, async (session) => {
    const { connector, kind, severity, tag, text, since, until, limit } = flags;
    const filter = given({ connector, kind, severity, tag, text, since, until });
    const answer = await session.call(listEvents, { ...filter, limit });
    if (flags.follow === true) return follow(host, session, filter, answer);
    const { terminal } = host;
    if (terminal.json)
      terminal.document({ schemaVersion: answer.schemaVersion, items: answer.items, next_cursor: answer.next_cursor });
    else if (answer.items.length === 0) terminal.line('No event matches.');
    else renderTable(terminal, columnsOf(terminal), answer.items);
    return EXIT.done;
  });
}

/** What is there first, oldest on top, then what comes, until interrupted. */
async function follow(
  host: CliHost,
  session: Session,
  filter: Readonly<Record<string, unknown>>,
  first: Awaited<ReturnType<typeof listEvents.run>>,
): Promise<number> {
  if (session.kind === 'data')
    throw new Fault('instance_missing', 'no Weir is running on this data directory, so nothing new will come');
  const { terminal, signal } = host;
  for (const item of first.items.toReversed()) show(terminal, item);
  let after = first.newest;
  // Unbounded on purpose: ends with the interrupt; every pass waits.
  while (!signal.aborted) {
    await host.sleep(FOLLOW_EVERY_MS, signal);
    if (signal.aborted) break;
    const page = await session.call(listEvents, { ...filter, after, limit: 200 });
    for (const item of page.items) show(terminal, item);
    after = page.newest;
  }
  return EXIT.done;
}

function show(terminal: Terminal, item: Item): void {
  if (terminal.json) terminal.record(item);
  else renderLine(terminal, item);
}

function renderLine(terminal: Terminal, item: Item): void {
  const cells = columnsOf(terminal).map((column) => {
    const text = terminal.fit(column.text(item), CELL_CHARS_MAX);
    return column.paint?.(text, item) ?? text;
  });
  terminal.line(cells.join('  '));
}

function columnsOf(terminal: Terminal): readonly Column<Item>[] {
  return [
    { title: 'Time', text: ({ time }) => time },
    {
      title: 'Severity',
      text: (item) => textOf(item['severity'], '-'),
      paint: (text, item) => paintSeverity(terminal, text, textOf(item['severity'], '-')),
    },
    { title: 'Connector', text: (item) => textOf(item['connectorid'], '-') },
    { title: 'Type', text: ({ type }) => type },
    { title: 'Title', text: (item) => titleOf(item), shrink: true },
  ];
}

function paintSeverity(terminal: Terminal, text: string, severity: string): string {
  const style = SEVERITY_STYLE[severity];
  return style === undefined ? text : terminal.paint(style, text);
}

function titleOf(item: Item): string {
  const data = item['data'];
  const title = typeof data === 'object' && data !== null && 'title' in data ? data.title : undefined;
  return textOf(title, item.subject);
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
