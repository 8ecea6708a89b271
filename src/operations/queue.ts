import { z } from 'zod';
import { toCloudEvent } from '#core/cloud-event.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION, type OperationContext } from './operation.ts';
import { cloudEvent, limitOf, queueStats } from './shapes.ts';

export const getQueueStats = defineOperation({
  name: 'queue.stats',
  title: 'How full the event log is and how far each sink is behind',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/queue' },
  input: z.strictObject({}),
  output: queueStats.extend({ schemaVersion }),
  async run(ctx) {
    return { schemaVersion: SCHEMA_VERSION, ...(await readQueue(ctx)) };
  },
});

async function readQueue(ctx: OperationContext): Promise<z.infer<typeof queueStats>> {
  const { stats, limits, usageRatio, paused, tenants, intake, disk } = await ctx.engine.queue();
  const nowMs = ctx.env.clock.now();
  const refused = ctx.tenants.some((tenant) => ctx.engine.intakeRefusal(tenant) !== undefined);
  return {
    queue_name: 'ingestion:queue',
    size: stats.size,
    max_size: limits.eventsMax,
    usage_pct: toPercent(usageRatio),
    backpressure: paused,
    oldest_age_seconds: ageSeconds(stats.oldestAtMs, nowMs),
    bytes: stats.bytes,
    max_bytes: limits.bytesMax,
    intake: refused ? 'refusing' : intake,
    sinks: stats.readers.map(({ reader, lag, oldestAtMs }) => ({
      name: reader,
      lag,
      oldest_age_seconds: ageSeconds(oldestAtMs, nowMs),
    })),
    tenants: tenants
      .filter(({ tenant }) => ctx.tenants.includes(tenant)) // I9
      .map((one) => ({
        tenant: one.tenant,
        size: one.size,
        usage_pct: toPercent(one.usageRatio),
        backpressure: one.paused,
      })),
    disk:
      disk === undefined
        ? null
        : {
            state: disk.state,
            free_bytes: disk.freeBytes,
            total_bytes: disk.totalBytes,
            ballast_bytes: disk.ballastBytes,
          },
  };
}

function toPercent(ratio: number): number {
  return Math.round(ratio * 10_000) / 100;
}

function ageSeconds(atMs: number | undefined, nowMs: number): number | null {
  return atMs === undefined ? null : Math.round(Math.max(0, nowMs - atMs) / 100) / 10;
}

export const peekQueue = defineOperation({
  name: 'queue.peek',
  title: 'The oldest events that wait for a sink',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/queue/peek' },
  input: z.strictObject({ limit: limitOf(100, 5) }),
  output: z.object({ schemaVersion, items: z.array(cloudEvent) }),
  async run(ctx, { limit }) {
    const entries = await ctx.log.peek(ctx.tenants, limit);
    return { schemaVersion: SCHEMA_VERSION, items: entries.map(({ event }) => ({ ...toCloudEvent(event) })) };
  },
});
