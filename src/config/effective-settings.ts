// Every setting in force, where it came from, and nothing secret: what `weir config show --effective` prints.
import type { JsonValue } from '#core/json.ts';
import { baseSchema, schemasAt } from './json-schema.ts';
import { isTree, originAt, valueAt, type Layers, type Origin } from './layers.ts';
import type { ParsedConfig } from './parse-config.ts';
import { pathText } from './problem.ts';

export const MASK = '********';

export interface EffectiveSetting {
  /** `connectors.git.batch_size`. */
  readonly key: string;
  /** Masked when secret. */
  readonly value: JsonValue;
  /** `flag --port`, `environment RETRY_BASE_MS`, `weir.yaml:12`, `default`. */
  readonly origin: string;
  readonly secret: boolean;
}

/** Connection keys without a default of their own, and the key each takes over. */
const INHERITED: readonly { readonly key: string; readonly from: readonly string[]; readonly factor: number }[] = [
  { key: 'max_retries', from: ['retry', 'max_attempts'], factor: 1 },
  { key: 'backoff_base_seconds', from: ['retry', 'base_ms'], factor: 1 / 1000 },
  { key: 'circuit_breaker_failure_threshold', from: ['circuit_breaker', 'failures_to_open'], factor: 1 },
  { key: 'circuit_breaker_timeout_seconds', from: ['circuit_breaker', 'cooldown_seconds'], factor: 1 },
];

// Connectors mark secret fields with `writeOnly`; these words catch what an author forgot, and what a reference brings.
const SECRET_WORDS = /token|secret|passw|credential|api_?key|private_?key|authorization/i;

/** Sorted by key. Lists are one value. Keys that are not set and have no default are left out. */
export function effectiveSettings(parsed: ParsedConfig): readonly EffectiveSetting[] {
  const { config, settings, layers } = parsed;
  const { connectors, ...sections } = settings;
  const found: EffectiveSetting[] = leavesOf(toJson(sections), []).map(([path, value]) =>
    settingOf(layers, path, path, value),
  );
  for (const connection of config.connections) {
    const base = ['connectors', connection.name];
    const {
      metadata: _metadata,
      poll_interval_seconds: interval,
      ...written
    } = connectors[connection.name] ?? { metadata: {}, poll_interval_seconds: 0 };
    const timed = 'schedule' in written && written.schedule !== undefined ? {} : { poll_interval_seconds: interval };
    const shown = { ...written, ...timed, type: connection.type, metadata: connection.metadata };
    found.push(...leavesOf(toJson(shown), base).map(([path, value]) => settingOf(layers, path, path, value)));
    for (const { key, from, factor } of INHERITED) {
      const own = Object.hasOwn(written, key) && valueAt(layers.value, [...base, key]) !== undefined;
      const value = valueAt(toJson(sections), from);
      if (!own && typeof value === 'number') found.push(settingOf(layers, [...base, key], from, value * factor));
    }
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function settingOf(
  layers: Layers,
  path: readonly string[],
  originPath: readonly string[],
  value: JsonValue,
): EffectiveSetting {
  const { origin, exact } = originAt(layers, originPath);
  const from: Origin = exact ? origin : { kind: 'default' };
  const secret = isSecret(path, from);
  return { key: pathText(path), value: secret ? MASK : value, origin: originText(from), secret };
}

function isSecret(path: readonly string[], origin: Origin): boolean {
  const marked = path.some((_, i) =>
    schemasAt(baseSchema(), path.slice(0, i + 1)).some((schema) => schema.writeOnly === true),
  );
  const named = path[0] === 'connectors' && path.slice(2).some((key) => SECRET_WORDS.test(key));
  const referenced =
    origin.kind === 'file' && origin.references.some((each) => each.startsWith('file:') || SECRET_WORDS.test(each));
  return marked || named || referenced;
}

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'file': {
      const variables = origin.references.map((each) => `\${${each}}`).join(' ');
      return `${origin.value.file}:${origin.value.line}${variables === '' ? '' : ` ${variables}`}`;
    }
    case 'environment':
      return `environment ${origin.variable}`;
    case 'flag':
      return `flag ${origin.flag}`;
    case 'default':
      return 'default';
  }
}

function leavesOf(value: JsonValue, path: readonly string[]): readonly (readonly [readonly string[], JsonValue])[] {
  if (!isTree(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, below]) => leavesOf(below, [...path, key]));
}

/** Drops what is undefined; settings hold nothing else that JSON cannot carry. */
function toJson(value: object): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue; // what JSON.parse returns is a JsonValue
}
