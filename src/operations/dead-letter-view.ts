// What the verbs of dead letters share: one filter for list, count and action, and one view of a letter.

import { z } from 'zod';
import {
  DEAD_LETTER_CLASSES,
  DEAD_LETTER_LIMITS,
  DEAD_LETTER_STATES,
  deadLetterClassOf,
  PULL_STAGE,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterGroup,
} from '#core/dead-letter.ts';
import { EVENT_LIMITS } from '#core/event.ts';
import { FAULTS, Fault, type FaultCode } from '#core/fault.ts';
import type { OperationContext } from './operation.ts';
import { connectorName } from './shapes.ts';

export const LETTERS_SELECTED_MAX = DEAD_LETTER_LIMITS.listMax; // ids of one call

// The table's own keys; Object.keys only forgets that they are.
const faultCode = z.enum(Object.keys(FAULTS) as [FaultCode, ...FaultCode[]]);
export const letterClass = z.enum(DEAD_LETTER_CLASSES);
export const letterState = z.enum(DEAD_LETTER_STATES);
export const letterId = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).describe('number of the letter');
export const sinkName = z.string().min(1).max(63);

/** One filter for the list, its count and whatever acts on it; every member narrows. */
export const letterFilter = z.strictObject({
  connector: connectorName.optional(),
  sink: sinkName.optional().describe(`name of the sink, or ${PULL_STAGE} for raw records`),
  code: faultCode.optional().describe('reason of the last failure'),
  class: letterClass.optional().describe('who can repair it: the source, who grants access, the sink, Weir'),
  key: z.string().min(1).max(EVENT_LIMITS.keyCharsMax).optional().describe('of the entity or record'),
  state: letterState.optional().describe('queued: offered to its sink next'),
});
export type LetterFilter = z.infer<typeof letterFilter>;

/** What a bulk action is asked to act on. */
export const letterSelection = letterFilter.extend({
  ids: z
    .array(z.int().min(1))
    .min(1)
    .max(LETTERS_SELECTED_MAX)
    .optional()
    .describe(`at most ${LETTERS_SELECTED_MAX} letters`),
  all: z.boolean().default(false).describe('every letter; not together with ids'),
  dry_run: z.boolean().default(false).describe('only count'),
});
type LetterSelection = z.infer<typeof letterSelection>;

export const letter = z.object({
  id: z.int(),
  tenant: z.string(),
  connector: z.string(),
  stream: z.string(),
  sink: z.string().describe(`${PULL_STAGE}: a raw record, no event yet`),
  key: z.string(),
  event_id: z.string().nullable(),
  version: z.int().nullable(),
  code: z.string(),
  class: letterClass,
  message: z.string(),
  attempts: z.int(),
  first_at: z.string(),
  last_at: z.string(),
  state: letterState,
  edited: z.boolean(),
  payload_bytes: z.int(),
});
export type LetterView = z.infer<typeof letter>;

export function toLetterView(from: DeadLetter): LetterView {
  const { id, tenant, connection, stream, stage, key, code, message, attempts, state, edited, payloadBytes } = from;
  return {
    id,
    tenant,
    connector: connection,
    stream,
    sink: stage,
    key,
    event_id: from.eventId ?? null,
    version: from.version ?? null,
    code,
    class: deadLetterClassOf(code),
    message,
    attempts,
    first_at: new Date(from.firstAtMs).toISOString(),
    last_at: new Date(from.lastAtMs).toISOString(),
    state,
    edited,
    payload_bytes: payloadBytes,
  };
}

export function toStoreFilter(ctx: OperationContext, { connector, sink, ...rest }: LetterFilter): DeadLetterFilter {
  const narrowed = { connection: connector, stage: sink, ...rest };
  // Absent filters are absent, not undefined.
  return {
    ...Object.fromEntries(Object.entries(narrowed).filter(([, value]) => value !== undefined)),
    tenants: ctx.tenants, // I9
  };
}

/** Throws `input_invalid` for a selection that says nothing, `not_found` when a letter asked for by its number is not there. */
export async function selectLetters(ctx: OperationContext, selection: LetterSelection): Promise<DeadLetterFilter> {
  const { ids, all, dry_run: _, ...filter } = selection;
  const narrowed = Object.values(filter).some((value) => value !== undefined);
  if (ids === undefined && !narrowed && !all)
    throw new Fault('input_invalid', 'say which dead letters: ids, a filter such as sink, or all');
  if (ids !== undefined && all) throw new Fault('input_invalid', 'ids and all exclude each other: give one of them');
  if (ids === undefined) return toStoreFilter(ctx, filter);
  const found = await ctx.store.deadLetters.list({ tenants: ctx.tenants, ids }, LETTERS_SELECTED_MAX);
  const known = new Set(found.map(({ id }) => id));
  const missing = [...new Set(ids)].filter((id) => !known.has(id));
  if (missing.length > 0) throw lettersMissing(missing);
  return { ...toStoreFilter(ctx, filter), ids };
}

const IDS_NAMED_MAX = 10;

export function lettersMissing(ids: readonly number[]): Fault {
  const named = ids.slice(0, IDS_NAMED_MAX).join(', ') + (ids.length > IDS_NAMED_MAX ? ', …' : '');
  return new Fault(
    'not_found',
    `there is no dead letter ${named}; \`weir dlq list\` shows those there are, and nothing was changed`,
  );
}

/** What a group is counted under in a dry run and in the answer of a bulk action. */
export const reasonCount = z.object({ sink: z.string(), connector: z.string(), code: z.string(), count: z.int() });

export async function countByReason(
  ctx: OperationContext,
  filter: DeadLetterFilter,
): Promise<{
  readonly matched: number;
  readonly by_reason: z.infer<typeof reasonCount>[];
  readonly groups: readonly DeadLetterGroup[];
}> {
  const groups = await ctx.store.deadLetters.groups(filter);
  return {
    groups,
    matched: groups.reduce((sum, { count }) => sum + count, 0),
    by_reason: groups
      .slice(0, GROUPS_SHOWN_MAX)
      .map(({ stage, connection, code, count }) => ({ sink: stage, connector: connection, code, count })),
  };
}

export const GROUPS_SHOWN_MAX = 500; // causes listed in one answer; the counts cover all of them
