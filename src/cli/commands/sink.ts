import { listSinks, removeSink, rereadSink, resumeSink } from '#operations/sinks.ts';
import { demandConfirmable, demandConfirmed, type DestructiveFlags } from '../confirm.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { given, withSession } from './with-session.ts';

const TEXT_CHARS_MAX = 500;
const STYLES = { delivering: 'green', waiting: 'yellow', refusing: 'red', detached: 'dim', stopped: 'dim' } as const;

export function list(host: CliHost, flags: GlobalFlags): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(listSinks, {});
    const { terminal } = host;
    const fit = (text: string): string => terminal.fit(text, TEXT_CHARS_MAX);
    if (terminal.json) {
      terminal.document(answer);
      return EXIT.done;
    }
    renderTable(
      terminal,
      [
        { title: 'Sink', text: ({ name }) => name, shrink: true },
        { title: 'Type', text: ({ type }) => type },
        { title: 'State', text: ({ state }) => state, paint: (text, { state }) => terminal.paint(STYLES[state], text) },
        { title: 'Since', text: ({ since }) => since ?? '-' },
        { title: 'Lag', align: 'right', text: ({ lag }) => String(lag) },
        { title: 'Oldest (s)', align: 'right', text: (row) => String(row.oldest_age_seconds ?? '-') },
        { title: 'Dead letters', align: 'right', text: (row) => String(row.dead_letters) },
      ],
      answer.sinks,
    );
    for (const { name, fault, suspects, state } of answer.sinks) {
      if (fault !== null) terminal.line(`${fit(name)}: ${fit(fault.message)} (${fit(fault.hint)}) [${fault.code}]`);
      // While it takes nothing at all, no event is suspected more than another.
      for (const { key, tenant, attempts } of state === 'delivering' ? suspects : [])
        terminal.line(
          `${fit(name)}: ${fit(key)} of tenant ${fit(tenant)} fails while others do not, ${attempts} tries`,
        );
      if (state === 'detached')
        terminal.line(
          `${fit(name)}: not configured, or disabled: its events are held back. weir sink remove ${fit(name)} gives it up`,
        );
    }
    return answer.sinks.some(({ state }) => state === 'waiting' || state === 'refusing') ? EXIT.unwell : EXIT.done;
  });
}

interface ResumeFlags extends GlobalFlags {
  readonly acceptRejects?: boolean;
}

export function resume(host: CliHost, flags: ResumeFlags, name: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(resumeSink, given({ name, accept_rejects: flags.acceptRejects }));
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else terminal.line(`${terminal.fit(answer.name, TEXT_CHARS_MAX)}: ${answer.state}, was ${answer.state_before}`);
    return EXIT.done;
  });
}

interface RereadFlags extends DestructiveFlags {
  readonly from: string;
  readonly acceptBacklog?: boolean;
}

export async function reread(host: CliHost, flags: RereadFlags, name: string): Promise<number> {
  demandConfirmable(host, flags);
  const { terminal } = host;
  return withSession(
    host,
    flags,
    async (session) => {
      const asked = given({ name, from: flags.from, accept_backlog: flags.acceptBacklog });
      if (flags.dryRun !== true && flags.yes !== true) {
        const { entries, skipped } = await session.call(rereadSink, { ...asked, dry_run: true });
        await demandConfirmed(host, flags, `${readingOf(entries, skipped, 'would')}.`, name);
      }
      const answer = await session.call(rereadSink, given({ ...asked, dry_run: flags.dryRun }));
      if (terminal.json) terminal.document(answer);
      else
        terminal.line(
          `${terminal.fit(answer.name, TEXT_CHARS_MAX)}: ${readingOf(answer.entries, answer.skipped, answer.dry_run ? 'would' : 'will')}.`,
        );
      return EXIT.done;
    },
    flags.dryRun === true ? 'read' : 'data',
  );
}

function readingOf(entries: number, skipped: number, will: 'would' | 'will'): string {
  return `it ${will} read ${entries} events${skipped === 0 ? '' : ` and pass over ${skipped} unread ones`}`;
}

export async function remove(host: CliHost, flags: DestructiveFlags, name: string): Promise<number> {
  demandConfirmable(host, flags);
  const { terminal } = host;
  return withSession(
    host,
    flags,
    async (session) => {
      if (flags.dryRun !== true && flags.yes !== true) {
        const { unread } = await session.call(removeSink, { name, dry_run: true });
        await demandConfirmed(host, flags, `It has not read ${unread} events and would never get them.`, name);
      }
      const answer = await session.call(removeSink, given({ name, dry_run: flags.dryRun }));
      if (terminal.json) terminal.document(answer);
      else
        terminal.line(
          `${answer.dry_run ? 'Would remove' : 'Removed'} ${terminal.fit(answer.name, TEXT_CHARS_MAX)}; it had not read ${answer.unread} events.`,
        );
      return EXIT.done;
    },
    flags.dryRun === true ? 'read' : 'data',
  );
}
