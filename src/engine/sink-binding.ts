import type { Event } from '#core/event.ts';
import type { ReadFrom } from '#core/event-log.ts';
import type { Sink } from '#core/sink.ts';

/** One external sink of the configuration, ready to be delivered to. */
export interface SinkBinding {
  readonly sink: Sink;
  /** Its kind, for people: `http`. */
  readonly type: string;
  /** Where it begins when the log does not know it yet. */
  readonly from: ReadFrom;
  /** Whether the sink takes the event; one it does not take counts as settled for it. */
  readonly accepts: (event: Event) => boolean;
}
