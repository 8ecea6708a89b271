import type { SinkDefinition } from '#core/sink.ts';

/** The default export of `sinks/<type>/sink.ts`. Adds nothing: it types the literal and reads as its heading. */
export function defineSink<Settings>(sink: SinkDefinition<Settings>): SinkDefinition<Settings> {
  return sink;
}
