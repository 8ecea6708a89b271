// Every setting in force, where it came from, and nothing secret: what `weir config show --effective` prints.
import type { JsonValue } from '#core/json.ts';
import { baseSchema, toJsonSchema } from './json-schema.ts';
import { originAt, valueAt, type Layers, type Origin } from './layers.ts';
import type { ParsedConfig } from './parse-config.ts';
import { pathText } from './problem.ts';
import { isMarked, isSecret, leavesOf } from './secret-settings.ts';

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

/** Sorted by key. Lists are one value. Keys that are not set and have no default are left out. */
export function effectiveSettings(parsed: ParsedConfig): readonly EffectiveSetting[] {
  const { config, settings, layers } = parsed;
  const { connectors, sinks, ...sections } = settings;
  const base = baseSchema();
  const found: EffectiveSetting[] = leavesOf(toJson(sections), []).map(([path, value]) =>
    settingOf(layers, path, value, isMarked(base, path)),
  );
  for (const connection of config.connections) {
    const at = ['connectors', connection.name];
    const settingsOf = connectors[connection.name];
    if (settingsOf === undefined) continue;
    const { metadata: _metadata, poll_interval_seconds: _interval, ...written } = settingsOf;
    const { schedule } = connection;
    const timed = schedule.kind === 'interval' ? { poll_interval_seconds: schedule.pollIntervalMs / 1000 } : {};
    for (const [path, value] of leavesOf(toJson({ ...written, ...timed, type: connection.type }), at)) {
      found.push(settingOf(layers, path, value, isMarked(base, path)));
    }
    const metadataSchema = parsed.metadataSchemas.get(connection.type);
    const marks = metadataSchema === undefined ? {} : toJsonSchema(metadataSchema);
    for (const [path, value] of leavesOf(connection.metadata, [...at, 'metadata'])) {
      found.push(settingOf(layers, path, value, isMarked(marks, path.slice(3))));
    }
    for (const { key, from, factor } of INHERITED) {
      const value = valueAt(toJson(sections), from);
      if (valueAt(layers.value, [...at, key]) !== undefined || typeof value !== 'number') continue;
      found.push({ ...settingOf(layers, from, value * factor, false), key: pathText([...at, key]) });
    }
  }
  for (const sink of config.sinks) {
    const at = ['sinks', sink.name];
    const { settings: _settings, ...written } = sinks[sink.name] ?? {};
    for (const [path, value] of leavesOf(toJson({ ...written, type: sink.type }), at))
      found.push(settingOf(layers, path, value, isMarked(base, path)));
    const schema = parsed.sinkTypes.get(sink.type)?.settings;
    const marks = schema === undefined ? {} : toJsonSchema(schema);
    for (const [path, value] of leavesOf(sink.settings, [...at, 'settings']))
      found.push(settingOf(layers, path, value, isMarked(marks, path.slice(3))));
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function settingOf(layers: Layers, path: readonly string[], value: JsonValue, marked: boolean): EffectiveSetting {
  const { origin, exact } = originAt(layers, path);
  const secret = isSecret(layers, [path, value], marked);
  return {
    key: pathText(path),
    value: secret ? MASK : value,
    origin: originText(exact ? origin : { kind: 'default' }),
    secret,
  };
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

/** Drops what is undefined; settings hold nothing else that JSON cannot carry. */
function toJson(value: object): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue; // what JSON.parse returns is a JsonValue
}
