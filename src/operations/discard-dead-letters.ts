import { z } from 'zod';
import { countByReason, letterSelection, reasonCount, selectLetters } from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';

export const discardDeadLetters = defineOperation({
  name: 'dlq.discard',
  title: 'Remove dead letters for good',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/dead-letter-discards' },
  input: letterSelection,
  output: z.object({
    schemaVersion,
    dry_run: z.boolean(),
    matched: z.int(),
    discarded: z.int().describe('in a dry run, how many would be'),
    by_reason: z.array(reasonCount),
  }),
  async run(ctx, selection) {
    const filter = await selectLetters(ctx, selection);
    const { matched, by_reason } = await countByReason(ctx, filter);
    return {
      schemaVersion: SCHEMA_VERSION,
      dry_run: selection.dry_run,
      matched,
      discarded: selection.dry_run ? matched : await ctx.store.deadLetters.discard(filter),
      by_reason,
    };
  },
});
