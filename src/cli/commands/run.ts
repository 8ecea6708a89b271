import { runConnector } from '#operations/run-connector.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { given, withSession } from './with-session.ts';

interface RunFlags extends GlobalFlags {
  readonly stream?: string;
  readonly acceptDeletes?: boolean;
}

export function run(host: CliHost, flags: RunFlags, name: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    host.terminal.progress(`pulling ${name}`);
    const answer = await session.call(runConnector, given({ name, stream: flags.stream, accept_deletes: flags.acceptDeletes }));
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else {
      for (const { stream, outcome, counts, message } of answer.runs) {
        const { appended, unchanged, deleted, failed } = counts;
        terminal.line(`${name}/${stream}: ${outcome} - ${appended} new, ${unchanged} known, ${deleted} deleted, ${failed} failed${message === null ? '' : ` (${message})`}`);
      }
    }
    return answer.result === 'succeeded' ? EXIT.done : EXIT.unwell;
  });
}
