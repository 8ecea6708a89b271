import type { LogEntry } from './event-log.ts';
import type { Kind, Severity } from './event.ts';
import type { BuiltInSink } from './sink.ts';

export interface TimelineQuery {
  /** Only these tenants' rows; an empty list finds nothing (I9). */
  readonly tenants: readonly string[];
  readonly connection?: string;
  readonly kind?: Kind;
  readonly severity?: Severity;
  readonly tag?: string;
  /** Case-insensitive substring of title, text and key. */
  readonly text?: string;
  /** Upstream time, milliseconds since the epoch; since inclusive, until exclusive. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Newest first from here on: the `next` of the page before. */
  readonly before?: string;
  /** Only rows stored after this one, oldest first: for following. */
  readonly after?: number;
  readonly limit: number;
}

export interface TimelineRow extends LogEntry {
  /** Number of the row in the timeline, growing with storage order. */
  readonly row: number;
}

export interface TimelinePage {
  readonly rows: readonly TimelineRow[];
  /** Opaque; undefined on the last page. */
  readonly next: string | undefined;
}

/** Every event, in time order. */
export interface Timeline extends BuiltInSink {
  query(query: TimelineQuery): Promise<TimelinePage>;
  /** The newest row's number, 0 when empty: where following begins. */
  newest(): Promise<number>;
}
