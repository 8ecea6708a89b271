// `weir.yaml`, environment and flags → the configuration, or every problem at once.
import { dirname, resolve } from 'node:path';
import { Fault } from '#core/fault.ts';
import type { JsonObject } from '#core/json.ts';
import { CONNECTOR_LIMITS_DEFAULT, toConfig, type ConnectorLimits, type WeirConfig } from './config.ts';
import { WeirSchema, type WeirSettings } from './config-schema.ts';
import {
  ENVIRONMENT,
  environmentSettings,
  flagSettings,
  valueOf,
  type ConfigFlags,
  type Variables,
} from './environment.ts';
import { toProblems, type PathProblem } from './issue-words.ts';
import { baseSchema, toJsonSchema, type MetadataSchemas } from './json-schema.ts';
import {
  EMPTY_LAYERS,
  isTree,
  originAt,
  problemPlace,
  valueAt,
  withFile,
  withSetting,
  type Layers,
  type Tree,
} from './layers.ts';
import { checkPluginSettings, CONNECTORS, keysElsewhere, PLUGIN_SECTIONS, SINKS } from './plugin-settings.ts';
import { formatProblems, pathText, type ConfigProblem } from './problem.ts';
import { isMarked, isSecret, leavesOf, textsIn } from './secret-settings.ts';
import { settingsSchemas, toSinks, type SinkConfig, type SinkTypes } from './sink-settings.ts';
import { sinkWarnings } from './sink-warnings.ts';
import { parseYamlTree, type MissingReference } from './yaml-tree.ts';

const PROBLEMS_MAX = 100; // listed; a file with more is of another program

export interface ConfigFile {
  readonly text: string;
  /** Absolute, or relative to `cwd`; shown as given. */
  readonly file: string;
}

export interface ParseConfigInput extends ConfigFile {
  /** `$XDG_CONFIG_HOME/weir/weir.yaml`, when there is one: below the project's file in precedence. */
  readonly userFile?: ConfigFile;
  readonly env: Variables;
  readonly flags?: ConfigFlags;
  /** Absolute working directory: where relative paths of flags and variables start. */
  readonly cwd: string;
  /** Text of an absolute path; throws when it cannot be read. Called for `${file:…}` only. */
  readonly readFile: (path: string) => string;
  /** By connector type. Absent: types and metadata are taken unchecked (`weir config schema`, tests). */
  readonly metadataSchemas?: MetadataSchemas;
  /** By sink type. Absent: types and settings are taken unchecked. */
  readonly sinkTypes?: SinkTypes;
  /** By connector type: what it suggests where the user says nothing. */
  readonly connectorLimits?: ReadonlyMap<string, ConnectorLimits>;
}

export interface ParsedConfig {
  readonly config: WeirConfig;
  /** Worth saying, no reason to stop: missing variables of disabled connections, variables without effect. */
  readonly warnings: readonly ConfigProblem[];
  /** For `effectiveSettings`. */
  readonly settings: WeirSettings;
  readonly layers: Layers;
  readonly metadataSchemas: MetadataSchemas;
  readonly sinkTypes: SinkTypes;
}

/**
 * Throws `config_invalid` with all problems in `problems` and, formatted, in the message. Nothing is read but what
 * `readFile` reads; nothing of a faulty configuration takes effect.
 */
