import type { Connector, Stream } from '#core/connector.ts';
import type { JsonValue } from '#core/json.ts';

/** The default export of `connectors/<type>/connector.ts`. Adds nothing: it types the literal and reads as its heading. */
export function defineConnector<Config>(connector: Connector<Config>): Connector<Config> {
  return connector;
}

/** A stream on its own, for connectors whose streams have files of their own. */
export function defineStream<Config, Cursor extends JsonValue>(stream: Stream<Config, Cursor>): Stream<Config, Cursor> {
  return stream;
}
