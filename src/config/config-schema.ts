// The one source of what `weir.yaml` may say: validation, JSON Schema, docs/configuration.md and the effective settings
// all derive from it, so a key, its default and its meaning cannot drift apart. Names are the user's (snake_case);
// `config.ts` turns them into the typed configuration with units in its names.
import { z } from 'zod';
import { NameSchema } from '#core/names.ts';
import { cronProblem, timeZoneProblem } from './cron-syntax.ts';
import { SinkNameSchema, SinkSchema } from './sink-settings.ts';
import {
  ServerSchema,
  QueueSchema,
  DiskSchema,
  DeadLettersSchema,
  DeliverySchema,
  SchedulerSchema,
  RetrySchema,
  CircuitBreakerSchema,
  CallsSchema,
  HealthSchema,
  LoggingSchema,
  MetricsSchema,
  AlertsSchema,
  OauthSchema,
} from './section-schemas.ts';

const DAY_S = 86_400;

/** `GET /webhooks/health` is an address of the product: a connection of that name would answer in its place. */
export const RESERVED_CONNECTION_NAMES: readonly string[] = ['health'];

/** Marks a value that must be masked wherever settings are shown (I7). `writeOnly` is JSON Schema's word for it. */
const SECRET = { writeOnly: true } as const;

const ConnectionNameSchema = NameSchema.refine(
  (name) => !RESERVED_CONNECTION_NAMES.includes(name),
  `is reserved: /webhooks/${RESERVED_CONNECTION_NAMES.join(', /webhooks/')} is an address of Weir itself`,
);

const CronSchema = z.string().superRefine((cron, context) => {
  const problem = cronProblem(cron);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const TimeZoneSchema = z.string().superRefine((timeZone, context) => {
  const problem = timeZoneProblem(timeZone);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const ScheduleSchema = z.union([
  CronSchema,
  z.strictObject({
    cron: CronSchema.describe('Five fields: minute, hour, day of month, month, day of week.'),
    timezone: TimeZoneSchema.optional().describe(
      'IANA time zone of the fields, for instance Europe/Berlin. Default: the zone of this machine.',
    ),
  }),
]);

const BaseUrlSchema = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    context.addIssue({ code: 'custom', message: 'must be a complete http:// or https:// address' });
  } else if (url.username !== '' || url.password !== '') {
    context.addIssue({ code: 'custom', message: 'must not carry a user name or password: put them under credentials' });
  }
});

/** An entry of `connectors:`. Keys without a default take over the section named in their description. */
export const ConnectionSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('false keeps the entry but starts nothing; its missing variables are then warnings.'),
  type: NameSchema.optional().describe('Which connector this is. Default: the name of the entry.'),
  tenant: NameSchema.default('default').describe(
    'Whose data it brings: every event, search and dead letter stays inside its tenant.',
  ),
  poll_interval_seconds: z
    .number()
    .min(1)
    .max(30 * DAY_S)
    .optional()
    .describe(
      'Seconds between two pulls. Not together with schedule. Default: what suits the connector type, else 300.',
    ),
  schedule: ScheduleSchema.optional().describe(
    'When to pull, instead of poll_interval_seconds: a cron expression, or {cron, timezone}. For instance "*/15 * * * *".',
  ),
  batch_size: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe('Records asked for in one request, where the external system lets one choose.'),
  max_retries: z
    .int()
    .min(0)
    .max(20)
    .optional()
    .describe('Attempts of one call, the first included; 0 and 1 both mean: no retry. Default: retry.max_attempts.'),
  backoff_base_seconds: z
    .number()
    .min(0.01)
    .max(3600)
    .optional()
    .describe('Seconds before the second attempt; doubles with each further one. Default: retry.base_ms.'),
  circuit_breaker_enabled: z
    .boolean()
    .default(true)
    .describe('Whether repeated failures pause the calls of this connector.'),
  circuit_breaker_failure_threshold: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('Failures in a row that open the circuit. Default: circuit_breaker.failures_to_open.'),
  circuit_breaker_timeout_seconds: z
    .number()
    .min(1)
    .max(DAY_S)
    .optional()
    .describe('Seconds an open circuit waits before a trial call. Default: circuit_breaker.cooldown_seconds.'),
  webhook_secret: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2)])
    .optional()
    .describe(
      'Secret that signs the deliveries to /webhooks/<name>; two while one replaces the other. Without it every delivery is refused.',
    )
    .meta(SECRET),
  base_url: BaseUrlSchema.optional().describe('Address of the external system, where it is not the public one.'),
  credentials: z
    .union([z.string().min(1), z.record(z.string(), z.string())])
    .optional()
    .describe(
      'A token, or the named fields the connector asks for. Write references, not the secret itself: "${GITHUB_TOKEN}" or "${file:/run/secrets/github}".',
    )
    .meta(SECRET),
  metadata: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('The settings of this connector type: what to read. Each connector documents its own.'),
});

/** All of `weir.yaml`. Metadata and settings of plugins are checked apart, by the schema of each type. */
export const WeirSchema = z.strictObject({
  connectors: z
    .record(ConnectionNameSchema, ConnectionSchema)
    .default({})
    .describe('What to connect to, by a name of your choice.'),
  sinks: z
    .record(SinkNameSchema, SinkSchema)
    .default({})
    .describe('Where events are sent besides timeline and library, by a name of your choice.'),
  server: ServerSchema.prefault({}).describe('The HTTP server: dashboard, API and webhooks.'),
  data: z
    .string()
    .min(1)
    .default('.weir')
    .describe('Directory of everything Weir stores. Relative to the directory of weir.yaml.'),
  queue: QueueSchema.prefault({}).describe('The event log between connectors and sinks.'),
  disk: DiskSchema.prefault({}).describe('What happens when the disk of the data fills up.'),
  delivery: DeliverySchema.prefault({}).describe('How events are written to sinks.'),
  dead_letters: DeadLettersSchema.prefault({}).describe('How long events that a sink could not take are kept.'),
  scheduler: SchedulerSchema.prefault({}).describe('How much is pulled at once.'),
  retry: RetrySchema.prefault({}).describe('How failed calls are tried again; connectors may say otherwise.'),
  circuit_breaker: CircuitBreakerSchema.prefault({}).describe(
    'How a failing system is left alone; connectors may say otherwise.',
  ),
  calls: CallsSchema.prefault({}).describe('Calls to external systems.'),
  health: HealthSchema.prefault({}).describe('When a connector counts as degraded.'),
  logging: LoggingSchema.prefault({}).describe("Weir's own log: JSON lines."),
  metrics: MetricsSchema.prefault({}).describe('Metrics for Prometheus.'),
  alerts: AlertsSchema.prefault({}).describe('Who is told when something is wrong. The rules: docs/operating.md.'),
  oauth: OauthSchema.prefault({}).describe('Tokens of connectors that use OAuth 2.'),
  allowed_paths: z
    .array(z.string().min(1))
    .min(1)
    .max(100)
    .optional()
    .describe('Directories that connectors of this machine (git, logs) may read. Default: the directory of weir.yaml.'),
});

/** What a valid `weir.yaml` says after defaults. */
export type WeirSettings = z.output<typeof WeirSchema>;
export type ConnectionSettings = z.output<typeof ConnectionSchema>;