export function parseConfig(input: ParseConfigInput): ParsedConfig {
  const files = [input.userFile, input].filter((each) => each !== undefined);
  const trees = files.map(({ text, file }) => {
    const directory = dirname(resolve(input.cwd, file));
    return parseYamlTree(text, file, { env: input.env, readFile: (path) => input.readFile(resolve(directory, path)) });
  });
  const outer = environmentSettings(input.env);
  let layers = trees.reduce(withFile, EMPTY_LAYERS);
  for (const setting of [...outer.settings, ...flagSettings(input.flags ?? {})]) layers = withSetting(layers, setting);
  layers = withConnectionVariables(layers, input.env);

  const missing = splitMissing(
    trees.flatMap((tree) => tree.missing),
    layers,
  );
  layers = { ...layers, value: withoutBrokenKeys(layers.value, missing.disabled) };
  const base = WeirSchema.safeParse(layers.value);
  const metadata = checkPluginSettings(CONNECTORS, layers, input.metadataSchemas);
  const sinkSettings = checkPluginSettings(
    SINKS,
    layers,
    input.sinkTypes === undefined ? undefined : settingsSchemas(input.sinkTypes),
  );
  const found: PathProblem[] = [
    ...(base.success ? [] : baseProblems(base.error.issues, layers)),
    ...scheduleProblems(layers),
    ...metadata.problems,
    ...sinkSettings.problems,
  ];
  // A value that is missing is one problem, not a second one as "required".
  const unset = new Set([...missing.errors, ...missing.disabled].map(({ path }) => pathText(path)));
  const problems = [
    ...trees.flatMap((tree) => tree.problems),
    ...missing.errors.map(missingProblem),
    ...outer.problems,
    ...found.filter(({ path }) => !unset.has(pathText(path))).map(({ problem }) => problem),
  ];
  // A failed parse without a problem of its own only failed where a syntax error already explains it.
  if (problems.length > 0 || !base.success) throw invalid(input.file, problems);

  const settings = base.data;
  const directory = dirname(resolve(input.cwd, input.file));
  const startOf = (path: readonly PropertyKey[]): string => {
    const { origin } = originAt(layers, path);
    return origin.kind === 'file'
      ? dirname(resolve(input.cwd, origin.value.file))
      : origin.kind === 'default'
        ? directory
        : input.cwd;
  };
  const sinkTypes = input.sinkTypes ?? new Map();
  const sinks = sinksOf(settings, sinkSettings.values, layers, sinkTypes);
  const config = toConfig(settings, {
    limitsOf: (type) => input.connectorLimits?.get(type) ?? CONNECTOR_LIMITS_DEFAULT,
    directory,
    toAbsolute: (path, text) => resolve(originAt(layers, path).exact ? startOf(path) : directory, text),
    directoryOf: (name) => startOf(['connectors', name]),
    metadataOf: (name) => metadata.values.get(name) ?? {},
    sinks,
  });
  return {
    config,
    settings,
    layers,
    metadataSchemas: input.metadataSchemas ?? new Map(),
    sinkTypes,
    warnings: [
      ...outer.warnings,
      ...missing.disabled.map(missingProblem),
      ...sinkWarnings(sinks, { settings, layers, types: sinkTypes }),
    ],
  };
}

function baseProblems(issues: Parameters<typeof toProblems>[0][], layers: Layers): readonly PathProblem[] {
  const elsewhere = keysElsewhere(CONNECTORS, 'connectors.<name>');
  return issues.flatMap((issue) => toProblems(issue, { layers, base: [], schema: baseSchema(), elsewhere }));
}

function sinksOf(
  { sinks }: WeirSettings,
  values: ReadonlyMap<string, JsonObject>,
  layers: Layers,
  types: SinkTypes,
): readonly SinkConfig[] {
  const settingsOf = (name: string): JsonObject => values.get(name) ?? {};
  return toSinks(sinks, {
    settingsOf,
    secretsOf(name) {
      const schema = types.get(sinks[name]?.type ?? name)?.settings;
      const marks = schema === undefined ? {} : toJsonSchema(schema);
      return leavesOf(settingsOf(name), ['sinks', name, 'settings'])
        .filter((leaf) => isSecret(layers, leaf, isMarked(marks, leaf[0].slice(3))))
        .flatMap(([, value]) => textsIn(value));
    },
  });
}

