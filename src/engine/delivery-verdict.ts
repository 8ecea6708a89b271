// What the answer of a sink means for the position of its partition. Pure.

import type { DeadLetterDraft, LogEntry } from '#core/event-log.ts';
import type { Fault } from '#core/fault.ts';
import type { WriteResult } from '#core/sink.ts';
import type { Suspicion } from './delivery-suspect.ts';

export interface Verdict {
  /** How many events, from the first, are done with: taken, or about to be dead letters. */
  readonly settled: number;
  /** Which of those the sink rejects. */
  readonly rejected: readonly number[];
  /** Whether the sink took any event at all, before or after the first that is stuck. */
  readonly taken: boolean;
  /** Why the event after the settled ones is stuck. */
  readonly stuck?: Fault;
  /** The sink told the stuck event from others: no need to search for it. */
  readonly singled: boolean;
}

/** The position may only pass what is confirmed or a dead letter, so it stops before the first event to be tried again (I3, I5). */
export function verdictOf(results: readonly WriteResult[]): Verdict {
  const at = results.findIndex(({ outcome }) => outcome === 'retry');
  const settled = at < 0 ? results.length : at;
  const stuck = results[settled];
  return {
    settled,
    rejected: results.slice(0, settled).flatMap(({ outcome }, index) => (outcome === 'reject' ? [index] : [])),
    taken: results.some(({ outcome }) => outcome === 'written' || outcome === 'stale'),
    ...(stuck?.outcome === 'retry' && { stuck: stuck.fault }),
    singled: results.some(({ outcome }) => outcome !== 'retry'),
  };
}

/** Only the first `allowed` rejections may become dead letters: the event of the next one stays where it is. */
export function cutAt(verdict: Verdict, allowed: number): Verdict {
  const settled = verdict.rejected[allowed];
  if (settled === undefined) return verdict;
  return { settled, rejected: verdict.rejected.slice(0, allowed), taken: verdict.taken, singled: verdict.singled };
}

/** Of the first `settled` of the events offered: the position of the last entry before the first that is not, if there is one. */
export function settledThrough(
  entries: readonly LogEntry[],
  offered: readonly LogEntry[],
  settled: number,
): number | undefined {
  const stuck = offered[settled];
  // What the sink does not take counts as settled, so it goes along with what is before it.
  if (stuck === undefined) return entries.at(-1)?.position;
  return entries[entries.indexOf(stuck) - 1]?.position;
}

/** A rejection is a counted try too: the sink was well enough to judge the event. */
export function rejectionOf(entry: LogEntry, fault: Fault, { head }: Suspicion, atMs: number): DeadLetterDraft {
  const { code, message } = fault;
  const before = head?.position === entry.position ? head : undefined;
  return {
    entry,
    code,
    message,
    attempts: (before?.attempts ?? 0) + 1,
    history: [...(before?.history ?? []), { atMs, code, message }],
  };
}

/** An event whose attempts are used up. Its last failure names the reason; of tries of an earlier process only the number is known. */
export function exhaustedOf(entry: LogEntry, { head }: Suspicion): DeadLetterDraft {
  const last = head?.history.at(-1);
  return {
    entry,
    code: last?.code ?? 'sink_rejected',
    message: last?.message ?? 'it failed each time while the sink took others; why, only an earlier process saw',
    attempts: head?.attempts ?? 0,
    history: head?.history ?? [],
  };
}
