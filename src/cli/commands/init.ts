import { toPlainText } from '#core/plain-text.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';

export async function init(host: CliHost, flags: GlobalFlags): Promise<number> {
  const { file } = await host.init(flags);
  if (host.terminal.json) host.terminal.document({ schemaVersion: 1, file });
  else host.terminal.line(`Wrote ${toPlainText(file)}. Next: weir check, then weir start.`);
  return EXIT.done;
}
