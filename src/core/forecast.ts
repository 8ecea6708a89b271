// What `weir simulate` is asked and what it answers: a plan of troubles, and what they would do to the connections of a configuration.

import { z } from 'zod';

const DURATION = /^(\d{1,6})(s|m|h|d)$/;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds, from `90s`, `40m`, `2h` or `1d`. */
const duration = z
  .string()
  .regex(DURATION, 'must be a number and a unit, such as 90s, 40m, 2h or 1d')
  .transform((text) => {
    const [, count = '0', unit = 's'] = DURATION.exec(text) ?? [];
    return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]; // the pattern lets no other unit through
  });

const window = {
  from: duration.describe('When it begins, counted from the start of the simulation: 90s, 40m, 2h, 1d.'),
  for: duration.describe('How long it lasts.'),
  share: z.number().min(0).max(1).default(1).describe('Share of the calls or writes that it meets, 0 to 1.'),
};

export const CONNECTOR_ANSWERS = ['timeout', 'unreachable', 'slow'] as const;
export const SINK_ANSWERS = ['down', 'slow', 'reject', 'lost_answer'] as const;

export const ConnectorFaultSchema = z.strictObject({
  connector: z.string().min(1).describe('Name of a connector of weir.yaml.'),
  answer: z
    .union([z.enum(CONNECTOR_ANSWERS), z.int().min(400).max(599)])
    .describe('What its API does: an HTTP status from 400 to 599, timeout, unreachable, or slow.'),
  ...window,
});
export const SinkFaultSchema = z.strictObject({
  sink: z.string().min(1).describe('Name of a sink of weir.yaml, or timeline or library.'),
  answer: z
    .enum(SINK_ANSWERS)
    .describe(
      'down: takes nothing. slow: 10 s a write. reject: refuses the event. lost_answer: writes, but its answer never comes.',
    ),
  ...window,
});

export const ForecastPlanSchema = z.strictObject({
  rates: z
    .record(z.string(), z.number().min(0).max(100_000))
    .default({})
    .describe('Records an hour that the external system brings, by connector. Default: 60.'),
  faults: z
    .array(z.union([ConnectorFaultSchema, SinkFaultSchema]))
    .max(1000)
    .describe('What goes wrong, and when.'),
});

/** Times in milliseconds. */
export type ForecastPlan = z.output<typeof ForecastPlanSchema>;
export type ConnectorFaultPlan = Extract<ForecastPlan['faults'][number], { connector: string }>;
export type SinkFaultPlan = Extract<ForecastPlan['faults'][number], { sink: string }>;

const seconds = z.number().describe('seconds');

export const ForecastReportSchema = z.object({
  seed: z.int(),
  simulated_seconds: seconds,
  faults: z.array(z.string()),
  connectors: z.array(
    z.object({
      name: z.string(),
      tenant: z.string(),
      records: z.int().describe('what the external system had to give until the end'),
      in_log: z.int(),
      calls: z.int(),
      failed_calls: z.int(),
      retries: z.int(),
      runs: z.int(),
      failed_runs: z.int(),
      circuit_opened: z.int().describe('how often'),
      circuit_open_seconds: seconds,
      delay_max_seconds: seconds.describe('longest time from a record at its source to the event log'),
      paused_seconds: seconds.describe('because the queue was too full'),
      caught_up: z.boolean().describe('at the end it lacks nothing that is older than one poll'),
    }),
  ),
  sinks: z.array(
    z.object({
      name: z.string(),
      delivered: z.int(),
      dead_letters: z.int(),
      failed_writes: z.int(),
      backlog_max: z.int().describe('events'),
      delay_max_seconds: seconds.describe('longest time from the event log to the sink'),
      caught_up: z.boolean().describe('at the end nothing waits for it'),
    }),
  ),
  queue: z.object({ usage_max_pct: z.number(), paused_seconds: seconds, max_size: z.int() }),
  happenings: z.array(z.object({ at_seconds: seconds, what: z.string() })),
  lost: z.int().describe('events in the log that neither arrived nor became a dead letter, nor wait'),
  healthy_at_end: z.boolean(),
});
export type ForecastReport = z.output<typeof ForecastReportSchema>;
