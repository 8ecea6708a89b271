import { existsSync, readdirSync } from 'node:fs';
import type { Connector } from '#core/connector.ts';
import { Fault } from '#core/fault.ts';
import { NAME_PATTERN } from '#core/names.ts';

export interface Registry {
  /** Every connector type there is, sorted. */
  readonly types: readonly string[];
  /** Loads the code of one type, once. Throws `config_invalid` for an unknown type, naming those there are. */
  load(type: string): Promise<Connector>;
}

const ENTRY_FILES = ['connector.ts', 'connector.js'] as const;

/** The folder listing is the registry: adding a connector touches nothing but its own folder. */
export function openRegistry(folder: URL): Registry {
  const entries = new Map<string, URL>();
  for (const dirent of readdirSync(folder, { withFileTypes: true })) {
    const entry = dirent.isDirectory() && NAME_PATTERN.test(dirent.name) ? entryOf(folder, dirent.name) : undefined;
    if (entry !== undefined) entries.set(dirent.name, entry);
  }
  const types = [...entries.keys()].sort();
  const loaded = new Map<string, Promise<Connector>>();
  return {
    types,
    load(type) {
      const known = loaded.get(type);
      if (known !== undefined) return known;
      const entry = entries.get(type);
      if (entry === undefined)
        return Promise.reject(
          new Fault('config_invalid', `there is no connector type ${type}; there are ${types.join(', ')}`),
        );
      const loading = importConnector(type, entry);
      loaded.set(type, loading);
      return loading;
    },
  };
}

function entryOf(folder: URL, type: string): URL | undefined {
  const urls = ENTRY_FILES.map((file) => new URL(`${type}/${file}`, folder));
  return urls.find((url) => existsSync(url));
}

async function importConnector(type: string, entry: URL): Promise<Connector> {
  // Code of our own folder: what it must export is checked next.
  const module = (await import(entry.href)) as { default?: Connector };
  const connector = module.default;
  if (connector?.type !== type)
    throw new Fault('internal', `${entry.pathname} does not export the connector ${type} by default`);
  return connector;
}
