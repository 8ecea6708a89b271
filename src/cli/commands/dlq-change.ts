import { EVENT_LIMITS } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import { discardDeadLetters } from '#operations/discard-dead-letters.ts';
import { editDeadLetter } from '#operations/edit-dead-letter.ts';
import { replayDeadLetters } from '#operations/replay-dead-letters.ts';
import { demandConfirmable, demandConfirmed, type DestructiveFlags } from '../confirm.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { filterOf, nothing, type LetterFlags } from './dlq.ts';
import { given, withSession } from './with-session.ts';

interface SelectionFlags extends LetterFlags, DestructiveFlags {
  readonly all?: boolean;
}

/** Letters named one by one are replayed without asking; filters and --all may mean more of them than one thinks. */
export async function replay(host: CliHost, flags: SelectionFlags, ...ids: string[]): Promise<number> {
  const { terminal } = host;
  const selection = selectionOf(flags, ids);
  const bulk = ids.length === 0;
  if (bulk) demandConfirmable(host, flags);
  return withSession(
    host,
    flags,
    async (session) => {
      if (bulk && flags.dryRun !== true && flags.yes !== true) {
        const { queued } = await session.call(replayDeadLetters, { ...selection, dry_run: true });
        if (queued > 0)
          await demandConfirmed(host, flags, `${letters(queued)} would be offered to their sinks again.`, `${queued}`);
      }
      const answer = await session.call(replayDeadLetters, given({ ...selection, dry_run: flags.dryRun }));
      if (terminal.json) terminal.document(answer);
      else if (answer.matched === 0) terminal.line(nothing(filterOf(flags)));
      else {
        const { queued, already_queued: before, not_replayable: raw, hint, dry_run: dryRun } = answer;
        if (dryRun) showReasons(terminal, answer.by_reason);
        terminal.line(
          `${dryRun ? 'Would queue' : 'Queued'} ${letters(queued)} of ${answer.matched}${before === 0 ? '' : `; ${before} queued already`}${raw === 0 ? '' : `; ${raw} cannot be replayed`}.`,
        );
        if (hint !== null) terminal.line(terminal.fit(hint, TEXT_CHARS_MAX));
        if (!dryRun && queued > 0 && session.kind === 'data')
          terminal.note('No Weir runs on this data: they are offered at the next `weir start`.');
      }
      return !answer.dry_run && answer.not_replayable > 0 ? EXIT.unwell : EXIT.done;
    },
    flags.dryRun === true ? 'read' : 'data',
  );
}

export async function discard(host: CliHost, flags: SelectionFlags, ...ids: string[]): Promise<number> {
  const { terminal } = host;
  const selection = selectionOf(flags, ids);
  demandConfirmable(host, flags);
  return withSession(
    host,
    flags,
    async (session) => {
      if (flags.dryRun !== true && flags.yes !== true) {
        const { discarded } = await session.call(discardDeadLetters, { ...selection, dry_run: true });
        if (discarded > 0)
          await demandConfirmed(host, flags, `${letters(discarded)} would be removed for good.`, `${discarded}`);
      }
      const answer = await session.call(discardDeadLetters, given({ ...selection, dry_run: flags.dryRun }));
      if (terminal.json) terminal.document(answer);
      else if (answer.matched === 0) terminal.line(nothing(filterOf(flags)));
      else {
        if (answer.dry_run) showReasons(terminal, answer.by_reason);
        terminal.line(`${answer.dry_run ? 'Would discard' : 'Discarded'} ${letters(answer.discarded)}.`);
      }
      return EXIT.done;
    },
    flags.dryRun === true ? 'read' : 'data',
  );
}

interface EditFlags extends GlobalFlags {
  readonly file?: string;
  readonly reset?: boolean;
}

export async function edit(host: CliHost, flags: EditFlags, id: string): Promise<number> {
  const { file, reset } = flags;
  if ((file === undefined) === (reset !== true))
    throw new Fault('input_invalid', 'give either --file with the whole event as JSON, or --reset');
  const payload = file === undefined ? undefined : await readEvent(host, file);
  return withSession(
    host,
    flags,
    async (session) => {
      const answer = await session.call(editDeadLetter, given({ id: Number(id), payload, reset }));
      const { terminal } = host;
      if (terminal.json) terminal.document(answer);
      else
        terminal.line(
          `Dead letter ${answer.id} (${terminal.fit(answer.key, TEXT_CHARS_MAX)}): a replay sends ${answer.edited ? 'the edited' : 'the first'} contents. Next: weir dlq replay ${answer.id}.`,
        );
      return EXIT.done;
    },
    'data',
  );
}

async function readEvent({ around }: CliHost, file: string): Promise<JsonValue> {
  const text = await around.readText(file, 2 * EVENT_LIMITS.payloadBytesMax); // indented, it is longer than what is stored
  try {
    return JSON.parse(text) as JsonValue; // what JSON.parse gives is JSON
  } catch (error) {
    throw new Fault('input_invalid', `${file === '-' ? 'standard input' : file} is not valid JSON`, { cause: error });
  }
}

const TEXT_CHARS_MAX = 500;

function selectionOf(flags: SelectionFlags, ids: readonly string[]): Readonly<Record<string, unknown>> {
  const selection = {
    ...filterOf(flags),
    ...given({ ids: ids.length === 0 ? undefined : ids.map(Number), all: flags.all }),
  };
  if (Object.keys(selection).length > 0) return selection;
  throw new Fault('input_invalid', 'say which dead letters: their numbers, a filter such as --sink, or --all');
}

function letters(count: number): string {
  return count === 1 ? '1 dead letter' : `${count} dead letters`;
}

function showReasons(
  terminal: Terminal,
  reasons: readonly {
    readonly sink: string;
    readonly connector: string;
    readonly code: string;
    readonly count: number;
  }[],
): void {
  renderTable(
    terminal,
    [
      { title: 'Letters', align: 'right', text: ({ count }) => String(count) },
      { title: 'Sink', text: ({ sink }) => sink },
      { title: 'Connector', text: ({ connector }) => connector, shrink: true },
      { title: 'Reason', text: ({ code }) => code },
    ],
    reasons,
  );
}
