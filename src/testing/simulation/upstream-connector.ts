import { z } from 'zod';
import type { Connector, ConnectorContext, Page } from '#core/connector.ts';
import type { PullFailure } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import { CONNECTOR_TYPE, STREAM, Upstream, type FeedPage, type FeedPlace } from './upstream.ts';
import type { Life } from './life.ts';

const CALL_TIMEOUT_MS = 5_000;
const LIST_PAGE_KEYS = 20;
const Place = z.object({ tick: z.number(), key: z.string(), epoch: z.number() });

/** A connector as an author would write it for `upstream`: ordered walk, look-back, a full walk when its place is forgotten. */
export function upstreamConnector(upstream: Upstream, life: Life, onPage: (page: Page<JsonValue>) => void): Connector {
  const ask = <T>(ctx: ConnectorContext, operation: string, work: () => Promise<T>): Promise<T> =>
    ctx.call(operation, () => life.cross(`upstream.${operation}`, work));
  return {
    type: CONNECTOR_TYPE,
    version: '1.0.0',
    title: 'Simulated system',
    stability: 'alpha',
    config: z.unknown(),
    limits: { callTimeoutMs: CALL_TIMEOUT_MS, pollIntervalMsDefault: 20_000 },
    check: () => Promise.resolve([]),
    streams: {
      [STREAM]: {
        title: 'Items',
        cursor: Place as unknown as z.ZodType<JsonValue>, // a place is JSON
        deletedRatioMax: 1,
        pull: (ctx, cursor) => pull(ctx, cursor === undefined ? undefined : Place.parse(cursor)),
        async *listIds(ctx) {
          for (let after = ''; ;) {
            const from = after;
            const keys = await ask(ctx, 'list', () => upstream.list(from, LIST_PAGE_KEYS));
            yield keys;
            const last = keys.at(-1);
            if (last === undefined || keys.length < LIST_PAGE_KEYS) return;
            after = last;
          }
        },
      },
    },
  };

  async function* pull(
    ctx: ConnectorContext,
    cursor: FeedPlace | undefined,
  ): AsyncGenerator<Page<JsonValue>, void, undefined> {
    let place = cursor === undefined ? undefined : { ...cursor, tick: cursor.tick - Upstream.lookBackTicks, key: '' };
    // Without deletes in the feed each walk ends with a listing; after a forgotten place nothing is known of deletes either.
    let reconcile = !upstream.tellsDeletes;
    let boundTick: number | undefined;
    for (;;) {
      const from: FeedPlace | undefined = place;
      let page: FeedPage;
      try {
        page = await ask(ctx, 'feed', () => upstream.feed(from, ctx.batchSize));
      } catch (error) {
        if (!(error instanceof Fault) || error.details['expired'] === undefined) throw error;
        place = undefined;
        boundTick = undefined;
        reconcile = true;
        continue;
      }
      // Rows newer than the walk's beginning belong to the next one: the look-back counts from there.
      boundTick ??= page.tickNow;
      place = page.place;
      const more = page.more && page.place.tick <= boundTick;
      const reached = Math.min(page.place.tick, boundTick);
      const step: Page<JsonValue> = {
        events: page.drafts,
        failures: page.bad.map(failureOf),
        cursor: { ...page.place, ...(reached < page.place.tick ? { tick: reached, key: '' } : {}) },
        ...(reconcile ? { reconcile: true } : {}),
      };
      onPage(step);
      yield step;
      if (!more) return;
    }
  }
}

function failureOf({ key, revision }: { readonly key: string; readonly revision: number }): PullFailure {
  return { key, code: 'record_invalid', message: `${key} cannot be read`, payload: { key, revision } };
}
