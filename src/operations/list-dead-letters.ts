import { z } from 'zod';
import { deadLetterClassOf } from '#core/dead-letter.ts';
import {
  GROUPS_SHOWN_MAX,
  letter,
  letterClass,
  letterFilter,
  letterId,
  toLetterView,
  toStoreFilter,
} from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { limitOf } from './shapes.ts';

export const listDeadLetters = defineOperation({
  name: 'dlq.list',
  title: 'Dead letters, newest first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/dead-letters' },
  input: letterFilter.extend({
    limit: limitOf(200, 50),
    before: letterId.optional().describe('only letters older than this one: `next_before` of the page before'),
  }),
  output: z.object({ schemaVersion, items: z.array(letter), next_before: z.int().nullable() }),
  async run(ctx, { limit, before, ...filter }) {
    const found = await ctx.store.deadLetters.list(toStoreFilter(ctx, filter), limit, before);
    return {
      schemaVersion: SCHEMA_VERSION,
      items: found.map(toLetterView),
      next_before: found.length < limit ? null : (found.at(-1)?.id ?? null),
    };
  },
});

export const groupDeadLetters = defineOperation({
  name: 'dlq.groups',
  title: 'Dead letters by cause, the largest group first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/dead-letters/groups' },
  input: letterFilter,
  output: z.object({
    schemaVersion,
    total: z.int(),
    groups: z.array(
      z.object({
        sink: z.string(),
        tenant: z.string(),
        connector: z.string(),
        stream: z.string(),
        code: z.string(),
        class: letterClass,
        count: z.int(),
        queued: z.int().describe('of them, offered to their sink next'),
        first_at: z.string(),
        last_at: z.string(),
        message: z.string().describe('of the newest letter'),
        sample_id: z.int().describe('the newest letter'),
      }),
    ),
  }),
  async run(ctx, filter) {
    const groups = await ctx.store.deadLetters.groups(toStoreFilter(ctx, filter));
    return {
      schemaVersion: SCHEMA_VERSION,
      total: groups.reduce((total, { count }) => total + count, 0),
      groups: groups.slice(0, GROUPS_SHOWN_MAX).map((group) => ({
        sink: group.stage,
        tenant: group.tenant,
        connector: group.connection,
        stream: group.stream,
        code: group.code,
        class: deadLetterClassOf(group.code),
        count: group.count,
        queued: group.queued,
        first_at: new Date(group.firstAtMs).toISOString(),
        last_at: new Date(group.lastAtMs).toISOString(),
        message: group.message,
        sample_id: group.sampleId,
      })),
    };
  },
});
