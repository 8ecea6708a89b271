import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import { findConnection } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connectorName } from './shapes.ts';

export const listNeighbours = defineOperation({
  name: 'documents.neighbours',
  title: 'What a document links to and what links to it',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/neighbours' },
  input: z.strictObject({
    connector: connectorName,
    key: z.string().min(1).max(1024).describe('key of the document, as search shows it'),
  }),
  output: z.object({
    schemaVersion,
    neighbours: z.array(
      z.object({
        direction: z.enum(['out', 'in']),
        rel: z.string(),
        to: z.string().describe('the target as the link says it'),
        document: z
          .object({ connector: z.string(), key: z.string(), title: z.string(), url: z.string().nullable() })
          .nullable()
          .describe('the document at the other end, when there is one'),
      }),
    ),
  }),
  async run(ctx, { connector, key }) {
    const { tenant, connection } = findConnection(ctx, connector);
    const neighbours = await ctx.store.library.neighbours({ tenant, connection, key });
    if (neighbours === undefined) throw new Fault('not_found', `connector ${connector} has no document ${key}`);
    return {
      schemaVersion: SCHEMA_VERSION,
      neighbours: neighbours.map(({ direction, rel, to, document }) => ({
        direction,
        rel,
        to,
        document:
          document === undefined
            ? null
            : { connector: document.connection, key: document.key, title: document.title, url: document.url ?? null },
      })),
    };
  },
});
