import { toPlainLine, toPlainText } from '#core/plain-text.ts';
import { checkConnections } from '#operations/check-connections.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { given, withSession } from './with-session.ts';

interface CheckFlags extends GlobalFlags {
  readonly offline?: boolean;
}

export async function check(host: CliHost, flags: CheckFlags, name?: string): Promise<number> {
  const { terminal } = host;
  const config = await host.validateConfig(flags);
  for (const warning of config.warnings)
    terminal.note(`${terminal.paintNote('yellow', 'warning:')} ${toPlainLine(warning, 500)}`);
  if (flags.offline === true) {
    if (terminal.json) terminal.document({ schemaVersion: 1, ok: true, file: config.file, connectors: [] });
    else terminal.line(`${toPlainText(config.file)} is valid: ${config.connections} connectors.`);
    return EXIT.done;
  }
  return withSession(host, flags, async (session) => {
    const answer = await session.call(checkConnections, given({ connector: name }));
    if (terminal.json) terminal.document({ ...answer, file: config.file });
    else {
      terminal.line(`${toPlainText(config.file)} is valid: ${config.connections} connectors.`);
      for (const connector of answer.connectors) {
        terminal.line(
          `${connector.name}: ${connector.ok ? terminal.paint('green', 'ok') : terminal.paint('red', 'not ok')}`,
        );
        for (const { ok, message, hint } of connector.findings)
          terminal.line(
            `  ${ok ? '+' : '-'} ${terminal.fit(message, 500)}${hint === null ? '' : ` (${terminal.fit(hint, 500)})`}`,
          );
      }
    }
    return answer.ok ? EXIT.done : EXIT.unwell;
  });
}
