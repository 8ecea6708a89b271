import { EVENT_LIMITS } from '#core/event.ts';
import { toPlainLine } from '#core/plain-text.ts';
import { listNeighbours } from '#operations/list-neighbours.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { withSession } from './with-session.ts';

export function neighbours(host: CliHost, flags: GlobalFlags, connector: string, key: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(listNeighbours, { connector, key });
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else if (answer.neighbours.length === 0)
      terminal.line(`Nothing links to or from ${toPlainLine(key, EVENT_LIMITS.keyCharsMax)}.`);
    else {
      renderTable(
        terminal,
        [
          { title: '', text: ({ direction }) => (direction === 'out' ? '->' : '<-') },
          { title: 'Rel', text: ({ rel }) => rel },
          {
            title: 'Document',
            text: ({ direction, document, to }) => document?.key ?? (direction === 'out' ? to : ''),
            shrink: true,
          },
          { title: 'Title', text: ({ document }) => document?.title ?? '(not in the library)' },
        ],
        answer.neighbours,
      );
    }
    return EXIT.done;
  });
}
