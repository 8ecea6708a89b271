import { getQueueStats, peekQueue } from '#operations/queue.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { withSession } from './with-session.ts';

const DISK_WORDS = { ok: '', low: ' - low: pulls pause', full: ' - full: free some space' } as const;

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
    if (answer.intake === 'refusing') terminal.line('Nothing more is accepted until there is room.');
    const { disk, tenants } = answer;
    if (disk !== null)
      terminal.line(
        `Disk: ${sizeText(disk.free_bytes)} of ${sizeText(disk.total_bytes)} free, ${sizeText(disk.ballast_bytes)} held back${DISK_WORDS[disk.state]}`,
      );
    renderTable(
      terminal,
      [
        { title: 'Sink', text: ({ name }) => name },
        { title: 'Lag', align: 'right', text: ({ lag }) => String(lag) },
        { title: 'Oldest', align: 'right', text: ({ oldest_age_seconds: s }) => (s === null ? '-' : `${s} s`) },
      ],
      answer.sinks,
    );
    if (tenants.length > 1)
      renderTable(
        terminal,
        [
          { title: 'Tenant', text: ({ tenant }) => tenant },
          { title: 'Events', align: 'right', text: ({ size }) => String(size) },
          { title: 'Of its share', align: 'right', text: ({ usage_pct: pct }) => `${pct} %` },
          { title: 'Pulls', text: ({ backpressure }) => (backpressure ? 'pause' : 'go on') },
        ],
        tenants,
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

function sizeText(bytes: number): string {
  const mib = bytes / 1024 ** 2;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}
