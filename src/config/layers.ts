// Precedence: later layers win, key by key, and every value remembers where it came from.
import type { JsonValue } from '#core/json.ts';
import type { OuterSetting } from './environment.ts';
import { placeKey, type Place, type ValuePlace, type YamlTree } from './yaml-tree.ts';

export type Origin =
  | { readonly kind: 'default' }
  | ({ readonly kind: 'file' } & ValuePlace)
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

export type Tree = { readonly [key: string]: JsonValue };

export interface Layers {
  readonly value: Tree;
  readonly origins: ReadonlyMap<string, Origin>;
}

export const EMPTY_LAYERS: Layers = { value: {}, origins: new Map() };

export function isTree(value: JsonValue | undefined): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A file over what is below it. Mappings merge, everything else replaces. */
export function withFile(lower: Layers, file: YamlTree): Layers {
  const origins = new Map(lower.origins);
  for (const [key, place] of file.places) origins.set(key, { kind: 'file', ...place });
  return { value: merge(withoutReplacedSchedules(lower.value, file.value), file.value), origins };
}

/** One variable or flag over what is below it. */
export function withSetting(lower: Layers, setting: OuterSetting): Layers {
  const nested = setting.path.reduceRight<JsonValue>((value, key) => ({ [key]: value }), setting.value);
  const origins = new Map(lower.origins);
  origins.set(placeKey(setting.path), setting.origin);
  return { value: isTree(nested) ? merge(lower.value, nested) : lower.value, origins };
}

function merge(lower: Tree, upper: Tree): Tree {
  const merged = new Map(Object.entries(lower));
  for (const [key, value] of Object.entries(upper)) {
    const below = merged.get(key);
    merged.set(key, isTree(below) && isTree(value) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

/** schedule and poll_interval_seconds exclude each other: naming one in a file replaces the other of the file below. */
function withoutReplacedSchedules(lower: Tree, upper: Tree): Tree {
  const { connectors } = lower;
  const above = upper['connectors'];
  if (!isTree(connectors) || !isTree(above)) return lower;
  const kept = Object.entries(connectors).map(([name, connection]) => {
    const over = Object.hasOwn(above, name) ? above[name] : undefined;
    if (!isTree(connection) || !isTree(over) || !('schedule' in over || 'poll_interval_seconds' in over))
      return [name, connection] as const;
    const { schedule: _schedule, poll_interval_seconds: _interval, ...rest } = connection;
    return [name, rest] as const;
  });
  return { ...lower, connectors: Object.fromEntries(kept) };
}

/** The origin of the value at `path`, or of the nearest mapping around it. */
export function originAt(
  layers: Layers,
  path: readonly PropertyKey[],
): { readonly origin: Origin; readonly exact: boolean } {
  for (let length = path.length; length >= 0; length -= 1) {
    const origin = layers.origins.get(placeKey(path.slice(0, length)));
    if (origin !== undefined) return { origin, exact: length === path.length };
  }
  return { origin: { kind: 'default' }, exact: false };
}

export function valueAt(value: JsonValue | undefined, path: readonly PropertyKey[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((at, part) => {
    if (isList(at)) return typeof part === 'number' ? at[part] : undefined;
    return isTree(at) && Object.hasOwn(at, String(part)) ? at[String(part)] : undefined;
  }, value);
}

// Array.isArray would narrow a readonly array to any[].
function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** Where a problem at `path` is shown: the value itself; for an unknown key the key; for a missing one the mapping around it. */
export function problemPlace(
  layers: Layers,
  path: readonly PropertyKey[],
  at: 'key' | 'value',
): Partial<Place> & { readonly origin?: string } {
  const { origin, exact } = originAt(layers, path);
  switch (origin.kind) {
    case 'file':
      return at === 'key' || !exact ? origin.key : origin.value;
    case 'environment':
      return { origin: `environment ${origin.variable}` };
    case 'flag':
      return { origin: `flag ${origin.flag}` };
    case 'default':
      return {};
  }
}
