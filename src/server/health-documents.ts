import { z } from 'zod';
import type { Connection } from '#engine/connection.ts';
import type { ConnectionStatus } from '#engine/status.ts';
import { connector, metrics, toMoment, type ConnectorView } from '#operations/shapes.ts';

export const HEALTH_JSON = 'application/health+json';

export const LiveSchema = z.object({ status: z.literal('live') });

export const ReadySchema = z.object({
  status: z.enum(['ready', 'unready']),
  checks: z
    .array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() }))
    .optional()
    .describe('those that fail; all of them with ?verbose'),
});

const overall = z.enum(['healthy', 'degraded', 'down', 'unknown']);

export const ConnectorsHealthSchema = z.object({
  status: overall.describe('the worst of the enabled connectors'),
  connectors: z.array(connector.omit({ health: true }).extend({ status: overall, reason: z.string(), metrics })),
});
export type ConnectorsHealth = z.infer<typeof ConnectorsHealthSchema>;

export const WebhooksHealthSchema = z.object({
  status: overall,
  connectors: z.array(
    z.object({
      name: z.string(),
      status: z.string().describe('what it does at this moment'),
      stats: z.object({
        events_received: z.int(),
        events_queued: z.int(),
        errors: z.int(),
        last_sync: z.string().nullable(),
      }),
      circuit_breaker: z.enum(['closed', 'open', 'half_open']),
    }),
  ),
});

/** No calls yet is no illness: `unknown` shows only when nothing at all is known. */
export function worstOf(states: readonly z.infer<typeof overall>[]): z.infer<typeof overall> {
  if (states.includes('down')) return 'down';
  if (states.includes('degraded')) return 'degraded';
  return states.includes('healthy') ? 'healthy' : 'unknown';
}

export function connectorsHealth(views: readonly ConnectorView[]): ConnectorsHealth {
  return {
    status: worstOf(views.filter(({ enabled }) => enabled).map(({ health }) => health.status)),
    connectors: views.map(({ name, type, tenant, health, ...rest }) => ({
      name,
      type,
      tenant,
      status: health.status,
      reason: health.reason,
      metrics: health.metrics,
      ...rest,
    })),
  };
}

const DRAFT_STATUS = { healthy: 'pass', degraded: 'warn', down: 'fail', unknown: 'pass' } as const;

/** The form of draft-inadarei-api-health-check-06, one check per connector. */
export function healthDraft(
  { status, connectors }: ConnectorsHealth,
  version: string,
  nowMs: number,
): Record<string, unknown> {
  const time = toMoment(nowMs);
  const checks = connectors
    .filter(({ enabled }) => enabled)
    .map(({ name, type, tenant, status: state, reason, metrics: measured }) => [
      `${tenant}/${name}:error_rate`,
      [
        {
          componentId: name,
          componentType: type,
          status: DRAFT_STATUS[state],
          observedValue: measured.error_rate,
          observedUnit: 'ratio',
          time,
          output: reason,
        },
      ],
    ]);
  return { status: DRAFT_STATUS[status], version, serviceId: 'weir', checks: Object.fromEntries(checks) };
}

/** What is kept as a dead letter was received and not queued; received is the sum of both. */
export function webhookHealth(
  { connection, enabled }: Connection,
  status: ConnectionStatus,
): z.infer<typeof WebhooksHealthSchema>['connectors'][number] {
  const { activity, circuit, deadLetters, eventsTotal, lastSuccessAtMs } = status;
  return {
    name: connection,
    status: enabled ? activity.kind : 'disabled',
    stats: {
      events_received: eventsTotal + deadLetters,
      events_queued: eventsTotal,
      errors: deadLetters,
      last_sync: toMoment(lastSuccessAtMs),
    },
    circuit_breaker: circuit,
  };
}
