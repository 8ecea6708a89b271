import { z } from 'zod';
import { Fault } from '#core/fault.ts';
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
    for (const one of stream === undefined ? streams : [stream]) {
      runs.push(...(await ctx.engine.pullToEnd(connection, one, { signal: ctx.signal, acceptDeletes, progress: ctx.progress })));
    }
    await ctx.engine.settled(ctx.signal);
    const views = runs.map(toRunView);
    const worst = views.some(({ outcome }) => outcome === 'failed' || outcome === 'yielded') ? 'failed' : views.some(({ outcome }) => outcome === 'partial') ? 'partial' : 'succeeded';
    return { schemaVersion: SCHEMA_VERSION, result: worst, runs: views };
  },
});
