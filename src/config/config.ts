// The configuration as the code sees it: camelCase, units in the names, every default and inheritance resolved.
import type { JsonObject } from '#core/json.ts';
import type { ConnectionSettings, WeirSettings } from './config-schema.ts';
import type { SinkConfig } from './sink-settings.ts';

export interface RetryConfig {
  /** Attempts of one call, the first included; at least 1. */
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** 0 to 1: each wait is longer or shorter by up to this share. */
  readonly jitterRatio: number;
}

export interface CircuitBreakerConfig {
  readonly failuresToOpen: number;
  readonly cooldownMs: number;
  /** 0 to 1. */
  readonly halfOpenProbability: number;
}

export type ScheduleConfig =
  | { readonly kind: 'interval'; readonly pollIntervalMs: number }
  /** `timeZone` absent: the machine's own. */
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone?: string };

/** One entry of `connectors:`, complete. */
export interface ConnectionConfig {
  readonly name: string;
  readonly type: string;
  readonly tenant: string;
  readonly enabled: boolean;
  /** Absolute directory of the file that defines it: relative paths in `metadata` start here. */
  readonly directory: string;
  readonly schedule: ScheduleConfig;
  readonly batchSize: number;
  readonly retry: RetryConfig;
  readonly circuitBreaker: CircuitBreakerConfig & { readonly enabled: boolean };
  readonly timeoutMs: number;
  /** Any of them may sign a delivery. Empty: every delivery is refused. */
  readonly webhookSecrets: readonly string[];
  readonly baseUrl?: string;
  /** A single token stands under `token`. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Already validated by the connector's own schema, with its defaults. */
  readonly metadata: JsonObject;
}

export interface WeirConfig {
  /** Absolute directory of the project's `weir.yaml`. */
  readonly directory: string;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly server: { readonly host: string; readonly port: number };
  readonly queue: {
    readonly eventsMax: number;
    readonly bytesMax: number;
    /** 0 to 1, of both, for each tenant when there are several. */
    readonly tenantShareRatio: number;
    readonly retainMs: number;
  };
  /** Absent marks: the engine's own rule. 0: off. */
  readonly disk: { readonly pauseFreeBytes?: number; readonly refuseFreeBytes?: number; readonly ballastBytes: number };
  readonly delivery: { readonly attemptsMax: number };
  readonly deadLetters: { readonly retentionMs: number; readonly countMax: number };
  readonly scheduler: { readonly runsMax: number; readonly runsPerTypeMax: number; readonly sliceMs: number };
  readonly retry: RetryConfig;
  readonly circuitBreaker: CircuitBreakerConfig;
  readonly health: {
    readonly p95MsMax: number;
    readonly errorRatioMax: number;
    readonly windowMs: number;
    readonly callsMin: number;
  };
  readonly logging: {
    readonly level: WeirSettings['logging']['level'];
    readonly file?: string;
    readonly fileBytesMax: number;
  };
  readonly metrics: { readonly enabled: boolean };
  /** Absent: alerts go to the log alone. */
  readonly alertWebhook?: { readonly url: string; readonly secret: string };
  readonly oauth: { readonly refreshSafetyWindowMs: number; readonly required: boolean };
  /** Absolute directories that local connectors may read below. */
  readonly allowedPaths: readonly string[];
  /** Sorted by name; disabled ones are listed too. */
  readonly connections: readonly ConnectionConfig[];
  /** Sorted by name; disabled ones are listed too. */
  readonly sinks: readonly SinkConfig[];
}

/** What a connector type asks for when the user says nothing: the `limits` of its definition. */
export interface ConnectorLimits {
  readonly callTimeoutMs: number;
  readonly pollIntervalMsDefault: number;
}

/** For types that suggest nothing. */
export const CONNECTOR_LIMITS_DEFAULT: ConnectorLimits = { callTimeoutMs: 30_000, pollIntervalMsDefault: 300_000 };

export interface ConfigContext {
  readonly limitsOf: (type: string) => ConnectorLimits;
  readonly directory: string;
  /** Path of the key as the user wrote it and the text → absolute path: files count from their own directory, flags and variables from the working directory. */
  readonly toAbsolute: (path: readonly PropertyKey[], text: string) => string;
  readonly directoryOf: (connection: string) => string;
  readonly metadataOf: (connection: string) => JsonObject;
  readonly sinks: readonly SinkConfig[];
}

const S = 1000;
const MIN = 60 * S;
const HOUR = 60 * MIN;

