import type { Env } from '#core/env.ts';
import type { Event } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { Sink, SinkDefinition } from '#core/sink.ts';
import type { SinkConfig } from '#config/sink-settings.ts';
import type { SinkBinding } from '#engine/sink-binding.ts';
import { createSinkPost } from '#sdk/sink-post.ts';

export type SinkDefinitions = ReadonlyMap<string, SinkDefinition>;

/** The sinks that are enabled, each with sockets of its own. Nothing is sent yet. */
export function bindSinks(
  configs: readonly SinkConfig[],
  definitions: SinkDefinitions,
  env: Env,
): readonly SinkBinding[] {
  return configs.filter(({ enabled }) => enabled).map((config) => toBinding(config, definitions, env));
}

function toBinding(config: SinkConfig, definitions: SinkDefinitions, env: Env): SinkBinding {
  const { name, type, from, settings } = config;
  const definition = definitions.get(type);
  if (definition === undefined) throw new Fault('internal', `the code of sink type ${type} was not loaded`);
  const { post, close } = createSinkPost(env.clock);
  return {
    sink: withSockets(definition.create(settings, { env, name, post }), close),
    type,
    from,
    accepts: bindingFilter(config),
  };
}

/** Sockets end with the sink. */
function withSockets(sink: Sink, closeSockets: () => Promise<void>): Sink {
  return {
    name: sink.name,
    open: (signal) => sink.open(signal),
    write: (entries, signal) => sink.write(entries, signal),
    ping: (signal) => sink.ping(signal),
    async close() {
      try {
        await sink.close();
      } finally {
        await closeSockets();
      }
    },
  };
}

/** Which events the configuration wants sent there. */
export function bindingFilter({ tenants, connectors, kinds }: SinkConfig): (event: Event) => boolean {
  return ({ tenant, connection, kind }) =>
    (tenants?.includes(tenant) ?? true) &&
    (connectors?.includes(connection) ?? true) &&
    (kinds?.includes(kind) ?? true);
}
