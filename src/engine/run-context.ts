import type { ConnectorContext } from '#core/connector.ts';
import type { Run } from '#core/store.ts';
import type { Guard } from '#policies/guard.ts';
import { createHttpClient } from '#sdk/http-client.ts';
import { createHttpTransport, type HttpTransport } from '#sdk/http-transport.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import type { Clock, Env } from '#core/env.ts';
import type { Connection } from './connection.ts';

interface ContextSources {
  readonly env: Env;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The ways out of one connection. They live as long as it does, so that limits, circuit and sockets are shared by its runs. */
interface WaysOut {
  readonly guard: Guard;
  readonly transport: HttpTransport;
}

export function transportOf(connection: Connection, clock: Clock): HttpTransport {
  const { connector, baseUrl, credentials, allowPrivateAddresses } = connection;
  return createHttpTransport({
    connection: connection.connection,
    clock,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses }),
    ...(connector.http === undefined ? {} : { profile: connector.http }),
  });
}

/** Everything a connector may touch during one run. */
export function contextFor(
  { env, logger, metrics }: ContextSources,
  connection: Connection,
  { guard, transport }: WaysOut,
  runId: string,
  signal: AbortSignal,
): ConnectorContext {
  const { tenant, connection: name, connector } = connection;
  const log = logger.child({ component: 'connector', connector: name, run_id: runId });
  return {
    tenant,
    connection: name,
    config: connection.config,
    batchSize: connection.batchSize,
    allowedPaths: connection.allowedPaths,
    clock: env.clock,
    random: env.random,
    signal,
    log: (level, message, extra) => log[level](message, extra),
    gauge: (gauge, value) => metrics.gaugeOf(connector.type, gauge)(name, value),
    // Pulls and checks only read, so a try that failed may be made again.
    call: (operation, fn) => guard.call(operation, (attempt) => fn(attempt.signal), { idempotent: true, signal }),
    http: createHttpClient(transport, { guard, signal, clock: env.clock, random: env.random }),
  };
}

/** One line and the counters of a run that has ended. */
export function noteRun({ logger, metrics }: ContextSources, run: Run, durationMs: number): void {
  const { connection: connector, stream, counts, outcome } = run;
  metrics.add('scheduler_runs_total', { connector });
  if (outcome === 'failed') metrics.add('scheduler_failures_total', { connector });
  metrics.observe('worker_job_duration_seconds', {}, durationMs / 1000);
  metrics.add('events_appended_total', { connector }, counts.appended);
  metrics.add('events_duplicate_total', { connector }, counts.unchanged);
  metrics.add('events_dead_total', { connector }, counts.failed);
  if (outcome === 'succeeded')
    metrics.set('connector_last_success_timestamp_seconds', { connector, stream }, (run.endedAtMs ?? 0) / 1000);
  const log = logger.child({ component: 'scheduler', connector, run_id: run.id });
  const extra = {
    stream,
    outcome,
    duration_ms: Math.round(durationMs),
    ...counts,
    ...(run.code === undefined ? {} : { code: run.code }),
  };
  const quiet = outcome === 'succeeded' && counts.appended === 0 && counts.failed === 0;
  if (outcome === 'failed') log.error(`run of ${stream} failed: ${run.message ?? 'no reason given'}`, extra);
  else if (quiet) log.debug(`run of ${stream}: nothing new`, extra);
  else log.info(`run of ${stream} ${outcome}: ${counts.appended} new events`, extra);
}
