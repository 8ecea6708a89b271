import { getQueueStats, peekQueue } from '#operations/queue.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { withSession } from './with-session.ts';

export function stats(host: CliHost, flags: GlobalFlags): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(getQueueStats, {});
    const { terminal } = host;
    if (terminal.json) {
      terminal.document(answer);
      return EXIT.done;
    }
    const age = answer.oldest_age_seconds === null ? 'nothing waits' : `oldest waits ${answer.oldest_age_seconds} s`;
    terminal.line(
      `${answer.queue_name}: ${answer.size} of ${answer.max_size} events (${answer.usage_pct} %), ${age}, backpressure ${answer.backpressure ? 'on: pulls pause' : 'off'}`,
    );
    renderTable(
      terminal,
      [
        { title: 'Sink', text: ({ name }) => name },
        { title: 'Lag', align: 'right', text: ({ lag }) => String(lag) },
      ],
      answer.sinks,
    );
    return EXIT.done;
  });
}

export function peek(host: CliHost, flags: GlobalFlags & { readonly limit: number }): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(peekQueue, { limit: flags.limit });
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else if (answer.items.length === 0) terminal.line('Nothing waits: every sink has everything.');
    else {
      renderTable(
        terminal,
        [
          { title: 'Time', text: ({ time }) => time },
          { title: 'Type', text: ({ type }) => type },
          { title: 'Key', text: ({ subject }) => subject, shrink: true },
          { title: 'Id', text: ({ id }) => id },
        ],
        answer.items,
      );
    }
    return EXIT.done;
  });
}
