// JSON Schema of `weir.yaml` for editors, and look-ups in it for hints, settings and the reference page.
import { z, type ZodType } from 'zod';
import { WeirSchema } from './config-schema.ts';

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
 * The schema file: every key of `weir.yaml`, and for each known connector type the keys of its metadata. An entry's type
 * is its `type` or, without one, its name, so an editor completes both spellings.
 */
export function weirJsonSchema(metadataSchemas: MetadataSchemas = new Map()): JsonSchema {
  const whole = toJsonSchema(WeirSchema);
  const connectors = whole.properties?.['connectors'];
  const connection = connectors?.additionalProperties;
  if (connectors === undefined || connection === undefined || typeof connection === 'boolean')
    throw new TypeError('connectors must be a record of objects');

  const types = [...metadataSchemas.keys()].sort();
  const definitions: Record<string, JsonSchema> = {};
  const cases: JsonSchema[] = [];
  const named: Record<string, JsonSchema> = {};
  for (const type of types) {
    const metadata = metadataSchemas.get(type);
    if (metadata === undefined) continue;
    const { $schema: _, ...body } = toJsonSchema(closed(metadata));
    definitions[`metadata-${type}`] = { title: `metadata of ${type}`, ...body };
    const then = metadataCase(type, body);
    cases.push({ if: { properties: { type: { const: type } }, required: ['type'] }, then });
    named[type] = { allOf: [ref('connection'), { if: { not: { required: ['type'] } }, then }] };
  }
  // Both are exclusive: the parser says so in words, the editor by underlining.
  const exclusive: JsonSchema = { not: { required: ['schedule', 'poll_interval_seconds'] } };
  definitions['connection'] = { ...connection, allOf: [exclusive, ...cases] };
  return {
    title: 'weir.yaml',
    ...whole,
    definitions,
    properties: {
      ...whole.properties,
      connectors: {
        ...connectors,
        ...(types.length === 0 ? {} : { properties: named }),
        additionalProperties: ref('connection'),
      },
    },
  };
}

function metadataCase(type: string, metadata: JsonSchema): JsonSchema {
  const required = (metadata.required ?? []).length > 0;
  return { properties: { metadata: ref(`metadata-${type}`) }, ...(required ? { required: ['metadata'] } : {}) };
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
