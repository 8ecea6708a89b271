import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Connector } from '#core/connector.ts';
import { Fault } from '#core/fault.ts';
import type { MetadataSchemas } from '#config/json-schema.ts';
import { parseConfig, type ConfigFile, type ParseConfigInput, type ParsedConfig } from '#config/parse-config.ts';
import type { Registry } from '#engine/registry.ts';

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
  readonly registry: Registry;
}

export interface LoadedConfig {
  readonly parsed: ParsedConfig;
  /** Absolute path of the project's file, whether or not it exists. */
  readonly file: string;
  readonly connectors: ReadonlyMap<string, Connector>;
}

/** Where weir.yaml is: the flag, then WEIR_CONFIG, then the working directory. */
export function configPath({ flags, env, cwd }: Pick<ReadConfigOptions, 'flags' | 'env' | 'cwd'>): {
  readonly file: string;
  readonly named: boolean;
} {
  const named = flags.config ?? nonEmpty(env['WEIR_CONFIG']);
  return { file: resolve(cwd, named ?? CONFIG_FILE), named: named !== undefined };
}

/** Files, environment and flags → typed configuration and the code of the connectors it names. Throws `config_invalid` with everything wrong at once. */
export async function readConfig(options: ReadConfigOptions): Promise<LoadedConfig> {
  const { file, named } = configPath(options);
  if (named && !existsSync(file)) throw new Fault('config_invalid', `${file} does not exist`);
  const userFile = readUserFile(options.env);
  const input: ParseConfigInput = {
    text: existsSync(file) ? readText(file) : '',
    file,
    ...(userFile === undefined ? {} : { userFile }),
    env: options.env,
    flags: definedOnly(options.flags),
    cwd: options.cwd,
    readFile: (path) => readFileSync(path, 'utf8'),
  };
  const connectors = await loadConnectors(options.registry, typesIn(input, options.registry));
  const metadataSchemas: MetadataSchemas = new Map(
    [...connectors].map(([type, connector]) => [type, connector.config]),
  );
  const connectorLimits = new Map([...connectors].map(([type, connector]) => [type, connector.limits]));
  return { parsed: parseConfig({ ...input, metadataSchemas, connectorLimits }), file, connectors };
}

// Only the connectors that are used are loaded; when that cannot be told, or a type is unknown, all of them, so that the
// message can say what there is.
function typesIn(input: ParseConfigInput, registry: Registry): readonly string[] {
  try {
    const types = [...new Set(parseConfig(input).config.connections.map(({ type }) => type))];
    return types.every((type) => registry.types.includes(type)) ? types : registry.types;
  } catch {
    return registry.types;
  }
}

async function loadConnectors(registry: Registry, types: readonly string[]): Promise<ReadonlyMap<string, Connector>> {
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
