import { listAlerts, silenceAlerts } from '#operations/alerts.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';
import { given, withSession } from './with-session.ts';

const TEXT_CHARS_MAX = 500;

/** Ends with 1 when something fires, silenced or not: a silence is about being told, and here somebody asks. */
export function list(host: CliHost, flags: GlobalFlags): Promise<number> {
  return withSession(host, flags, async (session) => {
    const answer = await session.call(listAlerts, {});
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else {
      if (answer.alerts.length === 0) terminal.line('Nothing is wrong by the alert rules.');
      else {
        renderTable(
          terminal,
          [
            { title: 'Alert', text: ({ rule }) => rule },
            {
              title: 'State',
              text: ({ state, silenced_until: silenced }) => (silenced === null ? state : `${state}, silenced`),
              paint: (text, { state }) => terminal.paint(STYLES[state], text),
            },
            { title: 'Severity', text: ({ severity, page }) => (page ? `${severity}, page` : severity) },
            { title: 'Since', text: ({ since }) => since },
            { title: 'What', text: ({ summary }) => summary, shrink: true },
            { title: 'What to do', text: ({ runbook }) => runbook },
          ],
          answer.alerts,
        );
      }
      for (const { rule, connector, until, reason } of answer.silences)
        terminal.line(
          `Silenced until ${until}: ${rule ?? 'every rule'} of ${terminal.fit(connector ?? 'everything', TEXT_CHARS_MAX)} (${terminal.fit(reason, TEXT_CHARS_MAX)})`,
        );
      for (const { name, inactive } of answer.rules)
        if (inactive !== null) terminal.line(`Not judged: ${name} (${inactive})`);
    }
    return answer.firing > 0 ? EXIT.unwell : EXIT.done;
  });
}

const STYLES = { firing: 'red', pending: 'yellow', resolved: 'dim' } as const;

interface SilenceFlags extends GlobalFlags {
  readonly rule?: string;
  readonly connector?: string;
  readonly minutes?: number;
}

export function silence(host: CliHost, flags: SilenceFlags, reason: string): Promise<number> {
  return withSession(host, flags, async (session) => {
    const { rule, connector, minutes } = flags;
    const answer = await session.call(silenceAlerts, given({ rule, connector, minutes, reason }));
    const { terminal } = host;
    if (terminal.json) terminal.document(answer);
    else
      terminal.line(
        `Nobody is told of ${answer.rule ?? 'any alert'} of ${terminal.fit(answer.connector ?? 'anything', TEXT_CHARS_MAX)} until ${answer.until} (${terminal.fit(answer.reason, TEXT_CHARS_MAX)}).`,
      );
    return EXIT.done;
  });
}
