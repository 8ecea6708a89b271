import type { Connector } from '#core/connector.ts';
import type { Env } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { WeirConfig, ConnectionConfig } from '#config/config.ts';
import { AlertWebhook } from '#engine/alert-webhook.ts';
import type { Connection } from '#engine/connection.ts';
import { countLetters } from '#engine/counted-letters.ts';
import { Engine } from '#engine/engine.ts';
import type { OperationContext } from '#operations/operation.ts';
import { createSinkPost } from '#sdk/sink-post.ts';
import { openSqliteStorage, type SqliteStorage } from '#storage/sqlite/storage.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { createRedactor, type Redactor } from '#telemetry/redaction.ts';
import { makeRoom, openDisk } from './disk.ts';
import { readHeartbeat, readInstance, writeHeartbeat } from './instance-file.ts';
import { bindSinks, type SinkDefinitions } from './sinks.ts';

export interface Platform {
  readonly config: WeirConfig;
  readonly storage: SqliteStorage;
  readonly engine: Engine;
  readonly context: Omit<OperationContext, 'signal' | 'progress'>;
}

export interface ComposeOptions {
  readonly config: WeirConfig;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly sinks: SinkDefinitions;
  readonly env: Env;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly redactor: Redactor;
  readonly pid: number;
  readonly lockWaitMs?: number;
  readonly audit: NonNullable<OperationContext['audit']>;
}

/** Opens the data and joins everything to it. Nothing runs yet. */
export function openPlatform(options: ComposeOptions): Platform {
  const { config, env, redactor } = options;
  makeRoom(config.dataDirectory);
  const storage = openStorage(config.dataDirectory, options);
  const connections = config.connections.map((connection) => toConnection(connection, options));
  const store = { ...storage.store, deadLetters: countLetters(storage.store.deadLetters, options.metrics) };
  const engine = new Engine({
    env,
    log: storage.log,
    leases: storage.leases,
    store,
    connections,
    sinks: bindSinks(config.sinks, options.sinks, env),
    queue: config.queue,
    ...(config.dataDirectory === ':memory:' ? {} : { disk: openDisk(config.dataDirectory) }),
    diskLimits: config.disk,
    deadLetters: config.deadLetters,
    delivery: config.delivery,
    scheduler: config.scheduler,
    health: config.health,
    logger: options.logger,
    metrics: options.metrics,
    redact: (text) => redactor.redactText(text),
    pid: options.pid,
    writeHeartbeat: (text) => Promise.resolve(writeHeartbeat(config.dataDirectory, text)),
    housekeepStorage: (step) => storage.housekeep(step),
    walBytes: () => storage.walBytes(),
    alertRecipient:
      config.alertWebhook === undefined
        ? undefined
        : new AlertWebhook({
            env,
            ...config.alertWebhook,
            post: createSinkPost(env.clock).post,
            logger: options.logger,
          }),
  });
  const context = {
    env,
    engine,
    log: storage.log,
    store,
    // The local command line and a server on loopback act for every tenant of this data directory.
    tenants: [...new Set(connections.map(({ tenant }) => tenant))],
    heartbeat: () => Promise.resolve(readHeartbeat(config.dataDirectory)),
    audit: options.audit,
  };
  return { config, storage, engine, context };
}

function openStorage(data: string, { env, lockWaitMs }: ComposeOptions): SqliteStorage {
  try {
    return openSqliteStorage({ data, clock: env.clock, ...(lockWaitMs === undefined ? {} : { lockWaitMs }) });
  } catch (error) {
    const instance = error instanceof Fault && error.code === 'storage_locked' ? readInstance(data) : undefined;
    if (instance === undefined) throw error;
    throw new Fault(
      'storage_locked',
      `${data} is in use by the Weir with process id ${instance.pid} at ${instance.url}`,
      { cause: error, details: { place: data } },
    );
  }
}

export function toConnection(
  connection: ConnectionConfig,
  { config, connectors }: Pick<ComposeOptions, 'config' | 'connectors'>,
): Connection {
  const connector = connectors.get(connection.type);
  if (connector === undefined)
    throw new Fault('internal', `the code of connector type ${connection.type} was not loaded`);
  const { enabled: breakerEnabled, ...breaker } = connection.circuitBreaker;
  return {
    tenant: connection.tenant,
    connection: connection.name,
    connector,
    enabled: connection.enabled,
    config: connection.metadata,
    schedule: connection.schedule,
    batchSize: connection.batchSize,
    allowedPaths: config.allowedPaths,
    credentials: connection.credentials,
    ...(connection.baseUrl === undefined ? {} : { baseUrl: connection.baseUrl }),
    guard: {
      retry: connection.retry,
      // Switched off means that no number of failures opens it.
      breaker: breakerEnabled ? breaker : { ...breaker, failuresToOpen: Number.POSITIVE_INFINITY },
      attemptTimeoutMs: connection.timeoutMs,
    },
  };
}

/** Every secret the configuration holds, so that none of them is ever written (I7). */
export function redactorOf(config: WeirConfig): Redactor {
  const secrets = config.connections.flatMap(({ credentials, webhookSecrets }) => [
    ...Object.values(credentials),
    ...webhookSecrets,
  ]);
  return createRedactor({
    secrets: [
      ...secrets,
      ...config.sinks.flatMap((sink) => sink.secrets),
      ...(config.alertWebhook === undefined ? [] : [config.alertWebhook.secret]),
    ],
  });
}
