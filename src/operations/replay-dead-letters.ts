import { z } from 'zod';
import { FAULTS } from '#core/fault.ts';
import { countByReason, letterSelection, reasonCount, selectLetters } from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';

/** Idempotent: a letter keeps its id and version, and the sink's version guard decides (ADR 0007). */
export const replayDeadLetters = defineOperation({
  name: 'dlq.replay',
  title: 'Offer dead letters to their sinks again',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/dead-letter-replays' },
  input: letterSelection,
  output: z.object({
    schemaVersion,
    dry_run: z.boolean(),
    matched: z.int(),
    queued: z.int().describe('put into the queue of their sink now; in a dry run, how many would be'),
    already_queued: z.int(),
    not_replayable: z.int().describe('raw records: no events yet'),
    hint: z.string().nullable().describe('what to do about those that cannot be replayed'),
    by_reason: z.array(reasonCount),
  }),
  async run(ctx, selection) {
    const filter = await selectLetters(ctx, selection);
    const { matched, queued, raw, by_reason } = await countByReason(ctx, filter);
    return {
      schemaVersion: SCHEMA_VERSION,
      dry_run: selection.dry_run,
      matched,
      queued: selection.dry_run ? matched - queued - raw : await ctx.store.deadLetters.queue(filter),
      already_queued: queued,
      not_replayable: raw,
      hint: raw === 0 ? null : FAULTS.not_replayable.hint,
      by_reason,
    };
  },
});
