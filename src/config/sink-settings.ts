// The section `sinks:`: what it may say, and what becomes of it.
import { z, type ZodType } from 'zod';
import { PULL_STAGE } from '#core/dead-letter.ts';
import { KINDS, type Kind } from '#core/event.ts';
import type { ReadFrom } from '#core/event-log.ts';
import type { JsonObject } from '#core/json.ts';
import { NameSchema } from '#core/names.ts';
import type { SinkDefinition } from '#core/sink.ts';

/** By sink type: what its `settings` may say, and what is worth saying of them. */
export type SinkTypes = ReadonlyMap<string, Pick<SinkDefinition, 'settings' | 'warnings'>>;

/** The schemas alone, for those who read nothing else. */
export function settingsSchemas(types: SinkTypes): ReadonlyMap<string, ZodType> {
  return new Map([...types].map(([type, { settings }]) => [type, settings]));
}

/** Dead letters and positions are kept by sink name: these names are taken. */
export const RESERVED_SINK_NAMES: readonly string[] = ['timeline', 'library', PULL_STAGE];

export const SinkNameSchema = NameSchema.refine(
  (name) => !RESERVED_SINK_NAMES.includes(name),
  `is reserved: ${RESERVED_SINK_NAMES.join(', ')} are names of Weir itself`,
);

const FILTER_MAX = 1000; // names in one list
const FROM_WORDS = 'must be oldest, newest or a time with a zone such as 2026-01-31T08:00:00Z';

/** An entry of `sinks:`. */
export const SinkSchema = z.strictObject({
  type: NameSchema.optional().describe('Which kind of sink this is. Default: the name of the entry.'),
  enabled: z
    .boolean()
    .default(true)
    .describe('false sends nothing and keeps the place where it stopped; its missing variables are then warnings.'),
  from: z
    .union([z.enum(['oldest', 'newest']), z.iso.datetime({ offset: true, error: FROM_WORDS })])
    .default('oldest')
    .describe(
      'Where a sink begins that Weir does not know yet: oldest (everything that is kept), newest (what comes from now on), or a time with a zone such as 2026-01-31T08:00:00Z.',
    ),
  tenants: z
    .array(NameSchema)
    .min(1)
    .max(FILTER_MAX)
    .optional()
    .describe('Tenants whose events it gets. Default: all.'),
  connectors: z
    .array(NameSchema)
    .min(1)
    .max(FILTER_MAX)
    .optional()
    .describe('Names of the connectors whose events it gets. Default: all.'),
  kinds: z.array(z.enum(KINDS)).min(1).optional().describe('Kinds of events it gets. Default: all.'),
  settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('The settings of this sink type: where it writes. Each type documents its own.'),
});

export type SinkSettings = z.output<typeof SinkSchema>;

/** One entry of `sinks:`, complete. */
export interface SinkConfig {
  readonly name: string;
  readonly type: string;
  readonly enabled: boolean;
  readonly from: ReadFrom;
  /** Absent: all. */
  readonly tenants?: readonly string[];
  readonly connectors?: readonly string[];
  readonly kinds?: readonly Kind[];
  /** Already validated by the type's own schema, with its defaults. */
  readonly settings: JsonObject;
  /** Texts in the settings that must never be written anywhere (I7). */
  readonly secrets: readonly string[];
}

export interface SinkContents {
  readonly settingsOf: (name: string) => JsonObject;
  readonly secretsOf: (name: string) => readonly string[];
}

/** Sorted by name. Pure and total: whatever could be wrong was found before. */
export function toSinks(
  sinks: Readonly<Record<string, SinkSettings>>,
  { settingsOf, secretsOf }: SinkContents,
): readonly SinkConfig[] {
  return Object.entries(sinks)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { type, enabled, from, tenants, connectors, kinds }]) => ({
      name,
      type: type ?? name,
      enabled,
      from: from === 'oldest' || from === 'newest' ? from : { sinceMs: Date.parse(from) },
      ...(tenants === undefined ? {} : { tenants }),
      ...(connectors === undefined ? {} : { connectors }),
      ...(kinds === undefined ? {} : { kinds }),
      settings: settingsOf(name),
      secrets: secretsOf(name),
    }));
}
