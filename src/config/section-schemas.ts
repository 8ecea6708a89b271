// The sections of `weir.yaml` beside `connectors:`. One schema a section; each description is the documentation of its key.
import { z } from 'zod';
import { STANDARD_WEBHOOK_SECRET } from '#core/standard-webhook.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const DAY_S = 86_400;

export const ServerSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8000)
    .describe('Port to listen on; when it is taken, the next free one. 0: any free port.'),
});

export const QueueSchema = z.strictObject({
  max_size: z
    .int()
    .min(100)
    .max(1_000_000_000)
    .default(10_000)
    .describe(
      'Events waiting for the slowest sink. Pulls pause at 80 % and resume at 60 %; webhooks are refused at 100 %.',
    ),
  max_bytes: z
    .int()
    .min(MIB)
    .max(1024 * GIB)
    .default(GIB)
    .describe('Bytes those events may occupy; the same percentages apply.'),
  tenant_share: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.5)
    .describe(
      'Share of the queue (0.01 to 1) that one tenant may fill when there are several; the same percentages apply within it.',
    ),
  retain_hours: z
    .number()
    .min(0)
    .max(365 * 24)
    .default(24)
    .describe(
      'Hours that events stay after every sink has them, so that a new sink has something to begin from. They take room on the disk, none in the queue.',
    ),
});

export const DiskSchema = z.strictObject({
  pause_below_bytes: z
    .int()
    .min(0)
    .max(1024 * GIB)
    .optional()
    .describe(
      'Free bytes of the disk of the data below which pulls pause; 0: never. Default: the larger of 512 MiB and 10 %, the latter at most 4 GiB.',
    ),
  refuse_below_bytes: z
    .int()
    .min(0)
    .max(1024 * GIB)
    .optional()
    .describe(
      'Free bytes below which nothing more is accepted and the ballast is given back; 0: never. Default: the larger of 128 MiB and 3 %, the latter at most 1 GiB.',
    ),
  ballast_bytes: z
    .int()
    .min(0)
    .max(GIB)
    .default(64 * MIB)
    .describe('Bytes held back on the disk for when it is full, so that the queue still drains; 0: none.'),
});

export const DeadLettersSchema = z.strictObject({
  retention_days: z
    .number()
    .min(1)
    .max(3650)
    .default(45)
    .describe('Days after its last try that a dead letter is removed.'),
  max_count: z
    .int()
    .min(100)
    .max(10_000_000)
    .default(100_000)
    .describe('Dead letters kept of each tenant; the oldest go first.'),
});

export const DeliverySchema = z.strictObject({
  max_attempts: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe(
      'Tries of one event, alone and while its sink takes others, before it becomes a dead letter. An outage of the sink uses up none.',
    ),
});

export const SchedulerSchema = z.strictObject({
  runs_max: z.int().min(1).max(256).default(4).describe('Pulls at the same time.'),
  runs_per_type_max: z.int().min(1).max(256).default(2).describe('Pulls at the same time of one connector type.'),
  slice_seconds: z
    .number()
    .min(1)
    .max(3600)
    .default(30)
    .describe('Seconds after which a long pull makes room for others and resumes later.'),
});

export const RetrySchema = z.strictObject({
  max_attempts: z
    .int()
    .min(0)
    .max(20)
    .default(3)
    .describe('Attempts of one call, the first included; 0 and 1 both mean: no retry.'),
  base_ms: z
    .number()
    .min(1)
    .max(3_600_000)
    .default(400)
    .describe('Milliseconds before the second attempt; doubles with each further one.'),
  cap_ms: z
    .number()
    .min(1)
    .max(3_600_000)
    .default(60_000)
    .describe('Milliseconds the doubling never exceeds (jitter comes on top).'),
  jitter_pct: z
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe('Random share by which each wait is longer or shorter, as a ratio: 0.2 is ±20 %.'),
});

export const CircuitBreakerSchema = z.strictObject({
  failures_to_open: z
    .int()
    .min(1)
    .max(1000)
    .default(5)
    .describe('Failures in a row that open a circuit. Only connection errors, timeouts and 5xx count.'),
  cooldown_seconds: z
    .number()
    .min(1)
    .max(DAY_S)
    .default(60)
    .describe('Seconds an open circuit waits before a trial call.'),
  half_open_probability: z
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe(
      'Chance (0 to 1) that a call may be the trial; never more than one at once, and a certain one after a second cooldown.',
    ),
});

export const CallsSchema = z.strictObject({
  timeout_ms: z
    .number()
    .min(100)
    .max(3_600_000)
    .optional()
    .describe(
      'Milliseconds one call to an external system may take. Default: what suits the connector type, else 30000.',
    ),
});

export const HealthSchema = z.strictObject({
  p95_ms: z
    .number()
    .min(1)
    .max(3_600_000)
    .default(2000)
    .describe('Milliseconds of 95th percentile latency above which a connector is degraded.'),
  error_rate: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('Share of failed calls (0 to 1) above which a connector is degraded. Above 0.5 it is down.'),
  window_minutes: z.int().min(1).max(1440).default(60).describe('Minutes of calls that are judged.'),
  calls_min: z.int().min(1).max(100_000).default(10).describe('Calls in the window before the error rate is judged.'),
});

export const LoggingSchema = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least severity that is written.'),
  file: z.string().min(1).optional().describe('File that gets every line as well. Default: none.'),
  max_bytes: z
    .int()
    .min(64 * KIB)
    .max(10 * GIB)
    .default(16 * MIB)
    .describe('Bytes at which that file is rotated.'),
});

export const MetricsSchema = z.strictObject({
  enabled: z.boolean().default(false).describe('Whether /metrics answers.'),
});

export const AlertsSchema = z
  .strictObject({
    webhook_url: z
      .url({ protocol: /^https?$/, error: 'must be a complete http:// or https:// address' })
      .optional()
      .describe('Address that is told when an alert fires and when it is resolved. Default: the log alone is told.'),
    webhook_secret: z
      .string()
      .regex(STANDARD_WEBHOOK_SECRET, 'must be whsec_ followed by 24 to 64 random bytes in base64')
      .optional()
      .describe(
        'Secret that signs what is sent there, in the form of Standard Webhooks: whsec_ and 24 to 64 random bytes in base64. Needed with webhook_url.',
      )
      .meta({ writeOnly: true }),
  })
  .refine((alerts) => alerts.webhook_url === undefined || alerts.webhook_secret !== undefined, {
    path: ['webhook_secret'],
    message: 'is needed with webhook_url: what is sent is always signed',
  });

export const OauthSchema = z.strictObject({
  refresh_safety_window_seconds: z
    .int()
    .min(0)
    .max(DAY_S)
    .default(300)
    .describe('Seconds before its expiry at which a token is refreshed.'),
  required: z
    .boolean()
    .default(false)
    .describe('Whether connectors that could also use a fixed token must use OAuth 2.'),
});
