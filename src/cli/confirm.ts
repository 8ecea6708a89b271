import { Fault } from '#core/fault.ts';
import type { CliHost, GlobalFlags } from './host.ts';

/** Of verbs that cannot be taken back. */
export interface DestructiveFlags extends GlobalFlags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Before anything is opened: without a terminal nobody can confirm, so the flag that does must be there. */
export function demandConfirmable({ around }: CliHost, { dryRun, yes }: DestructiveFlags): void {
  if (yes === true || dryRun === true || around.interactive) return;
  throw new Fault(
    'input_invalid',
    'nobody can be asked here: --yes does it without asking, --dry-run only says what it would do',
  );
}

/** Asks for the word unless `--yes` was given. Throws `input_invalid` when something else is typed: nothing was changed then. */
export async function demandConfirmed(
  { around }: CliHost,
  { yes }: DestructiveFlags,
  what: string,
  word: string,
): Promise<void> {
  if (yes === true) return;
  const typed = await around.ask(`${what} Type ${word} to go on: `);
  if (typed.trim() !== word) throw new Fault('input_invalid', 'not confirmed; nothing was changed');
}
