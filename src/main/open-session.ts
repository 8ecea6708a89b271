import { existsSync } from 'node:fs';
import type { Session, SessionNeeds } from '#cli/host.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { Env } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import { createLogger, type LogStream } from '#telemetry/logger.ts';
import { noMetrics } from '#telemetry/metrics.ts';
import { commandAuditLog } from './audit-log.ts';
import { openPlatform, redactorOf, type Platform } from './compose.ts';
import { readHeartbeat, readInstance } from './instance-file.ts';
import type { LoadedConfig } from './read-config.ts';
import { dataSession, instanceSession, isLive } from './sessions.ts';

export interface OpenSessionOptions {
  readonly loaded: LoadedConfig;
  /** `read`: creates nothing. `heartbeat`: nothing but the worker's file is looked at, so that it works on a process that is stuck. */
  readonly needs: SessionNeeds;
  readonly env: Env;
  readonly pid: number;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly stderr: LogStream;
  /** Value of USER_ROLE, for the audit log. */
  readonly userRole: string | undefined;
}

/**
 * The running instance when there is one, otherwise the data itself. The lock on the data decides which: a file that a dead instance
 * left behind may name a port that belongs to another program by now.
 */
export async function openSession(options: OpenSessionOptions): Promise<Session> {
  const { loaded, needs, signal, terminal } = options;
  const { config } = loaded.parsed;
  if (needs === 'heartbeat') return heartbeatSession(options);
  const instance = readInstance(config.dataDirectory);
  let platform: Platform;
  try {
    platform = openData(options, instance === undefined ? {} : { lockWaitMs: 0 });
  } catch (error) {
    const fault = toFault(error);
    if (fault.code !== 'storage_locked' || instance === undefined) throw fault;
    if (await isLive(instance)) return instanceSession(instance, signal);
    throw new Fault('instance_unreachable', `${fault.message}, but it does not answer`, { cause: fault });
  }
  const { userRole } = options;
  return dataSession(
    { ...platform.context, actor: { name: 'command line', ...(userRole === undefined ? {} : { role: userRole }) } },
    signal,
    (line) => terminal.progress(line),
    async () => {
      await platform.engine.stop();
      platform.storage.close();
    },
  );
}

function openData(
  { loaded, needs, env, pid, stderr }: OpenSessionOptions,
  wait: { readonly lockWaitMs?: number },
): Platform {
  const { config } = loaded.parsed;
  const redactor = redactorOf(config);
  // One-shot commands speak through their answer; the log only tells what went wrong, on stderr.
  const logger = createLogger({ level: 'error', streams: [stderr], redactor, clock: env.clock, component: 'weir' });
  // Only looking must not create anything: where there is no data yet, nothing is what there is to see.
  const empty = needs === 'read' && !existsSync(config.dataDirectory);
  const seen = empty ? { ...config, dataDirectory: ':memory:' } : config;
  return openPlatform({
    config: seen,
    connectors: loaded.connectors,
    sinks: loaded.sinks,
    env,
    logger,
    metrics: noMetrics,
    redactor,
    pid,
    audit: commandAuditLog(config, { redactor, env }),
    ...wait,
  });
}

function heartbeatSession(options: OpenSessionOptions): Session {
  const { loaded, env, signal } = options;
  const data = loaded.parsed.config.dataDirectory;
  // An empty store in memory: the verb that needs only the heartbeat never looks at it.
  const platform = openPlatform({
    config: { ...loaded.parsed.config, dataDirectory: ':memory:', connections: [], sinks: [] },
    connectors: new Map(),
    sinks: new Map(),
    env,
    logger: createLogger({
      level: 'error',
      streams: [options.stderr],
      redactor: redactorOf(loaded.parsed.config),
      clock: env.clock,
    }),
    metrics: noMetrics,
    redactor: redactorOf(loaded.parsed.config),
    pid: options.pid,
    audit: () => {}, // it looks, and changes nothing
  });
  const context = { ...platform.context, heartbeat: () => Promise.resolve(readHeartbeat(data)) };
  return dataSession(
    context,
    signal,
    () => undefined,
    () => Promise.resolve(platform.storage.close()),
  );
}