function invalid(file: string, problems: readonly ConfigProblem[]): Fault {
  const sorted = [...problems].sort(
    (a, b) => compare(a.file ?? '', b.file ?? '') || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
  const listed = sorted.slice(0, PROBLEMS_MAX);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const more = sorted.length > listed.length ? `\n… and ${sorted.length - listed.length} more` : '';
  return new Fault('config_invalid', `${count} in the configuration (${file})\n${formatProblems(listed)}${more}`, {
    details: { place: file },
    problems: listed,
  });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function missingProblem({ path, variable, place }: MissingReference): ConfigProblem {
  return {
    ...place,
    path: pathText(path),
    problem: `the variable ${variable} is not set or empty`,
    hint: `set it, or give a default: \${${variable}:-…}`,
  };
}

/** Variables of types (GITHUB_TOKEN): only where the connection says nothing and talks to the public address. */
function withConnectionVariables(layers: Layers, env: Variables): Layers {
  const connectors = layers.value['connectors'];
  let result = layers;
  for (const [name, connection] of isTree(connectors) ? Object.entries(connectors) : []) {
    if (!isTree(connection)) continue;
    for (const { variable, key, connectionType } of ENVIRONMENT) {
      if (connectionType === undefined || key === undefined || connectionType !== (connection['type'] ?? name))
        continue;
      const value = valueOf(env, variable);
      const path = ['connectors', name, ...key];
      // A place without a value is a reference whose variable is missing: that is reported, not papered over.
      const said = valueAt(layers.value, path) !== undefined || originAt(layers, path).exact;
      if (value === undefined || said || connection['base_url'] !== undefined) continue;
      result = withSetting(result, { path, value, origin: { kind: 'environment', variable } });
    }
  }
  return result;
}

interface Missing {
  readonly errors: readonly MissingReference[];
  readonly disabled: readonly MissingReference[];
}

/** Of enabled connections and sinks and of everything else: errors. Of disabled ones: warnings. Overridden ones do not count. */
function splitMissing(all: readonly MissingReference[], layers: Layers): Missing {
  const live = all.filter(({ path, place }) => {
    const { origin } = originAt(layers, path);
    return (
      origin.kind === 'file' &&
      origin.value.file === place.file &&
      origin.value.line === place.line &&
      origin.value.column === place.column
    );
  });
  const disabled = ({ path }: MissingReference): boolean =>
    PLUGIN_SECTIONS.some(({ section }) => section === path[0]) &&
    valueAt(layers.value, [...path.slice(0, 2), 'enabled']) === false;
  return { errors: live.filter((each) => !disabled(each)), disabled: live.filter(disabled) };
}

/** A list or mapping with a missing part says nothing useful: in a disabled entry the whole key is left out. */
function withoutBrokenKeys(value: Tree, missing: readonly MissingReference[]): Tree {
  return missing.reduce<Tree>((tree, { path }) => {
    const [section = '', name = '', key] = path.map(String);
    const settings = PLUGIN_SECTIONS.find((each) => each.section === section)?.settings;
    const entries = tree[section];
    if (key === undefined || key === settings || !isTree(entries)) return tree;
    const entry = entries[name];
    if (!isTree(entry)) return tree;
    const rest = Object.fromEntries(Object.entries(entry).filter(([each]) => each !== key));
    return { ...tree, [section]: { ...entries, [name]: rest } };
  }, value);
}

function scheduleProblems(layers: Layers): readonly PathProblem[] {
  const connectors = layers.value['connectors'];
  return Object.entries(isTree(connectors) ? connectors : {}).flatMap(([name, connection]): PathProblem[] => {
    if (!isTree(connection) || !('schedule' in connection) || !('poll_interval_seconds' in connection)) return [];
    const path = ['connectors', name, 'schedule'];
    return [
      {
        path,
        problem: {
          ...problemPlace(layers, path, 'key'),
          path: pathText(path),
          problem: 'schedule and poll_interval_seconds exclude each other',
          hint: 'keep one of them',
        },
      },
    ];
  });
}
