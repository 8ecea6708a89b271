// JSON Schema of `weir.yaml` for editors, and look-ups in it for hints, settings and the reference page.
import { z, type ZodType } from 'zod';
import { WeirSchema } from './config-schema.ts';
import { settingsSchemas, type SinkTypes } from './sink-settings.ts';

/** The part of JSON Schema draft-07 that is written and read here. */
export interface JsonSchema {
  $schema?: string;
  title?: string;
  description?: string;
  type?: string;
  const?: unknown;
  enum?: readonly unknown[];
  default?: unknown;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  writeOnly?: boolean;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema | boolean;
  anyOf?: readonly JsonSchema[];
  oneOf?: readonly JsonSchema[];
  allOf?: readonly JsonSchema[];
  not?: JsonSchema;
  if?: JsonSchema;
  then?: JsonSchema;
  definitions?: Record<string, JsonSchema>;
}

/** By connector type: what its `metadata` may say. */
export type MetadataSchemas = ReadonlyMap<string, ZodType>;

/** Input form: a key with a default may be left out (libraries.md: without `io` it would be required). */
export function toJsonSchema(schema: ZodType): JsonSchema {
  // zod's own type of the result covers every draft; only draft-07 keywords of the interface above are read.
  return z.toJSONSchema(schema, { target: 'draft-07', io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

// Only built when there is something to explain: parsing a valid file pays nothing for it.
let base: JsonSchema | undefined;

/** All of `weir.yaml` without the connectors' metadata, for look-ups. */
export function baseSchema(): JsonSchema {
  base ??= toJsonSchema(WeirSchema);
  return base;
}

/** An object schema that lets unknown keys pass is closed, so that a misspelt key of a connector is an error too. */
export function closed(schema: ZodType): ZodType {
  return schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema;
}

/**
 * The schema file: every key of `weir.yaml`, and for each known type of connector and sink the keys of its own settings. An
 * entry's type is its `type` or, without one, its name, so an editor completes both spellings.
 */
export function weirJsonSchema(
  metadataSchemas: MetadataSchemas = new Map(),
  sinkTypes: SinkTypes = new Map(),
): JsonSchema {
  const whole = toJsonSchema(WeirSchema);
  const definitions: Record<string, JsonSchema> = {};
  // Both are exclusive: the parser says so in words, the editor by underlining.
  const exclusive: JsonSchema = { not: { required: ['schedule', 'poll_interval_seconds'] } };
  const connectors = typedEntries(whole.properties?.['connectors'], definitions, {
    entry: 'connection',
    settings: 'metadata',
    schemas: metadataSchemas,
    rules: [exclusive],
  });
  const sinks = typedEntries(whole.properties?.['sinks'], definitions, {
    entry: 'sink',
    settings: 'settings',
    schemas: settingsSchemas(sinkTypes),
    rules: [],
  });
  return { title: 'weir.yaml', ...whole, definitions, properties: { ...whole.properties, connectors, sinks } };
}

interface EntriesOptions {
  /** Name of the definition of one entry. */
  readonly entry: string;
  /** Key of an entry whose value depends on its type. */
  readonly settings: string;
  readonly schemas: ReadonlyMap<string, ZodType>;
  readonly rules: readonly JsonSchema[];
}

/** A mapping of names to typed entries; what they consist of is added to `definitions`. */
function typedEntries(
  record: JsonSchema | undefined,
  definitions: Record<string, JsonSchema>,
  { entry, settings, schemas, rules }: EntriesOptions,
): JsonSchema {
  const one = record?.additionalProperties;
  if (record === undefined || one === undefined || typeof one === 'boolean')
    throw new TypeError(`the entries of each ${entry} must be a record of objects`);
  const cases: JsonSchema[] = [];
  const named: Record<string, JsonSchema> = {};
  for (const [type, schema] of [...schemas].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { $schema: _, ...body } = toJsonSchema(closed(schema));
    definitions[`${settings}-${type}`] = { title: `${settings} of ${type}`, ...body };
    const required = (body.required ?? []).length > 0;
    const then: JsonSchema = {
      properties: { [settings]: ref(`${settings}-${type}`) },
      ...(required ? { required: [settings] } : {}),
    };
    cases.push({ if: { properties: { type: { const: type } }, required: ['type'] }, then });
    named[type] = { allOf: [ref(entry), { if: { not: { required: ['type'] } }, then }] };
  }
  const allOf = [...rules, ...cases];
  definitions[entry] = { ...one, ...(allOf.length === 0 ? {} : { allOf }) };
  return {
    ...record,
    ...(schemas.size === 0 ? {} : { properties: named }),
    additionalProperties: ref(entry),
  };
}

function ref(name: string): JsonSchema {
  return { $ref: `#/definitions/${name}` } as JsonSchema; // draft-07: siblings of $ref are ignored, so it stands alone
}

/** The schemas that may describe the value at `path`; several where a union allows several shapes. */
export function schemasAt(root: JsonSchema, path: readonly PropertyKey[]): readonly JsonSchema[] {
  let level = spread(root);
  for (const part of path) {
    level = level.flatMap((schema) => {
      const below =
        typeof part === 'number'
          ? schema.items
          : (ownProperty(schema.properties, String(part)) ?? schema.additionalProperties);
      return below === undefined || typeof below === 'boolean' ? [] : spread(below);
    });
  }
  return level;
}

/** The keys that may stand in the mapping at `path`; empty when any may. */
export function keysAt(root: JsonSchema, path: readonly PropertyKey[]): readonly string[] {
  return schemasAt(root, path).flatMap((schema) => Object.keys(schema.properties ?? {}));
}

export function descriptionAt(root: JsonSchema, path: readonly PropertyKey[]): string | undefined {
  return schemasAt(root, path).find((schema) => schema.description !== undefined)?.description;
}

function spread(schema: JsonSchema): readonly JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(spread), ...(schema.oneOf ?? []).flatMap(spread)];
}

function ownProperty(properties: Record<string, JsonSchema> | undefined, name: string): JsonSchema | undefined {
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
}
