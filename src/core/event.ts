import { hash } from 'node:crypto';
import { z } from 'zod';
import { Fault } from './fault.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { NameSchema, type StreamRef } from './names.ts';

const KIB = 1024;

export const EVENT_LIMITS = {
  keyCharsMax: 1024,
  titleCharsMax: 500,
  urlCharsMax: 4096,
  textCharsMax: 1024 * KIB, // one document; a connector that meets more reports `record_too_large`
  tagsMax: 32,
  tagCharsMax: 64,
  linksMax: 1000, // further links of a document are cut by the connector
  aclMax: 1000,
  contextMax: 32,
  payloadBytesMax: 4 * 1024 * KIB, // the serialised event; more is refused as a dead letter
} as const;

export const KINDS = ['document', 'record', 'signal'] as const;
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Kind = (typeof KINDS)[number];
export type Severity = (typeof SEVERITIES)[number];

const VERSION_SCALE = 4096;

const line = (charsMax: number) => z.string().max(charsMax);

/** What a connector says about one entity. The platform adds where it came from and the id. */
export const EventDraftSchema = z.strictObject({
  kind: z
    .enum(KINDS)
    .describe('document: text worth searching; record: a structured row; signal: something that happened'),
  op: z.enum(['upsert', 'delete']),
  key: z
    .string()
    .min(1)
    .max(EVENT_LIMITS.keyCharsMax)
    .describe('identity of the entity, unique within (tenant, connection, stream)'),
  version: z
    .int()
    .nonnegative()
    .describe('below 2^53, grows with the entity upstream; see versionOfTime and versionOfCounter'),
  time: z.string().min(20).max(40).describe('when it happened upstream, RFC 3339 with a zone'),
  severity: z.enum(SEVERITIES).optional(),
  title: line(EVENT_LIMITS.titleCharsMax).optional(),
  url: line(EVENT_LIMITS.urlCharsMax)
    .optional()
    .describe('may end in #L{line}: search fills in the line of a hit, or cuts the fragment'),
  tags: z.array(line(EVENT_LIMITS.tagCharsMax).min(1)).max(EVENT_LIMITS.tagsMax).optional(),
  links: z
    .array(z.strictObject({ rel: line(64), to: line(EVENT_LIMITS.urlCharsMax) }))
    .max(EVENT_LIMITS.linksMax)
    .optional(),
  text: line(EVENT_LIMITS.textCharsMax).optional().describe('documents: plain text or Markdown'),
  acl: z
    .array(line(256))
    .max(EVENT_LIMITS.aclMax)
    .optional()
    .describe('who may see it upstream, when the source tells'),
  context: z
    .record(line(64), line(512))
    .optional()
    .describe('request_id, trace_id, correlation_id, service, commit, …'),
  data: z
    .custom<JsonValue>((value) => value !== undefined, 'must be a JSON value')
    .describe("the source's own fields; null when there are none"),
});

export const EventSchema = EventDraftSchema.extend({
  id: z.string().regex(/^[0-9a-f]{40}$/),
  tenant: NameSchema,
  connection: NameSchema,
  connector: NameSchema,
  stream: NameSchema,
});

export type EventDraft = Readonly<z.infer<typeof EventDraftSchema>>;
/** The one immutable thing that flows. Same upstream state ⇒ same id. */
export type Event = Readonly<z.infer<typeof EventSchema>>;

export interface EventSource extends StreamRef {
  readonly connector: string;
}

/** An event with the bytes the log stores, so that it is serialised once on its whole way. */
export interface SealedEvent {
  readonly event: Event;
  /** JSON of the event, UTF-16 text; at most `payloadBytesMax` bytes as UTF-8. */
  readonly payload: string;
}

/** Version of an entity whose source gives a time. `tie` orders states that share the millisecond. Fits until 2039-09. */
export function versionOfTime(epochMs: number, tie = 0): number {
  return Math.trunc(epochMs) * VERSION_SCALE + tie;
}

