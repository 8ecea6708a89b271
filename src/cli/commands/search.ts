import { toPlainLine } from '#core/plain-text.ts';
import { searchDocuments } from '#operations/search-documents.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import type { Terminal } from '../terminal.ts';
import { given, withSession } from './with-session.ts';

interface SearchFlags extends GlobalFlags {
  readonly connector?: string;
  readonly limit: number;
}

const HIT = /\u0002([^\u0003]*)\u0003/g;

export function search(host: CliHost, flags: SearchFlags, ...words: string[]): Promise<number> {
  return withSession(host, flags, async (session) => {
    const asked = words.join(' ');
    const answer = await session.call(
      searchDocuments,
      given({ words: asked, connector: flags.connector, limit: flags.limit }),
    );
    const { terminal } = host;
    if (terminal.json) {
      terminal.document(answer);
      return EXIT.done;
    }
    if (answer.total === 0) terminal.line(`No document matches ${toPlainLine(asked)}.`);
    for (const { connector, key, title, url, line, snippet } of answer.results) {
      terminal.line(
        `${terminal.paint('bold', terminal.fit(title, 200))}  ${terminal.paint('dim', `${connector}:${terminal.fit(key, 500)}${line === null ? '' : `:${line}`}`)}`,
      );
      terminal.line(`  ${highlight(terminal, snippet)}`);
      if (url !== null) terminal.line(`  ${terminal.paint('cyan', terminal.fit(url, 500))}`);
    }
    if (answer.total > answer.results.length)
      terminal.note(`${answer.results.length} of ${answer.total} shown; --limit shows more.`);
    return EXIT.done;
  });
}

// The marks are control characters themselves: split first, then neutralise each part.
function highlight(terminal: Terminal, snippet: string): string {
  let shown = '';
  let from = 0;
  for (const match of snippet.matchAll(HIT)) {
    shown += terminal.fit(snippet.slice(from, match.index), 1000);
    shown += terminal.paint('inverse', terminal.fit(match[1] ?? '', 1000));
    from = match.index + match[0].length;
  }
  return shown + terminal.fit(snippet.slice(from), 1000);
}
