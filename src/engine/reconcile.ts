import type { ConnectorContext, Stream } from '#core/connector.ts';
import type { EventDraft } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { StreamRef } from '#core/names.ts';
import type { EntityStore } from '#core/store.ts';

export const RECONCILE_LIMITS = {
  keysMax: 2_000_000, // known keys of one stream held in memory, and keys of one listing; above it the run fails and nothing is deleted
  pageKeysMax: 500, // known keys read at a time, and deletes of one append
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
  if (stream.listIds === undefined) return;
  // Before the listing begins: what somebody else adds meanwhile may be missing from it, and is not gone.
  const missing = await known(entities, of);
  const live = missing.size;
  let listed = 0;
  for await (const page of stream.listIds(ctx, cursor)) {
    for (const key of page) missing.delete(key);
    listed += page.length;
    if (listed > RECONCILE_LIMITS.keysMax) throw tooMany(of, 'lists');
  }
  // A listing that ended because it was told to is not complete, and what it lacks is not gone.
  if (ctx.signal.aborted) throw new Fault('cancelled', 'the listing was stopped before it was complete');
  if (!options.acceptDeletes) brake(missing.size, live, stream, of);
  const time = new Date(ctx.clock.now()).toISOString();
  let deletes: EventDraft[] = [];
  for (const [key, version] of missing) {
    // Just above what was known: what came meanwhile, and the next upsert from the source, is higher still.
    deletes.push({ kind: 'document', op: 'delete', key, version: version + 1, time, data: null });
    if (deletes.length < RECONCILE_LIMITS.pageKeysMax) continue;
    yield deletes;
    deletes = [];
  }
  if (deletes.length > 0) yield deletes;
}

/** Versions by key. Shrinks by what is listed, so that keys are held once. */
async function known(entities: EntityStore, of: StreamRef): Promise<Map<string, number>> {
  const versions = new Map<string, number>();
  for await (const { key, version } of liveEntities(entities, of)) {
    versions.set(key, version);
    if (versions.size > RECONCILE_LIMITS.keysMax) throw tooMany(of, 'has');
  }
  return versions;
}

function tooMany(of: StreamRef, does: 'has' | 'lists'): Fault {
  const limit = `${RECONCILE_LIMITS.keysMax} keys`;
  return new Fault(
    'record_too_large',
    `${of.connection}/${of.stream} ${does} more than ${limit}; nothing was deleted`,
    {
      details: { limit },
    },
  );
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
