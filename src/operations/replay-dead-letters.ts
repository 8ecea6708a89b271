import { z } from 'zod';
import { PULL_STAGE, type DeadLetterGroup } from '#core/dead-letter.ts';
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
    not_replayable: z.int().describe('raw records, and letters of sinks that nobody delivers to'),
    hint: z.string().nullable().describe('what to do about those that cannot be replayed'),
    by_reason: z.array(reasonCount),
  }),
  async run(ctx, selection) {
    const filter = await selectLetters(ctx, selection);
    const { matched, groups, by_reason } = await countByReason(ctx, filter);
    const delivered = new Set(
      (await ctx.engine.sinks()).filter(({ state }) => state !== 'detached').map(({ name }) => name),
    );
    const of = (chosen: readonly DeadLetterGroup[], count: (group: DeadLetterGroup) => number): number =>
      chosen.reduce((sum, group) => sum + count(group), 0);
    const replayable = groups.filter(({ stage }) => delivered.has(stage));
    const raw = of(groups, ({ stage, count }) => (stage === PULL_STAGE ? count : 0));
    const stages = [...new Set(replayable.map(({ stage }) => stage))];
    let queued = 0;
    // Nobody would ever take a letter of a sink that is not delivered to out of its queue.
    for (const stage of selection.dry_run ? [] : stages)
      queued += await ctx.store.deadLetters.queue({ ...filter, stage });
    const already = of(replayable, (group) => group.queued);
    const count = of(replayable, (group) => group.count);
    return {
      schemaVersion: SCHEMA_VERSION,
      dry_run: selection.dry_run,
      matched,
      queued: selection.dry_run ? count - already : queued,
      already_queued: already,
      not_replayable: matched - count,
      hint: hintOf(raw, matched - count - raw),
      by_reason,
    };
  },
});

function hintOf(raw: number, ofAbsentSinks: number): string | null {
  const hints = [
    ...(raw > 0 ? [FAULTS.not_replayable.hint] : []),
    ...(ofAbsentSinks > 0
      ? [
          `${ofAbsentSinks} are of sinks that are not delivered to: configure and enable them first, or export the letters.`,
        ]
      : []),
  ];
  return hints.length === 0 ? null : hints.join(' ');
}
