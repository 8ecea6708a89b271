import { PULL_STAGE } from '#core/dead-letter.ts';
import { groupDeadLetters, listDeadLetters } from '#operations/list-dead-letters.ts';
import { showDeadLetter } from '#operations/show-dead-letter.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { toJsonText, type Terminal } from '../terminal.ts';
import { given, withSession } from './with-session.ts';

const TEXT_CHARS_MAX = 500;
const PAYLOAD_CHARS_MAX = 8000; // on a terminal; a pipe gets all of it

export interface LetterFlags extends GlobalFlags {
  readonly connector?: string;
  readonly sink?: string;
  readonly code?: string;
  readonly class?: string;
  readonly key?: string;
  readonly state?: string;
}

interface ListFlags extends LetterFlags {
  readonly limit: number;
  readonly before?: number;
  readonly group?: boolean;
}

type Groups = Awaited<ReturnType<typeof groupDeadLetters.run>>['groups'];
type Letters = Awaited<ReturnType<typeof listDeadLetters.run>>['items'];
type Detail = Awaited<ReturnType<typeof showDeadLetter.run>>;

/** What the flags say about which letters; the operations know these members by the same names. */
export function filterOf({ connector, sink, code, class: whose, key, state }: LetterFlags) {
  return given({ connector, sink, code, class: whose, key, state });
}

const pageOf = (flags: ListFlags) => ({ ...filterOf(flags), ...given({ limit: flags.limit, before: flags.before }) });

export function list(host: CliHost, flags: ListFlags): Promise<number> {
  const { terminal } = host;
  const filter = filterOf(flags);
  return withSession(host, flags, async (session) => {
    if (terminal.json && flags.group !== true) {
      terminal.document(await session.call(listDeadLetters, pageOf(flags)));
      return EXIT.done;
    }
    const { total, groups, ...rest } = await session.call(groupDeadLetters, filter);
    if (terminal.json) terminal.document({ ...rest, total, groups });
    else if (total === 0) terminal.line(nothing(filter));
    else {
      showGroups(terminal, groups);
      if (flags.group === true) return EXIT.done;
      const { items, next_before: before } = await session.call(listDeadLetters, pageOf(flags));
      terminal.line();
      showLetters(terminal, items);
      if (before !== null)
        terminal.note(`${items.length} of ${total} letters shown; --before ${before} shows older ones.`);
    }
    return EXIT.done;
  });
}

export function nothing(filter: Readonly<Record<string, unknown>>): string {
  return Object.keys(filter).length === 0
    ? 'No dead letters: every sink and parser took what it was given.'
    : 'No dead letter matches; without filters `weir dlq list` shows all.';
}

function showGroups(terminal: Terminal, groups: Groups): void {
  renderTable(
    terminal,
    [
      { title: 'Letters', align: 'right', text: ({ count }) => String(count) },
      { title: 'Queued', align: 'right', text: ({ queued }) => String(queued) },
      { title: 'Sink', text: ({ sink }) => sink },
      { title: 'Connector', text: ({ connector, stream }) => `${connector}/${stream}` },
      { title: 'Reason', text: ({ code, class: whose }) => `${code} (${whose})` },
      { title: 'Last', text: ({ last_at: last }) => last },
      { title: 'Newest', align: 'right', text: ({ sample_id: id }) => String(id) },
      { title: 'Message', text: ({ message }) => message, shrink: true },
    ],
    groups,
  );
}

function showLetters(terminal: Terminal, letters: Letters): void {
  renderTable(
    terminal,
    [
      { title: 'Letter', align: 'right', text: ({ id }) => String(id) },
      { title: 'Last', text: ({ last_at: last }) => last },
      { title: 'Sink', text: ({ sink }) => sink },
      { title: 'Connector', text: ({ connector, stream }) => `${connector}/${stream}` },
      { title: 'Reason', text: ({ code }) => code },
      { title: 'Tries', align: 'right', text: ({ attempts }) => String(attempts) },
      { title: 'State', text: ({ state, edited }) => (edited ? `${state}, edited` : state) },
      { title: 'Key', text: ({ key }) => key, shrink: true },
    ],
    letters,
  );
}

export function show(host: CliHost, flags: GlobalFlags, id: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(showDeadLetter, { id: Number(id) });
    if (host.terminal.json) host.terminal.document(answer);
    else showDetail(host.terminal, answer);
    return EXIT.done;
  });
}

function showDetail(terminal: Terminal, letter: Detail): void {
  const fit = (text: string): string => terminal.fit(text, TEXT_CHARS_MAX);
  const { id, sink, connector, stream, state, attempts, edited, payload, edited_payload: instead } = letter;
  terminal.line(`Dead letter ${id}: ${fit(connector)}/${fit(stream)} ${fit(letter.key)}`);
  terminal.line(sink === PULL_STAGE ? 'Raw record, not taken by its parser' : `Not taken by the sink ${fit(sink)}`);
  terminal.line(`Reason: ${fit(letter.message)} [${letter.code}, ${letter.class}]`);
  terminal.line(`Meaning: ${fit(letter.hint)}`);
  terminal.line(`Next step: ${fit(letter.next_step)}`);
  terminal.line(`State: ${state}${edited ? ', edited' : ''}`);
  terminal.line(`Tries: ${attempts}, first ${letter.first_at}, last ${letter.last_at}`);
  for (const { at, code, message } of letter.history) terminal.line(`  - ${at}: ${fit(message)} [${code}]`);
  terminal.line();
  terminal.line(`Contents (${letter.payload_bytes} bytes${letter.payload_cut ? ', cut' : ''}):`);
  showPayload(terminal, payload);
  if (instead === null) return;
  terminal.line();
  terminal.line('A replay sends instead:');
  showPayload(terminal, instead);
}

function showPayload(terminal: Terminal, payload: Detail['payload']): void {
  const text = payload === null ? 'none were kept' : toJsonText(payload, 2);
  const cut = terminal.outIsTerminal && text.length > PAYLOAD_CHARS_MAX;
  terminal.line(cut ? `${text.slice(0, PAYLOAD_CHARS_MAX)}…` : text);
  if (cut) terminal.note(`${PAYLOAD_CHARS_MAX} of ${text.length} characters shown; --json shows all.`);
}
