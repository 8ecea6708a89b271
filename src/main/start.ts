import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { StartFlags } from '#cli/host.ts';
import type { Terminal } from '#cli/terminal.ts';
import { weirJsonSchema } from '#config/json-schema.ts';
import type { Env } from '#core/env.ts';
import { openRegistry, openSinkRegistry } from '#engine/registry.ts';
import { OPERATIONS } from '#operations/registry.ts';
import { startServer, type RunningServer } from '#server/server.ts';
import { makeDirectory } from '#storage/sqlite/make-directory.ts';
import { createLogger, type LogStream, type Logger } from '#telemetry/logger.ts';
import { createPrometheusMetrics } from '#telemetry/prometheus-metrics.ts';
import { openRotatingFile } from '#telemetry/rotating-file.ts';
import { auditLog } from './audit-log.ts';
import { openPlatform, redactorOf, type Platform } from './compose.ts';
import { writeFirstConfig } from './first-config.ts';
import { writeInstance } from './instance-file.ts';
import { configPath, readConfig, type LoadedConfig } from './read-config.ts';
import { runService, type Signals } from './service.ts';

export interface StartOptions {
  readonly flags: StartFlags;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly env: Env;
  readonly pid: number;
  readonly version: string;
  readonly terminal: Terminal;
  readonly stdout: LogStream;
  readonly signals: Signals;
  /** Directory of this installation. */
  readonly installation: string;
  readonly connectorsFolder: URL;
  readonly sinksFolder: URL;
}

/** `weir start`: everything in one process, until a signal. */
export async function startWeir(options: StartOptions): Promise<number> {
  const { env, terminal, version } = options;
  const loaded = await loadOrWriteConfig(options);
  const { config } = loaded.parsed;
  for (const warning of loaded.parsed.warnings) terminal.note(`warning: ${warning.path} ${warning.problem}`);
  const redactor = redactorOf(config);
  const streams = logStreams(options, loaded);
  const logger = createLogger({
    level: config.logging.level,
    streams,
    redactor,
    clock: env.clock,
    component: 'weir',
  });
  const metrics = createPrometheusMetrics();
  if (config.metrics.enabled) metrics.collectProcessMetrics();
  metrics.set('weir_build_info', { version, commit: 'none' }, 1);
  const platform = openPlatform({
    config,
    connectors: loaded.connectors,
    sinks: loaded.sinks,
    env,
    logger,
    metrics,
    redactor,
    pid: options.pid,
    audit: auditLog({ streams, redactor, env }),
  });
  let server: RunningServer;
  try {
    server = await listen(options, loaded, platform, logger, metrics);
  } catch (error) {
    platform.storage.close();
    throw error;
  }
  writeInstance(config.dataDirectory, {
    pid: options.pid,
    url: server.url,
    started_at: new Date(env.clock.now()).toISOString(),
  });
  await platform.engine.start();
  const enabled = platform.engine.connections.filter((connection) => connection.enabled).length;
  logger.info(`started with ${enabled} connectors`, { url: server.url, data: config.dataDirectory, version });
  terminal.note(`${enabled} connectors started, data in ${config.dataDirectory}`);
  terminal.note(`Dashboard ${server.url}  (Ctrl-C stops)`);
  return runService({ env, platform, server, logger, terminal, signals: options.signals });
}

async function loadOrWriteConfig(options: StartOptions): Promise<LoadedConfig> {
  const { flags, variables, cwd, terminal } = options;
  const { file, named } = configPath({ flags, env: variables, cwd });
  if (!named && !existsSync(file)) {
    writeFirstConfig(file, options.installation);
    terminal.note(`wrote ${file}: this machine's git documents and commits, its metrics, Weir's own log`);
  }
  const registry = openRegistry(options.connectorsFolder);
  return readConfig({ flags, env: variables, cwd, registry, sinkRegistry: openSinkRegistry(options.sinksFolder) });
}

function logStreams({ stdout }: StartOptions, { parsed }: LoadedConfig): readonly LogStream[] {
  const { file, fileBytesMax } = parsed.config.logging;
  if (file === undefined) return [stdout];
  makeDirectory(dirname(file));
  return [stdout, openRotatingFile({ path: file, bytesMax: fileBytesMax })];
}

function listen(
  options: StartOptions,
  { parsed }: LoadedConfig,
  platform: Platform,
  logger: Logger,
  metrics: Parameters<typeof startServer>[0]['metrics'],
): Promise<RunningServer> {
  const { config } = parsed;
  const dashboard = pathToFileURL(`${options.installation}/dashboard/dist/`);
  const portFixed = options.flags.port !== undefined || (options.variables['WEIR_PORT'] ?? '') !== '';
  return startServer({
    host: config.server.host,
    port: config.server.port,
    portFixed,
    operations: OPERATIONS,
    // Without a login, what comes over HTTP has no other name.
    context: { ...platform.context, actor: { name: 'http' } },
    metrics,
    metricsEnabled: config.metrics.enabled,
    logger,
    readiness: () => Promise.resolve([storageCheck(platform)]),
    dashboardFolder: existsSync(dashboard) ? dashboard : undefined,
    configSchema: () => weirJsonSchema(parsed.metadataSchemas, parsed.sinkTypes),
    version: options.version,
  });
}

function storageCheck({ storage }: Platform): { name: string; ok: boolean; detail: string } {
  const broken = storage.broken();
  return { name: 'log', ok: broken === undefined, detail: broken?.message ?? 'events can be made durable' };
}
