import type { Event } from '#core/event.ts';
import type { ReadFrom } from '#core/event-log.ts';
import type { BuiltInSink, Sink } from '#core/sink.ts';
import type { SinkBinding } from './sink-binding.ts';

interface Reader {
  readonly name: string;
  /** For people. */
  readonly type: string;
  readonly from: ReadFrom;
  readonly accepts: (event: Event) => boolean;
}

/** The type of the sinks that live in the store itself. */
export const STORE_SINK_TYPE = 'store';

/** What a delivery loop writes to. How the position is committed is the only difference that it knows. */
export type Target =
  | (Reader & { readonly kind: 'external'; readonly sink: Sink })
  | (Reader & { readonly kind: 'built_in'; readonly sink: BuiltInSink });

/** Rows and position in one transaction: exactly once. */
export function builtInTarget(sink: BuiltInSink): Target {
  return { kind: 'built_in', sink, name: sink.name, type: STORE_SINK_TYPE, from: 'oldest', accepts: () => true };
}

/** Write first, position after the sink has confirmed: at least once, and the version guard makes it once in effect (I4). */
export function externalTarget({ sink, type, from, accepts }: SinkBinding): Target {
  return { kind: 'external', sink, name: sink.name, type, from, accepts };
}
