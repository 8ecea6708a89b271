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
  const { stats, limits, usageRatio, paused } = await ctx.engine.queue();
  const ageMs = stats.oldestAtMs === undefined ? undefined : Math.max(0, ctx.env.clock.now() - stats.oldestAtMs);
  return {
    queue_name: 'ingestion:queue',
    size: stats.size,
    max_size: limits.eventsMax,
    usage_pct: Math.round(usageRatio * 10_000) / 100,
    backpressure: paused,
    oldest_age_seconds: ageMs === undefined ? null : Math.round(ageMs / 100) / 10,
    sinks: stats.readers.map(({ reader, lag }) => ({ name: reader, lag })),
  };
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
