import { z } from 'zod';
import { findConnection } from './connector-view.ts';
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
        findings: z.array(
          z.object({ ok: z.boolean(), message: z.string(), code: z.string().nullable(), hint: z.string().nullable() }),
        ),
      }),
    ),
  }),
  async run(ctx, { connector }) {
    // One that is named is tested even when it is disabled: that is how one finds out before enabling it.
    const asked =
      connector === undefined
        ? ctx.engine.connections.filter((one) => ctx.tenants.includes(one.tenant) && one.enabled)
        : [findConnection(ctx, connector)];
    const connectors = [];
    for (const connection of asked) {
      ctx.progress(`testing ${connection.connection}`);
      const findings = await ctx.engine.check(connection, ctx.signal);
      connectors.push({
        name: connection.connection,
        ok: findings.every((finding) => finding.ok),
        findings: findings.map(({ ok, message, fault }) => ({
          ok,
          message,
          code: fault?.code ?? null,
          hint: fault?.hint ?? null,
        })),
      });
    }
    return { schemaVersion: SCHEMA_VERSION, ok: connectors.every((one) => one.ok), connectors };
  },
});
