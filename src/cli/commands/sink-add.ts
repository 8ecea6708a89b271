import { toPlainLine, toPlainText } from '#core/plain-text.ts';
import { Fault } from '#core/fault.ts';
import type { JsonObject, JsonValue } from '#core/json.ts';
import { numberProblem, plainScalar } from '#config/substitute.ts';
import { isSensitiveName } from '#telemetry/sensitive-shapes.ts';
import { EXIT } from '../exit-code.ts';
import type { CliHost, GlobalFlags } from '../host.ts';

interface AddFlags extends GlobalFlags {
  readonly type: string;
  readonly set?: readonly string[];
  readonly secretEnv?: string;
  readonly from?: string;
  readonly tenant?: readonly string[];
  readonly connector?: readonly string[];
  readonly kind?: readonly string[];
}

const WARNING_CHARS_MAX = 500;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export async function add(host: CliHost, flags: AddFlags, name: string): Promise<number> {
  const { file, text, warnings } = await host.addSink(flags, name, toEntry(flags));
  const { terminal } = host;
  for (const warning of warnings)
    terminal.note(`${terminal.paintNote('yellow', 'warning:')} ${toPlainLine(warning, WARNING_CHARS_MAX)}`);
  if (terminal.json) terminal.document({ schemaVersion: 1, file, name, text });
  else {
    terminal.line(`Added to ${toPlainText(file)}:`);
    terminal.line();
    terminal.line(toPlainText(text.trimEnd()));
    terminal.line();
    terminal.line('A restart of Weir takes it up.');
  }
  return EXIT.done;
}

function toEntry({ type, set = [], secretEnv, from, tenant, connector, kind }: AddFlags): JsonObject {
  const settings: [string, JsonValue][] = set.map(toSetting);
  if (secretEnv !== undefined) {
    if (!VARIABLE.test(secretEnv))
      throw new Fault(
        'input_invalid',
        '--secret-env takes the name of an environment variable, never the secret itself',
      );
    settings.push(['secret', `\${${secretEnv}}`]);
  }
  return {
    type,
    ...(from === undefined ? {} : { from }),
    ...(tenant === undefined ? {} : { tenants: tenant }),
    ...(connector === undefined ? {} : { connectors: connector }),
    ...(kind === undefined ? {} : { kinds: kind }),
    ...(settings.length === 0 ? {} : { settings: Object.fromEntries(settings) }),
  };
}

/** `timeout_seconds=10` as YAML would read it. A secret on a command line ends up in histories and process lists: refused (I7). */
function toSetting(text: string): [string, JsonValue] {
  const at = text.indexOf('=');
  if (at < 1)
    throw new Fault('input_invalid', '--set takes a setting and its value: --set url=https://crm.example.com');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  if (isSensitiveName(name) && !/^\$\{(?:\w+|file:[^}]+)\}$/.test(value))
    throw new Fault('input_invalid', `${name} is a secret: give --secret-env with the variable that holds it`);
  // A number that YAML would not keep as it is written is text: an account number, a code with leading zeros.
  return [name, numberProblem(value) === undefined ? plainScalar(value) : value];
}
