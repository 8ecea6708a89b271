import type { Page } from '#core/connector.ts';
import { sealEvent, type EventDraft, type EventSource, type SealedEvent } from '#core/event.ts';
import { LOG_LIMITS, type Checkpoint, type EventLog, type PullFailure } from '#core/event-log.ts';
import { toFault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { RunTally } from './run-counts.ts';

const FAILURE_KEY_CHARS_MAX = 200;
const FAILURE_PAYLOAD_CHARS_MAX = 64 * 1024; // of a draft that could not become an event

export interface PageAppend {
  readonly log: Pick<EventLog, 'append'>;
  readonly source: EventSource;
  readonly tally: RunTally;
  readonly checkpoint: Omit<Checkpoint, 'cursor' | 'reconcile'>; // without a cursor: proves the owner, moves nothing
}

/** Makes one page durable: its events, its failures and its cursor (I1, I2). What cannot become an event becomes a failure (I3). */
export async function appendPage(
  to: PageAppend,
  page: Page<JsonValue>,
  reconcile: Checkpoint['reconcile'],
): Promise<void> {
  const { sealed, failures } = sealAll(to.source, page.events);
  const allFailures = [...(page.failures ?? []), ...failures];
  const chunks = chunksOf(sealed, LOG_LIMITS.appendEventsMax);
  const last = chunks.pop() ?? [];
  // A page larger than one append: events first, the cursor only with the last of them. A crash in between repeats, never skips.
  for (const events of chunks) count(to.tally, await to.log.append({ events, checkpoint: to.checkpoint }));
  const checkpoint: Checkpoint = {
    ...to.checkpoint,
    cursor: page.cursor,
    ...(reconcile === undefined ? {} : { reconcile }),
  };
  count(to.tally, await to.log.append({ events: last, failures: allFailures, checkpoint }));
  to.tally.page();
  to.tally.failed(allFailures.length);
  to.tally.deleted(sealed.filter(({ event }) => event.op === 'delete').length);
  to.tally.skipped(page.skipped ?? {});
}

function sealAll(
  source: EventSource,
  drafts: readonly EventDraft[],
): { sealed: SealedEvent[]; failures: PullFailure[] } {
  const sealed: SealedEvent[] = [];
  const failures: PullFailure[] = [];
  for (const draft of drafts) {
    try {
      sealed.push(sealEvent(source, draft));
    } catch (error) {
      const fault = toFault(error);
      failures.push({
        key: keyOf(draft, failures.length),
        code: fault.code,
        message: fault.message,
        payload: payloadOf(draft),
      });
    }
  }
  return { sealed, failures };
}

// A draft comes from a plugin at run time: whatever it is, it must end as one dead letter of its own and not as a failed page (I3).
function keyOf(draft: unknown, index: number): string {
  const key = typeof draft === 'object' && draft !== null && 'key' in draft ? draft.key : undefined;
  return typeof key === 'string' && key !== ''
    ? key.slice(0, FAILURE_KEY_CHARS_MAX)
    : `record ${index + 1} of its page, without a key`;
}

function payloadOf(draft: unknown): JsonValue {
  try {
    const text = JSON.stringify(draft) ?? 'null';
    return text.length > FAILURE_PAYLOAD_CHARS_MAX
      ? text.slice(0, FAILURE_PAYLOAD_CHARS_MAX)
      : (JSON.parse(text) as JsonValue); // just written as JSON
  } catch {
    return null; // what has no JSON cannot be kept
  }
}

function count(tally: RunTally, { accepted, duplicates }: { accepted: number; duplicates: number }): void {
  tally.appended(accepted, duplicates);
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
