import { z } from 'zod';
import { LIBRARY_LIMITS } from '#core/library.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connectorName, limitOf } from './shapes.ts';

export const searchDocuments = defineOperation({
  name: 'documents.search',
  title: 'Full-text search over all documents, best first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/search' },
  input: z.strictObject({
    words: z
      .string()
      .min(1)
      .max(LIBRARY_LIMITS.queryCharsMax)
      .describe('all words must occur; "quoted words" stand together; when no document has all, any is enough'),
    connector: connectorName.optional(),
    limit: limitOf(LIBRARY_LIMITS.resultsMax, 20),
  }),
  output: z.object({
    schemaVersion,
    total: z.int(),
    results: z.array(
      z.object({
        connector: z.string(),
        tenant: z.string(),
        stream: z.string(),
        key: z.string(),
        title: z.string(),
        url: z.string().nullable(),
        line: z.int().nullable().describe('line of the first hit in the text, from 1'),
        snippet: z.string().describe('hits stand between U+0002 and U+0003'),
        score: z.number().describe('BM25; larger is better'),
        time: z.string(),
      }),
    ),
  }),
  async run(ctx, { words, connector, limit }) {
    const page = await ctx.store.library.search({
      tenants: ctx.tenants,
      words,
      limit,
      ...(connector === undefined ? {} : { connection: connector }),
    });
    return {
      schemaVersion: SCHEMA_VERSION,
      total: page.total,
      results: page.results.map(({ connection, tenant, stream, key, title, url, line, snippet, score, time }) => ({
        connector: connection,
        tenant,
        stream,
        key,
        title,
        url: url ?? null,
        line: line ?? null,
        snippet,
        score: Number(score.toPrecision(4)),
        time,
      })),
    };
  },
});
