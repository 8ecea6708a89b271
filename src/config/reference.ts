// docs/configuration.md, from the same schema and table that the parser uses.
import { ENVIRONMENT, type EnvironmentRow } from './environment.ts';
import { baseSchema, descriptionAt, toJsonSchema, type JsonSchema, type MetadataSchemas } from './json-schema.ts';
import { pathText } from './problem.ts';
import { RESERVED_SINK_NAMES, type SinkTypes } from './sink-settings.ts';

const INTRODUCTION = `# Configuration

<!-- Written by scripts/generate-docs.ts from the schema in src/config. Do not edit: change the descriptions there. -->
<!-- prettier-ignore-start -->

Weir reads \`weir.yaml\`. For each setting the first of these that says something wins: flags of the command line, environment
variables, the project's \`weir.yaml\`, the user's \`$XDG_CONFIG_HOME/weir/weir.yaml\`, the default. \`weir check\` lists every
problem at once as \`file:line:column  path  problem  hint\`; unknown keys are problems too. A key without a value counts as
not written. Relative paths start at the directory of the file they stand in; in flags and variables, at the working directory.

The text is YAML 1.2: only \`true\` and \`false\` are booleans (\`yes\` and \`on\` are texts), a leading zero is refused, merge keys
and tags do not exist. A file has at most 256 KiB and 100 aliases.

## References

Values, not keys, may hold references. They are replaced after the YAML was read, once, so nothing in a variable can add keys.

| Written | Becomes |
|---|---|
| \`\${NAME}\`, \`\${env:NAME}\` | the variable; read as YAML would read it there, so \`8000\` is a number |
| \`"\${NAME}"\` | the variable as text, always |
| \`\${NAME:-5}\` | the variable, or 5 when it is not set or empty |
| \`\${file:/run/secrets/token}\` | the file's text without the last line break, always text |
| \`$$\` | a dollar sign: \`$$\${NAME}\` is the text \`\${NAME}\` |

A variable that is not set, or is empty, and has no default is a problem (of a connector with \`enabled: false\`: a warning). Inside
\`[ ]\` and \`{ }\` a reference needs quotes.
`;

/** The whole page. With schemas, the settings of each type are listed too. */
export function configurationReference(
  metadataSchemas: MetadataSchemas = new Map(),
  sinkTypes: SinkTypes = new Map(),
): string {
  const sections = Object.entries(baseSchema().properties ?? {}).filter(([, schema]) => isSection(schema));
  const single = Object.entries(baseSchema().properties ?? {}).filter(
    ([key, schema]) => !isSection(schema) && key !== 'connectors' && key !== 'sinks',
  );
  const connection = baseSchema().properties?.['connectors']?.additionalProperties;
  const sink = baseSchema().properties?.['sinks']?.additionalProperties;
  const parts = [
    INTRODUCTION,
    '## connectors.&lt;name&gt;\n',
    'Names and tenants have 1 to 63 characters of `a-z`, `0-9`, `_` and `-`, beginning with a letter or digit; `health` is reserved.\n',
    table(typeof connection === 'object' ? connection : {}),
    ...[...metadataSchemas]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([type, schema]) => [`### metadata of ${type}\n`, table(toJsonSchema(schema))]),
    '## sinks.&lt;name&gt;\n',
    `Where events are sent besides timeline and library. Names are made like those of connectors; ${RESERVED_SINK_NAMES.map((name) => `\`${name}\``).join(', ')} are reserved.\n`,
    table(typeof sink === 'object' ? sink : {}),
    ...[...sinkTypes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([type, { settings }]) => [`### settings of ${type}\n`, table(toJsonSchema(settings))]),
    '## Top level\n',
    rows(single),
    ...sections.flatMap(([name, schema]) => [`## ${name}\n`, `${schema.description ?? ''}\n`, table(schema)]),
    '## Environment variables\n',
    environmentTable(),
  ];
  return `${parts.join('\n').trimEnd()}\n\n<!-- prettier-ignore-end -->\n`;
}

function isSection(schema: JsonSchema): boolean {
  return schema.properties !== undefined;
}

function table(schema: JsonSchema): string {
  const required = new Set(schema.required ?? []);
  return rows(Object.entries(schema.properties ?? {}), required);
}

function rows(
  properties: readonly (readonly [string, JsonSchema])[],
  required: ReadonlySet<string> = new Set(),
): string {
  const lines = properties.map(([key, schema]) => {
    const fallback =
      schema.default === undefined ? (required.has(key) ? 'required' : '–') : `\`${JSON.stringify(schema.default)}\``;
    return `| \`${key}\` | ${cell(shapeOf(schema))} | ${fallback} | ${cell(schema.description ?? '')} |`;
  });
  return ['| Key | Value | Default | Meaning |', '|---|---|---|---|', ...lines, ''].join('\n');
}

function shapeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(shapeOf))].join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((each) => `\`${String(each)}\``).join(', ');
  switch (schema.type) {
    case 'integer':
      return `whole number${rangeOf(schema)}`;
    case 'number':
      return `number${rangeOf(schema)}`;
    case 'boolean':
      return '`true` or `false`';
    case 'array':
      return typeof schema.items === 'object' ? `list of ${shapeOf(schema.items)}` : 'list';
    case 'object':
      return schema.properties === undefined ? 'mapping' : `{${Object.keys(schema.properties).join(', ')}}`;
    default:
      return 'text';
  }
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  // zod bounds every integer by 2^53: no limit anyone set.
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (low !== undefined && high !== undefined) return ` ${low} to ${high}`;
  return low !== undefined ? ` from ${low}` : high !== undefined ? ` up to ${high}` : '';
}

function environmentTable(): string {
  const lines = ENVIRONMENT.map((row) => `| \`${row.variable}\` | ${settingCell(row)} | ${cell(meaningOf(row))} |`);
  return [
    'Of several variables for one setting the lower one in this table wins; a key of the connector itself wins over all of them.',
    'A variable that is empty counts as not set. Booleans are `true`, `1`, `yes`, `on` and their opposites.\n',
    '| Variable | Setting | Meaning |',
    '|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function settingCell(row: EnvironmentRow): string {
  if (row.key === undefined) return '–';
  return row.connectionType === undefined
    ? `\`${pathText(row.key)}\``
    : `\`${pathText(row.key)}\` of ${row.connectionType} connectors`;
}

function meaningOf(row: EnvironmentRow): string {
  if (row.key === undefined) return row.reads ?? '';
  if (row.connectionType !== undefined)
    return `Used by ${row.connectionType} connectors that do not set it and have no base_url.`;
  return descriptionAt(baseSchema(), row.key) ?? '';
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
