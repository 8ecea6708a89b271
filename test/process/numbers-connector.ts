// A source that counts: page after page of keys `<number>.<bytes>`, served by the test's own process.

import { z } from 'zod';
import type { Connector, ConnectorContext } from '#core/connector.ts';
import { Fault } from '#core/fault.ts';
import type { Connection } from '#engine/connection.ts';
import { draftOf, TENANT } from './known-event.ts';

const PageSchema = z.union([z.object({ keys: z.array(z.string()) }), z.object({ retryAfterMs: z.number() })]);
const CursorSchema = z.object({ next: z.int() });

/** `count` connections `numbers-0`, `numbers-1`, …, each pulled again `pollMs` after its last run. */
export function numbersConnections(worldUrl: string, count: number, pollMs: number): Connection[] {
  const connector = numbersConnector(worldUrl);
  return Array.from({ length: count }, (_, index) => ({
    tenant: TENANT,
    connection: `numbers-${index}`,
    connector,
    enabled: true,
    config: {},
    schedule: { kind: 'interval', pollIntervalMs: pollMs },
    batchSize: 50,
    allowedPaths: [],
    guard: {},
  }));
}

function numbersConnector(worldUrl: string): Connector {
  return {
    type: 'known',
    version: '1.0.0',
    title: 'Numbers',
    stability: 'alpha',
    config: z.unknown(),
    limits: { callTimeoutMs: 60_000, pollIntervalMsDefault: 1000 },
    check: () => Promise.resolve([]),
    streams: {
      docs: {
        title: 'numbers',
        cursor: CursorSchema,
        async *pull(ctx, cursor) {
          let next = cursor === undefined ? 0 : CursorSchema.parse(cursor).next;
          // Ends when the source has no more.
          for (;;) {
            const keys = await page(ctx, worldUrl, next);
            if (keys.length === 0) return;
            next += keys.length;
            yield { events: keys.map((key) => draftOf(key, 1)), cursor: { next } };
          }
        },
      },
    },
  };
}

function page(ctx: ConnectorContext, worldUrl: string, after: number): Promise<readonly string[]> {
  return ctx.call('page', async (signal) => {
    const answer = await fetch(`${worldUrl}/page?connection=${ctx.connection}&after=${after}`, { signal });
    const parsed = PageSchema.parse(await answer.json());
    if ('keys' in parsed) return parsed.keys;
    throw new Fault('rate_limited', 'told to wait', { retryAtMs: ctx.clock.now() + parsed.retryAfterMs });
  });
}
