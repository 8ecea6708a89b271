import type { LogEntry } from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import type { Timeline, TimelinePage, TimelineQuery, TimelineRow } from '#core/timeline.ts';
import type { SettleBatch } from './memory-log.ts';

/** Every row in one list; each query filters all of them. */
export class MemoryTimeline implements Timeline {
  readonly name = 'timeline';
  readonly #rows: TimelineRow[];
  readonly #settle: SettleBatch;

  constructor(rows: TimelineRow[], settle: SettleBatch) {
    this.#rows = rows;
    this.#settle = settle;
  }

  async apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'> {
    const outcome = this.#settle(this.name, partition, entries, fence);
    if (outcome === 'fenced') return outcome;
    for (const entry of entries) {
      // The same entries come again when the answer to an apply was lost (I12).
      if (!this.#rows.some((row) => row.event.id === entry.event.id))
        this.#rows.push({ ...entry, row: this.#rows.length + 1 });
    }
    return outcome;
  }

  async query(query: TimelineQuery): Promise<TimelinePage> {
    const matching = this.#rows.filter((row) => matches(query, row));
    if (query.after !== undefined) {
      const { after } = query;
      return { rows: matching.filter(({ row }) => row > after).slice(0, query.limit), next: undefined };
    }
    const older = matching.filter((row) => query.before === undefined || placeOf(row) < query.before);
    const sorted = older.toSorted((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1));
    const rows = sorted.slice(0, query.limit);
    const last = rows.at(-1);
    return { rows, next: last !== undefined && sorted.length > rows.length ? placeOf(last) : undefined };
  }

  async newest(): Promise<number> {
    return this.#rows.length;
  }
}

/** The naive meaning of a query's filters; the suite judges engines by it. */
export function matches(query: TimelineQuery, { event }: LogEntry): boolean {
  const atMs = Date.parse(event.time);
  const words = [event.title, event.text, event.key].map((part) => part?.toLowerCase() ?? '');
  const { connection, kind, severity, tag, text, sinceMs, untilMs } = query;
  return (
    query.tenants.includes(event.tenant) &&
    (connection === undefined || event.connection === connection) &&
    (kind === undefined || event.kind === kind) &&
    (severity === undefined || event.severity === severity) &&
    (tag === undefined || (event.tags ?? []).includes(tag)) &&
    (text === undefined || words.some((part) => part.includes(text.toLowerCase()))) &&
    (sinceMs === undefined || atMs >= sinceMs) &&
    (untilMs === undefined || atMs < untilMs)
  );
}

// Sorts as text in time order; the row keeps events of one instant apart.
function placeOf({ event, row }: TimelineRow): string {
  return `${String(Date.parse(event.time)).padStart(16, '0')}.${String(row).padStart(12, '0')}`;
}
