import { z } from 'zod';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connectorName } from './shapes.ts';

export const checkConnections = defineOperation({
  name: 'connectors.check',
  title: 'Test each connection and say what is wrong',
  role: 'operator',
  changes: false,
  http: { method: 'POST', path: '/api/v1/check' },
  input: z.strictObject({ connector: connectorName.optional() }),
  output: z.object({
    schemaVersion,
    ok: z.boolean(),
    connectors: z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        findings: z.array(z.object({ ok: z.boolean(), message: z.string(), code: z.string().nullable(), hint: z.string().nullable() })),
      }),
    ),
  }),
  async run(ctx, { connector }) {
    const mine = ctx.engine.connections.filter((one) => ctx.tenants.includes(one.tenant) && (connector === undefined || one.connection === connector));
    const connectors = [];
    for (const connection of mine.filter(({ enabled }) => enabled)) {
      ctx.progress(`testing ${connection.connection}`);
      const findings = await ctx.engine.check(connection, ctx.signal);
      connectors.push({
        name: connection.connection,
        ok: findings.every((finding) => finding.ok),
        findings: findings.map(({ ok, message, fault }) => ({ ok, message, code: fault?.code ?? null, hint: fault?.hint ?? null })),
      });
    }
    return { schemaVersion: SCHEMA_VERSION, ok: connectors.every((one) => one.ok), connectors };
  },
});
