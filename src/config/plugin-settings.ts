// Entries of `connectors:` and `sinks:` have a type, and settings that only the code of that type can judge.
import type { ZodType } from 'zod';
import type { JsonObject } from '#core/json.ts';
import { ConnectionSchema } from './config-schema.ts';
import { toProblems, type PathProblem } from './issue-words.ts';
import { closed, toJsonSchema } from './json-schema.ts';
import { isTree, originAt, problemPlace, type Layers } from './layers.ts';
import { nearestOf, pathText } from './problem.ts';
import { SinkSchema } from './sink-settings.ts';

export interface PluginSection {
  readonly section: 'connectors' | 'sinks';
  readonly noun: 'connector' | 'sink';
  /** The key whose value the type's own schema judges. */
  readonly settings: 'metadata' | 'settings';
  /** What an entry may say beside it. */
  readonly keys: readonly string[];
}

export const CONNECTORS: PluginSection = {
  section: 'connectors',
  noun: 'connector',
  settings: 'metadata',
  keys: Object.keys(ConnectionSchema.shape),
};

export const SINKS: PluginSection = {
  section: 'sinks',
  noun: 'sink',
  settings: 'settings',
  keys: Object.keys(SinkSchema.shape),
};

export const PLUGIN_SECTIONS: readonly PluginSection[] = [CONNECTORS, SINKS];

export interface CheckedSettings {
  readonly problems: readonly PathProblem[];
  /** By name of the entry. */
  readonly values: ReadonlyMap<string, JsonObject>;
}

/** The settings of each entry against the schema of its type. Without schemas they are taken unchecked. */
export function checkPluginSettings(
  of: PluginSection,
  layers: Layers,
  schemas: ReadonlyMap<string, ZodType> | undefined,
): CheckedSettings {
  const problems: PathProblem[] = [];
  const values = new Map<string, JsonObject>();
  const entries = layers.value[of.section];
  for (const [name, entry] of isTree(entries) ? Object.entries(entries) : []) {
    const written = isTree(entry) ? (entry[of.settings] ?? {}) : undefined;
    if (!isTree(entry) || !isTree(written)) continue; // WeirSchema has said so
    values.set(name, written);
    const type = entry['type'] ?? name;
    if (schemas === undefined || typeof type !== 'string') continue;
    const schema = schemas.get(type);
    if (schema === undefined) {
      problems.push(unknownType(of, layers, name, type, [...schemas.keys()]));
      continue;
    }
    const strict = closed(schema);
    const result = strict.safeParse(written);
    // Settings are made of JSON by the parser; a plugin's schema that transforms them into something else is its own affair.
    if (result.success) values.set(name, result.data as JsonObject);
    else problems.push(...settingsProblems(of, result.error.issues, strict, name, layers));
  }
  return { problems, values };
}

/** Key → where it belongs, for keys of an entry that stand at the wrong level. */
export function keysElsewhere(of: PluginSection, entry: string): ReadonlyMap<string, string> {
  return new Map(of.keys.map((key) => [key, entry]));
}

function settingsProblems(
  of: PluginSection,
  issues: Parameters<typeof toProblems>[0][],
  schema: ZodType,
  name: string,
  layers: Layers,
): readonly PathProblem[] {
  const base = [of.section, name, of.settings];
  const described = toJsonSchema(schema);
  const elsewhere = keysElsewhere(of, `${of.section}.${name}`);
  return issues.flatMap((issue) => toProblems(issue, { layers, base, schema: described, elsewhere }));
}

function unknownType(
  of: PluginSection,
  layers: Layers,
  name: string,
  type: string,
  known: readonly string[],
): PathProblem {
  const written = layers.origins.has(JSON.stringify([of.section, name, 'type']));
  const path = written ? [of.section, name, 'type'] : [of.section, name];
  const { origin } = originAt(layers, path);
  const nearest = origin.kind === 'file' && origin.references.length > 0 ? undefined : nearestOf(type, known);
  const problem = written ? `unknown ${of.noun} type` : `the name is no ${of.noun} type and type is not given`;
  const hint = `${nearest === undefined ? '' : `did you mean ${nearest}? `}known types: ${[...known].sort().join(', ')}`;
  return {
    path,
    problem: { ...problemPlace(layers, path, written ? 'value' : 'key'), path: pathText(path), problem, hint },
  };
}
