import { z } from 'zod';
import { connectorView, worstFirst } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION, type OperationContext } from './operation.ts';
import { connector, type ConnectorView } from './shapes.ts';

const NAMED_MAX = 3; // connectors in one sentence

export const listConnectors = defineOperation({
  name: 'connectors.list',
  title: 'Every connector with its health, worst first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/connectors' },
  input: z.strictObject({}),
  output: z.object({
    schemaVersion,
    summary: z.string().describe('what is wrong, in one sentence'),
    connectors: z.array(connector),
  }),
  async run(ctx) {
    const mine = ctx.engine.connections.filter((connection) => ctx.tenants.includes(connection.tenant));
    const connectors = await Promise.all(mine.map((connection) => connectorView(ctx, connection)));
    connectors.sort(worstFirst);
    const summary = [summarise(connectors), ...(await sinkTrouble(ctx))].join(' ');
    return { schemaVersion: SCHEMA_VERSION, summary, connectors };
  },
});

/** Connectors that are well are no use while what they bring goes nowhere. */
async function sinkTrouble({ engine }: OperationContext): Promise<readonly string[]> {
  const inTrouble = (await engine.sinks()).filter(({ state }) => state === 'waiting' || state === 'refusing');
  if (inTrouble.length === 0) return [];
  const named = inTrouble.map(({ name, state }) => `${name} ${state === 'waiting' ? 'is out' : 'refuses everything'}`);
  return [`But sink ${enumerate(named)}: see weir sink list.`];
}

/** "2 of 9 connectors need attention: slack degraded (p95 …), teams down (…)." */
export function summarise(connectors: readonly ConnectorView[]): string {
  const enabled = connectors.filter((one) => one.enabled);
  if (connectors.length === 0) return 'No connectors are configured yet.';
  if (enabled.length === 0)
    return connectors.length === 1 ? 'The connector is disabled.' : `All ${connectors.length} connectors are disabled.`;
  const inNeed = enabled.filter(({ health }) => health.status === 'down' || health.status === 'degraded');
  if (inNeed.length > 0) {
    const named = inNeed.map(({ name, health }) => `${name} ${health.status} (${health.reason})`);
    return `${inNeed.length} of ${enabled.length} connectors ${inNeed.length === 1 ? 'needs' : 'need'} attention: ${enumerate(named)}.`;
  }
  const unknown = enabled.filter(({ health }) => health.status === 'unknown');
  const subject = enabled.length === 1 ? 'The connector is' : `All ${enabled.length} connectors are`;
  if (unknown.length === 0) return `${subject} healthy.`;
  return `Nothing is wrong; ${enumerate(unknown.map(({ name }) => name))} ${unknown.length === 1 ? 'has' : 'have'} made no calls yet.`;
}

function enumerate(parts: readonly string[]): string {
  const more = parts.length > NAMED_MAX ? [`${parts.length - NAMED_MAX} more`] : [];
  return [...parts.slice(0, NAMED_MAX), ...more].join(', ');
}
