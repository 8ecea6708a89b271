import type { Connector } from '#core/connector.ts';
import type { ConnectionRef } from '#core/names.ts';
import type { GuardOptions } from '#policies/guard.ts';

export type Schedule =
  | { readonly kind: 'interval'; readonly pollIntervalMs: number }
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone?: string };

/** One entry of `connectors:` with its code: everything the engine needs to keep it up. */
export interface Connection extends ConnectionRef {
  readonly connector: Connector;
  readonly enabled: boolean;
  readonly config: unknown;
  readonly schedule: Schedule;
  readonly batchSize: number;
  readonly allowedPaths: readonly string[];
  /** Address of the external system, where it is not the connector's public one. */
  readonly baseUrl?: string;
  /** Handed to the connector's `authorize` alone (I7). */
  readonly credentials?: Readonly<Record<string, string>>;
  /** Loopback and internal networks may be called, over plain http too. Default false. */
  readonly allowPrivateAddresses?: boolean;
  readonly guard: Omit<GuardOptions, 'connection' | 'onCall'>;
}

/** The streams that this configuration uses. */
export function streamsOf(connection: Connection): readonly string[] {
  const { connector, config } = connection;
  return connector.enabledStreams?.(config) ?? Object.keys(connector.streams);
}
