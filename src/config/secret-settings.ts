// Which settings must never be shown (I7): what a schema marks, what is called like a secret, what a reference brings that is.
import type { JsonValue } from '#core/json.ts';
import { schemasAt, type JsonSchema } from './json-schema.ts';
import { isTree, originAt, type Layers } from './layers.ts';

// Plugins mark secret fields with `writeOnly`; these words catch what an author forgot, and what a reference brings.
const SECRET_WORDS = /token|secret|passw|credential|api_?key|private_?key|authorization/i;
const PLUGIN_SECTIONS: readonly string[] = ['connectors', 'sinks'];

export type Leaf = readonly [path: readonly string[], value: JsonValue];

/** Every value below `path` that is no mapping. Lists are one value. */
export function leavesOf(value: JsonValue, path: readonly string[]): readonly Leaf[] {
  if (!isTree(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, below]) => leavesOf(below, [...path, key]));
}

export function isSecret(layers: Layers, [path, value]: Leaf, marked: boolean): boolean {
  const named = PLUGIN_SECTIONS.includes(path[0] ?? '') && path.slice(2).some((key) => SECRET_WORDS.test(key));
  const referenced = referencesOf(layers, path, value).some(
    (each) => each.startsWith('file:') || SECRET_WORDS.test(each),
  );
  return marked || named || referenced;
}

/** Whether the schema says `writeOnly` of the value or of a mapping around it. */
export function isMarked(schema: JsonSchema, path: readonly string[]): boolean {
  return path.some((_, i) => schemasAt(schema, path.slice(0, i + 1)).some((each) => each.writeOnly === true));
}

/** The texts in it, for the redactor. */
export function textsIn(value: JsonValue): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** References in the value and in everything inside it: one secret item makes a list secret. */
function referencesOf(layers: Layers, path: readonly PropertyKey[], value: JsonValue): readonly string[] {
  const { origin, exact } = originAt(layers, path);
  const own = exact && origin.kind === 'file' ? origin.references : [];
  if (typeof value !== 'object' || value === null) return own;
  const inside = isTree(value) ? Object.entries(value) : [...value.entries()];
  return [...own, ...inside.flatMap(([key, below]) => referencesOf(layers, [...path, key], below))];
}
