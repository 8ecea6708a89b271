import { listConnectors } from '#operations/list-connectors.ts';
import { runConnector } from '#operations/run-connector.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags, Session } from '../host.ts';
import { given, withSession } from './with-session.ts';

const MESSAGE_CHARS_MAX = 500;

interface RunFlags extends GlobalFlags {
  readonly stream?: string;
  readonly acceptDeletes?: boolean;
}

export function run(host: CliHost, flags: RunFlags, name: string): Promise<number> {
  return withSession(
    host,
    flags,
    async (session) => {
      host.terminal.progress(`pulling ${name}`);
      const done = new AbortController();
      const watching = session.kind === 'instance' ? showProgress(host, session, name, done.signal) : Promise.resolve();
      const pulling = session.call(
        runConnector,
        given({ name, stream: flags.stream, accept_deletes: flags.acceptDeletes }),
      );
      const answer = await pulling.finally(() => done.abort());
      await watching;
      const { terminal } = host;
      if (terminal.json) terminal.document(answer);
      else {
        for (const { stream, outcome, counts, message } of answer.runs) {
          const { appended, unchanged, deleted, failed } = counts;
          terminal.line(
            `${terminal.fit(`${name}/${stream}`, MESSAGE_CHARS_MAX)}: ${outcome} - ${appended} new, ${unchanged} known, ${deleted} deleted, ${failed} failed${message === null ? '' : ` (${terminal.fit(message, MESSAGE_CHARS_MAX)})`}`,
          );
        }
      }
      return answer.result === 'succeeded' ? EXIT.done : EXIT.unwell;
    },
    'data',
  );
}

const PROGRESS_EVERY_MS = 1000;

/** What the running instance says the connector is doing, once a second, until the answer is there. */
async function showProgress(host: CliHost, session: Session, name: string, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await host.sleep(PROGRESS_EVERY_MS, done);
    if (done.aborted) return;
    // Progress is a courtesy: that it cannot be told must not end the command whose answer is still to come.
    const list = await session.call(listConnectors, {}).catch(() => undefined);
    const activity = list?.connectors.find((connector) => connector.name === name)?.activity;
    if (activity !== undefined && !done.aborted) host.terminal.progress(`${name}: ${activity}`);
  }
}
