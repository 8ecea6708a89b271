import { z } from 'zod';
import { HEARTBEAT_LATE_MS } from '#engine/heartbeat.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { moment, toMoment } from './shapes.ts';

export const getWorkerLag = defineOperation({
  name: 'worker.lag',
  title: 'How old the heartbeat of the worker is',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/worker' },
  input: z.strictObject({}),
  output: z.object({
    schemaVersion,
    alive: z.boolean().describe('false: the heartbeat is older than the limit, or there never was one'),
    last_heartbeat: moment,
    lag_seconds: z.number().nullable(),
    limit_seconds: z.number(),
    pid: z.int().nullable(),
    runs_inflight: z.int().nullable(),
  }),
  async run(ctx) {
    const beat = await ctx.heartbeat();
    const lagMs = beat === undefined ? undefined : Math.max(0, ctx.env.clock.now() - beat.atMs);
    return {
      schemaVersion: SCHEMA_VERSION,
      alive: lagMs !== undefined && lagMs <= HEARTBEAT_LATE_MS,
      last_heartbeat: toMoment(beat?.atMs),
      lag_seconds: lagMs === undefined ? null : Math.round(lagMs / 100) / 10,
      limit_seconds: HEARTBEAT_LATE_MS / 1000,
      pid: beat?.pid ?? null,
      runs_inflight: beat?.runsInflight ?? null,
    };
  },
});
