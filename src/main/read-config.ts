import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Connector } from '#core/connector.ts';
import { Fault } from '#core/fault.ts';
import type { MetadataSchemas } from '#config/json-schema.ts';
import { parseConfig, type ConfigFile, type ParseConfigInput, type ParsedConfig } from '#config/parse-config.ts';
import type { Registry, SinkRegistry } from '#engine/registry.ts';
import type { SinkDefinitions } from './sinks.ts';

export const CONFIG_FILE = 'weir.yaml';

export interface ConfigFlags {
  readonly config?: string;
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
}

export interface ReadConfigOptions {
  readonly flags: ConfigFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Stands in for the text of the project's file: to see whether it would be valid. */
  readonly text?: string;
  readonly registry: Registry;
  readonly sinkRegistry: SinkRegistry;
}

export interface LoadedConfig {
  readonly parsed: ParsedConfig;
  /** Absolute path of the project's file, whether or not it exists. */
  readonly file: string;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly sinks: SinkDefinitions;
}

/** Where weir.yaml is: the flag, then WEIR_CONFIG, then the working directory. */
export function configPath({ flags, env, cwd }: Pick<ReadConfigOptions, 'flags' | 'env' | 'cwd'>): {
  readonly file: string;
  readonly named: boolean;
} {
  const named = flags.config ?? nonEmpty(env['WEIR_CONFIG']);
  return { file: resolve(cwd, named ?? CONFIG_FILE), named: named !== undefined };
}

/** Files, environment and flags → typed configuration and the code of the connectors and sinks it names. Throws `config_invalid` with everything wrong at once. */
export async function readConfig(options: ReadConfigOptions): Promise<LoadedConfig> {
  const { file, named } = configPath(options);
  if (named && !existsSync(file)) throw new Fault('config_invalid', `${file} does not exist`);
  const userFile = readUserFile(options.env);
  const input: ParseConfigInput = {
    text: options.text ?? (existsSync(file) ? readText(file) : ''),
    file,
    ...(userFile === undefined ? {} : { userFile }),
    env: options.env,
    flags: definedOnly(options.flags),
    cwd: options.cwd,
    readFile: (path) => readFileSync(path, 'utf8'),
  };
  const used = typesIn(input, options);
  const connectors = await loadPlugins(options.registry, used.connectors);
  const sinks = await loadPlugins(options.sinkRegistry, used.sinks);
  const metadataSchemas: MetadataSchemas = new Map(
    [...connectors].map(([type, connector]) => [type, connector.config]),
  );
  const connectorLimits = new Map([...connectors].map(([type, connector]) => [type, connector.limits]));
  const parsed = parseConfig({ ...input, metadataSchemas, connectorLimits, sinkTypes: sinks });
  return { parsed, file, connectors, sinks };
}

interface UsedTypes {
  readonly connectors: readonly string[];
  readonly sinks: readonly string[];
}

// Only the plugins that are used are loaded; when that cannot be told, or a type is unknown, all of them, so that the
// message can say what there is.
function typesIn(input: ParseConfigInput, { registry, sinkRegistry }: ReadConfigOptions): UsedTypes {
  try {
    const { connections, sinks } = parseConfig(input).config;
    return { connectors: knownOrAll(connections, registry.types), sinks: knownOrAll(sinks, sinkRegistry.types) };
  } catch {
    return { connectors: registry.types, sinks: sinkRegistry.types };
  }
}

function knownOrAll(entries: readonly { readonly type: string }[], all: readonly string[]): readonly string[] {
  const types = [...new Set(entries.map(({ type }) => type))];
  return types.every((type) => all.includes(type)) ? types : all;
}

async function loadPlugins<Plugin>(
  registry: Registry<Plugin>,
  types: readonly string[],
): Promise<ReadonlyMap<string, Plugin>> {
  return new Map(await Promise.all(types.map(async (type) => [type, await registry.load(type)] as const)));
}

function readUserFile(env: ReadConfigOptions['env']): ConfigFile | undefined {
  const home = nonEmpty(env['HOME']);
  const base = nonEmpty(env['XDG_CONFIG_HOME']) ?? (home === undefined ? undefined : join(home, '.config'));
  if (base === undefined) return undefined;
  const file = join(base, 'weir', CONFIG_FILE);
  return existsSync(file) ? { text: readText(file), file } : undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault(
      'config_invalid',
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function definedOnly({ data, host, port }: ConfigFlags): NonNullable<ParseConfigInput['flags']> {
  return {
    ...(data === undefined ? {} : { data }),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
