import type { Page } from '#core/connector.ts';
import { sealEvent, type EventDraft, type EventSource, type SealedEvent } from '#core/event.ts';
import { LOG_LIMITS, type Checkpoint, type EventLog, type PullFailure } from '#core/event-log.ts';
import { toFault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { RunTally } from './run-counts.ts';

export interface PageAppend {
  readonly log: EventLog;
  readonly source: EventSource;
  readonly tally: RunTally;
  readonly checkpoint: Omit<Checkpoint, 'cursor' | 'reconcile'>;
}

/** Makes one page durable: its events, its failures and its cursor (I1, I2). What cannot become an event becomes a failure (I3). */
export async function appendPage(to: PageAppend, page: Page<JsonValue>, reconcile: Checkpoint['reconcile']): Promise<void> {
  const { sealed, failures } = sealAll(to.source, page.events);
  const allFailures = [...(page.failures ?? []), ...failures];
  const chunks = chunksOf(sealed, LOG_LIMITS.appendEventsMax);
  const last = chunks.pop() ?? [];
  // A page larger than one append: events first, the cursor only with the last of them. A crash in between repeats, never skips.
  for (const events of chunks) count(to.tally, await to.log.append({ events }));
  const checkpoint: Checkpoint = { ...to.checkpoint, cursor: page.cursor, ...(reconcile === undefined ? {} : { reconcile }) };
  count(to.tally, await to.log.append({ events: last, failures: allFailures, checkpoint }));
  to.tally.page();
  to.tally.failed(allFailures.length);
  to.tally.deleted(sealed.filter(({ event }) => event.op === 'delete').length);
  to.tally.skipped(page.skipped ?? {});
}

function sealAll(source: EventSource, drafts: readonly EventDraft[]): { sealed: SealedEvent[]; failures: PullFailure[] } {
  const sealed: SealedEvent[] = [];
  const failures: PullFailure[] = [];
  for (const draft of drafts) {
    try {
      sealed.push(sealEvent(source, draft));
    } catch (error) {
      const fault = toFault(error);
      failures.push({ key: String(draft.key).slice(0, 200), code: fault.code, message: fault.message });
    }
  }
  return { sealed, failures };
}

function count(tally: RunTally, { accepted, duplicates }: { accepted: number; duplicates: number }): void {
  tally.appended(accepted, duplicates);
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
