import { z } from 'zod';
import { KINDS, SEVERITIES } from '#core/event.ts';
import { RUN_OUTCOMES } from '#core/store.ts';

/** RFC 3339 in UTC, or null. */
export const moment = z.string().nullable();
export const connectorName = z.string().min(1).max(63).describe('name of the connector in weir.yaml');
export const limitOf = (max: number, usual: number) =>
  z.coerce.number().int().min(1).max(max).default(usual).describe(`at most ${max}`);
export const kind = z.enum(KINDS);
export const severity = z.enum(SEVERITIES);

export const metrics = z.object({
  total_calls: z.int(),
  error_rate: z.number().describe('0 to 1'),
  p50_ms: z.number().nullable(),
  p95_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
});

export const connector = z.object({
  name: z.string(),
  type: z.string(),
  tenant: z.string(),
  enabled: z.boolean(),
  health: z.object({
    status: z.enum(['healthy', 'degraded', 'down', 'unknown']),
    reason: z.string().describe('one sentence with the measured value and the threshold'),
    metrics,
  }),
  last_result: z.enum(['succeeded', 'partial', 'failed']).nullable(),
  activity: z.string().describe('what it does at this moment'),
  circuit_state: z.enum(['closed', 'open', 'half_open']),
  last_success: moment,
  next_run: moment,
  events_total: z.int(),
  dead_letters: z.int(),
});
export type ConnectorView = z.infer<typeof connector>;

export const run = z.object({
  id: z.string(),
  stream: z.string(),
  started_at: z.string(),
  ended_at: moment,
  outcome: z.enum([...RUN_OUTCOMES, 'partial']),
  counts: z.object({
    pages: z.int(),
    appended: z.int(),
    unchanged: z.int(),
    deleted: z.int(),
    failed: z.int(),
    skipped: z.record(z.string(), z.int()),
  }),
  code: z.string().nullable(),
  message: z.string().nullable(),
});
export type RunView = z.infer<typeof run>;

export const cloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
});

export const queueStats = z.object({
  queue_name: z.literal('ingestion:queue'),
  size: z.int(),
  max_size: z.int(),
  usage_pct: z.number().describe('percent: 45 of 10000 is 0.45'),
  backpressure: z.boolean(),
  oldest_age_seconds: z.number().nullable(),
  bytes: z.int(),
  max_bytes: z.int(),
  intake: z.enum(['open', 'refusing']).describe('refusing: the log, your share of it or the disk is full'),
  sinks: z.array(z.object({ name: z.string(), lag: z.int(), oldest_age_seconds: z.number().nullable() })),
  tenants: z
    .array(z.object({ tenant: z.string(), size: z.int(), usage_pct: z.number(), backpressure: z.boolean() }))
    .describe('yours, each against its share'),
  disk: z
    .object({
      state: z.enum(['ok', 'low', 'full']).describe('low: pulls pause; full: nothing more is accepted'),
      free_bytes: z.int(),
      total_bytes: z.int(),
      ballast_bytes: z.int().describe('held back for when the disk is full'),
    })
    .nullable()
    .describe('null: the data is in memory'),
});

export function toMoment(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : new Date(ms).toISOString();
}

export function roundedMs(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
