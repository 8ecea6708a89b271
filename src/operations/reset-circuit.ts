import { z } from 'zod';
import { demandRunning, findConnection } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connectorName } from './shapes.ts';

const circuit = z.enum(['closed', 'open', 'half_open']);

export const resetCircuit = defineOperation({
  name: 'connectors.reset_circuit',
  title: 'Close the circuit of a connector now, instead of waiting for a trial to succeed',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/connectors/:name/circuit/reset' },
  input: z.strictObject({ name: connectorName }),
  output: z.object({
    schemaVersion,
    connector: z.string(),
    circuit_before: circuit,
    circuit_state: circuit,
  }),
  run(ctx, { name }) {
    demandRunning(ctx);
    const connection = findConnection(ctx, name);
    const before = ctx.engine.circuitOf(connection);
    ctx.engine.resetCircuit(connection);
    return Promise.resolve({
      schemaVersion: SCHEMA_VERSION,
      connector: name,
      circuit_before: before,
      circuit_state: ctx.engine.circuitOf(connection),
    });
  },
});
