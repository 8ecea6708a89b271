import type { DeadLetterStore } from '#core/dead-letter.ts';
import type { Metrics } from '#telemetry/metrics.ts';

/** The same letters; whoever removes some, they are counted by how they went. */
export function countLetters(letters: DeadLetterStore, metrics: Metrics): DeadLetterStore {
  const removed = (reason: 'expired' | 'evicted' | 'discarded' | 'replayed', letterCount: number): void =>
    metrics.add('dlq_removed_total', { reason }, letterCount);
  for (const reason of ['expired', 'evicted', 'discarded', 'replayed'] as const) removed(reason, 0);
  return {
    list: (...call) => letters.list(...call),
    groups: (...call) => letters.groups(...call),
    get: (...call) => letters.get(...call),
    count: (...call) => letters.count(...call),
    queue: (...call) => letters.queue(...call),
    queued: (...call) => letters.queued(...call),
    edit: (...call) => letters.edit(...call),
    async settle(sink, partition, results, fence) {
      const settled = await letters.settle(sink, partition, results, fence);
      const taken = results.filter(({ result: { outcome } }) => outcome === 'written' || outcome === 'stale');
      if (settled === 'committed') removed('replayed', taken.length);
      return settled;
    },
    async discard(filter) {
      const count = await letters.discard(filter);
      removed('discarded', count);
      return count;
    },
    async forget(beforeMs, countMax) {
      const went = await letters.forget(beforeMs, countMax);
      removed('expired', went.expired);
      removed('evicted', went.evicted);
      return went;
    },
  };
}