/** Settings → configuration. Pure and total: whatever could be wrong was found before. */
export function toConfig(settings: WeirSettings, context: ConfigContext): WeirConfig {
  const retry: RetryConfig = {
    attemptsMax: Math.max(1, settings.retry.max_attempts),
    baseMs: settings.retry.base_ms,
    capMs: settings.retry.cap_ms,
    jitterRatio: settings.retry.jitter_pct,
  };
  const circuitBreaker: CircuitBreakerConfig = {
    failuresToOpen: settings.circuit_breaker.failures_to_open,
    cooldownMs: settings.circuit_breaker.cooldown_seconds * S,
    halfOpenProbability: settings.circuit_breaker.half_open_probability,
  };
  const { alerts, logging } = settings;
  return {
    directory: context.directory,
    dataDirectory: context.toAbsolute(['data'], settings.data),
    server: settings.server,
    ...toRoomSections(settings),
    scheduler: {
      runsMax: settings.scheduler.runs_max,
      runsPerTypeMax: settings.scheduler.runs_per_type_max,
      sliceMs: settings.scheduler.slice_seconds * S,
    },
    retry,
    circuitBreaker,
    health: {
      p95MsMax: settings.health.p95_ms,
      errorRatioMax: settings.health.error_rate,
      windowMs: settings.health.window_minutes * MIN,
      callsMin: settings.health.calls_min,
    },
    logging: {
      level: logging.level,
      ...(logging.file === undefined ? {} : { file: context.toAbsolute(['logging', 'file'], logging.file) }),
      fileBytesMax: logging.max_bytes,
    },
    metrics: settings.metrics,
    ...(alerts.webhook_url === undefined || alerts.webhook_secret === undefined
      ? {}
      : { alertWebhook: { url: alerts.webhook_url, secret: alerts.webhook_secret } }),
    oauth: {
      refreshSafetyWindowMs: settings.oauth.refresh_safety_window_seconds * S,
      required: settings.oauth.required,
    },
    allowedPaths: settings.allowed_paths?.map((text, i) => context.toAbsolute(['allowed_paths', i], text)) ?? [
      context.directory,
    ],
    sinks: context.sinks,
    connections: Object.entries(settings.connectors)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, connection]) =>
        toConnection(name, connection, { retry, circuitBreaker, timeoutMs: settings.calls.timeout_ms }, context),
      ),
  };
}

/** What may be held, for how long and on how much room. */
function toRoomSections({
  queue,
  disk,
  delivery,
  dead_letters: letters,
}: WeirSettings): Pick<WeirConfig, 'queue' | 'disk' | 'delivery' | 'deadLetters'> {
  return {
    queue: {
      eventsMax: queue.max_size,
      bytesMax: queue.max_bytes,
      tenantShareRatio: queue.tenant_share,
      retainMs: queue.retain_hours * HOUR,
    },
    disk: {
      ...(disk.pause_below_bytes === undefined ? {} : { pauseFreeBytes: disk.pause_below_bytes }),
      ...(disk.refuse_below_bytes === undefined ? {} : { refuseFreeBytes: disk.refuse_below_bytes }),
      ballastBytes: disk.ballast_bytes,
    },
    delivery: { attemptsMax: delivery.max_attempts },
    deadLetters: { retentionMs: letters.retention_days * 24 * HOUR, countMax: letters.max_count },
  };
}

interface Inherited {
  readonly retry: RetryConfig;
  readonly circuitBreaker: CircuitBreakerConfig;
  readonly timeoutMs: number | undefined;
}

function toConnection(
  name: string,
  settings: ConnectionSettings,
  inherited: Inherited,
  context: ConfigContext,
): ConnectionConfig {
  const { retry, circuitBreaker } = inherited;
  const type = settings.type ?? name;
  const limits = context.limitsOf(type);
  const { credentials, webhook_secret: secret } = settings;
  return {
    name,
    type,
    tenant: settings.tenant,
    enabled: settings.enabled,
    directory: context.directoryOf(name),
    schedule: toSchedule(settings, limits.pollIntervalMsDefault),
    batchSize: settings.batch_size,
    retry: {
      ...retry,
      attemptsMax: settings.max_retries === undefined ? retry.attemptsMax : Math.max(1, settings.max_retries),
      baseMs: settings.backoff_base_seconds === undefined ? retry.baseMs : settings.backoff_base_seconds * S,
    },
    circuitBreaker: {
      enabled: settings.circuit_breaker_enabled,
      failuresToOpen: settings.circuit_breaker_failure_threshold ?? circuitBreaker.failuresToOpen,
      cooldownMs:
        settings.circuit_breaker_timeout_seconds === undefined
          ? circuitBreaker.cooldownMs
          : settings.circuit_breaker_timeout_seconds * S,
      halfOpenProbability: circuitBreaker.halfOpenProbability,
    },
    timeoutMs: inherited.timeoutMs ?? limits.callTimeoutMs,
    webhookSecrets: secret === undefined ? [] : typeof secret === 'string' ? [secret] : secret,
    ...(settings.base_url === undefined ? {} : { baseUrl: settings.base_url }),
    credentials: typeof credentials === 'string' ? { token: credentials } : (credentials ?? {}),
    metadata: context.metadataOf(name),
  };
}

function toSchedule(settings: ConnectionSettings, pollIntervalMsDefault: number): ScheduleConfig {
  const { schedule } = settings;
  if (schedule === undefined) {
    const seconds = settings.poll_interval_seconds;
    return { kind: 'interval', pollIntervalMs: seconds === undefined ? pollIntervalMsDefault : seconds * S };
  }
  if (typeof schedule === 'string') return { kind: 'cron', cron: schedule };
  return {
    kind: 'cron',
    cron: schedule.cron,
    ...(schedule.timezone === undefined ? {} : { timeZone: schedule.timezone }),
  };
}