/** Version of an entity whose source counts its changes. Never mix with times within one stream. */
export function versionOfCounter(count: number): number {
  return count * VERSION_SCALE;
}

/**
 * Draft + source → event with its id. The id is the SHA-256 (first 160 bits) over length-prefixed tenant, connection, stream
 * and the content, so equal states give equal ids and ('ab','c') never meets ('a','bc').
 * Throws `record_invalid` or `record_too_large`, naming the key.
 */
export function sealEvent(source: EventSource, draft: EventDraft): SealedEvent {
  const checked = EventDraftSchema.safeParse(draft);
  if (!checked.success) throw invalidRecord(draft, z.prettifyError(checked.error));
  // A lone surrogate has no UTF-8: stored, two such keys would become one.
  if (!draft.key.isWellFormed()) throw invalidRecord(draft, 'the key holds half of a surrogate pair');
  const content = serialise(inOrder(draft), draft);
  const id = idOf(source, content);
  const { tenant, connection, connector, stream } = source;
  const payload = `${headOf(id, source)}${content.slice(1)}`;
  // UTF-8 is at most three bytes per UTF-16 unit, so the exact count is needed only near the limit.
  if (payload.length * 3 > EVENT_LIMITS.payloadBytesMax && Buffer.byteLength(payload) > EVENT_LIMITS.payloadBytesMax) {
    throw new Fault('record_too_large', `${draft.key}: ${Buffer.byteLength(payload)} bytes`, {
      details: { limit: `${EVENT_LIMITS.payloadBytesMax} bytes` },
    });
  }
  return { event: { id, tenant, connection, connector, stream, ...draft }, payload };
}

/** Total: payloads in the log were written by `sealEvent`, and storage checks what it reads. */
export function eventOfPayload(payload: string): Event {
  // Written only by sealEvent from a checked draft; re-validating every read would cost more than the write.
  return JSON.parse(payload) as Event;
}

/**
 * The same for text that may have changed since: undefined when it is not what `sealEvent` wrote, as its id tells. The id does not
 * cover the connector.
 */
export function intactEventOfPayload(payload: string): Event | undefined {
  try {
    const event = eventOfPayload(payload);
    const head = headOf(event.id, event);
    return payload.startsWith(head) && idOf(event, `{${payload.slice(head.length)}`) === event.id ? event : undefined;
  } catch {
    return undefined; // no JSON any more, or no object with these members
  }
}

function idOf({ tenant, connection, stream }: EventSource, content: string): string {
  return hash('sha256', `${prefixed(tenant)}${prefixed(connection)}${prefixed(stream)}${content}`, 'hex').slice(0, 40);
}

/** What stands before the members of the content. */
function headOf(id: string, { tenant, connection, connector, stream }: EventSource): string {
  return `${JSON.stringify({ id, tenant, connection, connector, stream }).slice(0, -1)},`;
}

// One member order for every event: the id covers the text of the JSON.
function inOrder(draft: EventDraft): JsonObject {
  const { kind, op, key, version, time, severity, title, url, tags, links, text, acl, context, data } = draft;
  // `undefined` members vanish in JSON.stringify, which is what an optional field means here.
  return {
    kind,
    op,
    key,
    version,
    time,
    severity,
    title,
    url,
    tags,
    links,
    text,
    acl,
    context,
    data,
  } as unknown as JsonObject;
}

function serialise(content: JsonObject, draft: EventDraft): string {
  try {
    return JSON.stringify(content);
  } catch (error) {
    throw invalidRecord(draft, error instanceof Error ? error.message : 'cannot be written as JSON');
  }
}

function invalidRecord(draft: EventDraft, why: string): Fault {
  const key = typeof draft.key === 'string' && draft.key !== '' ? draft.key.slice(0, 200) : 'a record without a key';
  return new Fault('record_invalid', `${key}: ${why}`);
}

function prefixed(part: string): string {
  return `${part.length}:${part}`;
}
