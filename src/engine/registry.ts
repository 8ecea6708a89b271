import { existsSync, readdirSync } from 'node:fs';
import type { Connector } from '#core/connector.ts';
import { Fault } from '#core/fault.ts';
import { NAME_PATTERN } from '#core/names.ts';
import type { SinkDefinition } from '#core/sink.ts';

export interface Registry<Plugin = Connector> {
  /** Every type there is, sorted. */
  readonly types: readonly string[];
  /** Loads the code of one type, once. Throws `config_invalid` for an unknown type, naming those there are. */
  load(type: string): Promise<Plugin>;
}

export type SinkRegistry = Registry<SinkDefinition>;

/** The folder listing is the registry: adding a connector touches nothing but its own folder. */
export function openRegistry(folder: URL): Registry {
  return openFolder<Connector>(folder, 'connector');
}

export function openSinkRegistry(folder: URL): SinkRegistry {
  return openFolder<SinkDefinition>(folder, 'sink');
}

function openFolder<Plugin extends { readonly type: string }>(
  folder: URL,
  noun: 'connector' | 'sink',
): Registry<Plugin> {
  const entries = new Map<string, URL>();
  for (const dirent of readdirSync(folder, { withFileTypes: true })) {
    const directory = dirent.isDirectory() && NAME_PATTERN.test(dirent.name);
    const entry = directory ? entryOf(new URL(`${dirent.name}/`, folder), noun) : undefined;
    if (entry !== undefined) entries.set(dirent.name, entry);
  }
  const types = [...entries.keys()].sort();
  const loaded = new Map<string, Promise<Plugin>>();
  return {
    types,
    load(type) {
      const known = loaded.get(type);
      if (known !== undefined) return known;
      const entry = entries.get(type);
      if (entry === undefined)
        return Promise.reject(
          new Fault('config_invalid', `there is no ${noun} type ${type}; there are ${types.join(', ')}`),
        );
      const loading = importPlugin<Plugin>(type, entry, noun);
      loaded.set(type, loading);
      return loading;
    },
  };
}

function entryOf(folder: URL, noun: string): URL | undefined {
  return [`${noun}.ts`, `${noun}.js`].map((file) => new URL(file, folder)).find((url) => existsSync(url));
}

async function importPlugin<Plugin extends { readonly type: string }>(
  type: string,
  entry: URL,
  noun: string,
): Promise<Plugin> {
  // Code of our own folder: what it must export is checked next.
  const module = (await import(entry.href)) as { default?: Plugin };
  const plugin = module.default;
  if (plugin?.type !== type)
    throw new Fault('internal', `${entry.pathname} does not export the ${noun} ${type} by default`);
  return plugin;
}
