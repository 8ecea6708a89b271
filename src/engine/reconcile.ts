import type { ConnectorContext, Stream } from '#core/connector.ts';
import type { EventDraft } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { StreamRef } from '#core/names.ts';
import type { EntityStore } from '#core/store.ts';

export const RECONCILE_LIMITS = {
  idsMax: 2_000_000, // keys of one listing held in memory
  pageKeysMax: 500, // known keys compared at a time, and deletes of one append
  deletedRatioMax: 0.3, // of a stream vanishing in one listing, unless the stream says otherwise
  deletedFreeMax: 10, // so few deletes are never stopped: a third of five documents is an ordinary day
} as const;

/**
 * Compares everything known of a stream with a complete listing and yields deletes for what vanished. A listing that fails throws,
 * and nothing is deleted. Throws `delete_brake` when too much would go at once, unless `acceptDeletes`.
 */
export async function* vanished(options: {
  readonly stream: Stream;
  readonly ctx: ConnectorContext;
  readonly cursor: JsonValue;
  readonly of: StreamRef;
  readonly entities: EntityStore;
  readonly acceptDeletes: boolean;
}): AsyncGenerator<readonly EventDraft[], void, undefined> {
  const { stream, ctx, cursor, of, entities } = options;
  const listing = stream.listIds?.(ctx, cursor);
  if (listing === undefined) return;
  const ids = await collect(listing, of);
  // A listing that ended because it was told to is not complete, and what it lacks is not gone.
  if (ctx.signal.aborted) throw new Fault('cancelled', 'the listing was stopped before it was complete');
  const missing: { key: string; version: number }[] = [];
  for await (const entity of liveEntities(entities, of)) if (!ids.has(entity.key)) missing.push(entity);
  if (!options.acceptDeletes) brake(missing.length, await entities.countLive(of), stream, of);
  const time = new Date(ctx.clock.now()).toISOString();
  for (let start = 0; start < missing.length; start += RECONCILE_LIMITS.pageKeysMax) {
    yield missing.slice(start, start + RECONCILE_LIMITS.pageKeysMax).map(({ key, version }) => ({
      kind: 'document',
      op: 'delete',
      key,
      version: version + 1, // just above what is known: the next upsert from the source is higher still
      time,
      data: null,
    }));
  }
}

async function collect(listing: AsyncIterable<readonly string[]>, of: StreamRef): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const page of listing) {
    for (const id of page) ids.add(id);
    if (ids.size > RECONCILE_LIMITS.idsMax) {
      throw new Fault(
        'record_too_large',
        `${of.connection}/${of.stream} lists more than ${RECONCILE_LIMITS.idsMax} keys`,
        {
          details: { limit: `${RECONCILE_LIMITS.idsMax} keys` },
        },
      );
    }
  }
  return ids;
}

async function* liveEntities(entities: EntityStore, of: StreamRef) {
  let after: string | undefined;
  // Bounded by the stream's own keys: each round begins after the last key of the one before.
  for (;;) {
    const page = await entities.live(of, after, RECONCILE_LIMITS.pageKeysMax);
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < RECONCILE_LIMITS.pageKeysMax) return;
  }
}

function brake(missing: number, live: number, stream: Stream, of: StreamRef): void {
  const ratioMax = stream.deletedRatioMax ?? RECONCILE_LIMITS.deletedRatioMax;
  if (missing <= RECONCILE_LIMITS.deletedFreeMax || missing <= live * ratioMax) return;
  throw new Fault(
    'delete_brake',
    `${missing} of ${live} entries of ${of.connection}/${of.stream} are gone at the source; nothing was deleted`,
    {
      details: { connection: of.connection },
    },
  );
}
