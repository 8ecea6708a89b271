import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';
import { renderTable } from '../table.ts';

export async function show(host: CliHost, flags: GlobalFlags): Promise<number> {
  const settings = await host.effectiveSettings(flags);
  const { terminal } = host;
  if (terminal.json) terminal.document({ schemaVersion: 1, settings });
  else {
    renderTable(
      terminal,
      [
        { title: 'Setting', text: ({ key }) => key },
        {
          title: 'Value',
          text: ({ value }) => (typeof value === 'string' ? value : JSON.stringify(value)),
          shrink: true,
        },
        { title: 'Origin', text: ({ origin }) => origin },
      ],
      settings,
    );
  }
  return EXIT.done;
}

export async function schema(host: CliHost): Promise<number> {
  host.terminal.document(await host.configSchema());
  return EXIT.done;
}
