import { z } from 'zod';
import { letterFilter, letterId, toStoreFilter } from './dead-letter-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { limitOf } from './shapes.ts';
import { letterDetail, toLetterDetail } from './show-dead-letter.ts';

const PAGE_BYTES_MAX = 8 * 1024 * 1024; // payload bytes of one page; one letter alone may have more

export const exportDeadLetters = defineOperation({
  name: 'dlq.export',
  title: 'Dead letters with their contents and every try, newest first',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/dead-letters/export' },
  input: letterFilter.extend({
    limit: limitOf(200, 100),
    before: letterId.optional().describe('only letters older than this one: `next_before` of the page before'),
  }),
  output: z.object({ schemaVersion, items: z.array(letterDetail), next_before: z.int().nullable() }),
  async run(ctx, { limit, before, ...filter }) {
    const found = await ctx.store.deadLetters.list(toStoreFilter(ctx, filter), limit, before);
    const items = [];
    let bytes = 0;
    let last: number | undefined;
    for (const { id, payloadBytes } of found) {
      if (last !== undefined && bytes + payloadBytes > PAGE_BYTES_MAX) break;
      const one = await ctx.store.deadLetters.get(ctx.tenants, id);
      // One that was settled or discarded since the page was listed is simply no letter any more.
      if (one !== undefined) items.push(toLetterDetail(one));
      bytes += payloadBytes;
      last = id;
    }
    const whole = last === found.at(-1)?.id && found.length < limit;
    return { schemaVersion: SCHEMA_VERSION, items, next_before: whole ? null : (last ?? null) };
  },
});
