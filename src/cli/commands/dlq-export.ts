import { Fault } from '#core/fault.ts';
import { toPlainText } from '#core/plain-text.ts';
import { exportDeadLetters } from '#operations/export-dead-letters.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, PrivateFile } from '../host.ts';
import { filterOf, nothing, type LetterFlags } from './dlq.ts';
import { given, withSession } from './with-session.ts';

interface ExportFlags extends LetterFlags {
  readonly output?: string;
  readonly force?: boolean;
}

/** NDJSON, a page at a time: however many letters there are, one page of them is in memory. */
export function exportLetters(host: CliHost, flags: ExportFlags): Promise<number> {
  const { terminal, around } = host;
  return withSession(host, flags, async (session) => {
    const file =
      flags.output === undefined ? undefined : around.createPrivate(flags.output, { replace: flags.force === true });
    let count = 0;
    try {
      let before: number | undefined;
      // Ends with the oldest letter: each page goes on below the last.
      do {
        const page = await session.call(exportDeadLetters, given({ ...filterOf(flags), before }));
        for (const item of page.items) {
          if (file === undefined) terminal.record(item);
          else file.write(`${JSON.stringify(item)}\n`);
        }
        count += page.items.length;
        if (around.interactive && !terminal.outIsTerminal) terminal.progress(`${count} dead letters`);
        before = page.next_before ?? undefined;
        if (host.signal.aborted) throw new Fault('cancelled', 'interrupted');
      } while (before !== undefined);
    } catch (error) {
      file?.abandon();
      throw error;
    }
    finish(host, flags, file, count);
    return EXIT.done;
  });
}

function finish({ terminal }: CliHost, flags: ExportFlags, file: PrivateFile | undefined, count: number): void {
  if (file === undefined) {
    if (count === 0) terminal.note(nothing(filterOf(flags)));
    return;
  }
  file.close();
  if (terminal.json) terminal.document({ schemaVersion: 1, file: file.path, letters: count });
  else terminal.line(`Wrote ${count} dead letters to ${toPlainText(file.path)}.`);
}
