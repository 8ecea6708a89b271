import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import type { Run } from '#core/store.ts';
import { streamsOf } from '#engine/connection.ts';
import { findConnection, toRunView } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connectorName, run } from './shapes.ts';

export const runConnector = defineOperation({
  name: 'connectors.run',
  title: 'Pull now, to the end, and wait until the sinks have what came',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/connectors/:name/runs' },
  input: z.strictObject({
    name: connectorName,
    stream: z.string().optional().describe('only this stream; all of them when absent'),
    accept_deletes: z.boolean().default(false).describe('let a listing delete more than the brake allows'),
  }),
  output: z.object({ schemaVersion, result: z.enum(['succeeded', 'partial', 'failed']), runs: z.array(run) }),
  async run(ctx, { name, stream, accept_deletes: acceptDeletes }) {
    const connection = findConnection(ctx, name);
    const streams = streamsOf(connection);
    if (stream !== undefined && !streams.includes(stream)) {
      throw new Fault('not_found', `connector ${name} has no stream ${stream}; it has ${streams.join(', ')}`);
    }
    const runs = [];
    const endings = [];
    for (const one of stream === undefined ? streams : [stream]) {
      const slices = await ctx.engine.pullToEnd(connection, one, {
        signal: ctx.signal,
        acceptDeletes,
        progress: ctx.progress,
      });
      runs.push(...slices);
      endings.push(resultOf(slices));
    }
    await ctx.engine.settled(ctx.signal);
    const result =
      endings.find((ending) => ending === 'failed') ?? endings.find((ending) => ending === 'partial') ?? 'succeeded';
    return { schemaVersion: SCHEMA_VERSION, result, runs: runs.map(toRunView) };
  },
});

/** Slices of one stream in order: only the last says whether its end was reached; what failed in any of them makes it partial. */
function resultOf(slices: readonly Run[]): 'succeeded' | 'partial' | 'failed' {
  if (slices.at(-1)?.outcome !== 'succeeded') return 'failed';
  return slices.some(({ counts }) => counts.failed > 0) ? 'partial' : 'succeeded';
}
