import { describe, expect, test } from 'vitest';
import type { Stream } from '#core/connector.ts';
import { sealEvent, type EventDraft } from '#core/event.ts';
import { pullSlice } from './puller.ts';
import { RECONCILE_LIMITS } from './reconcile.ts';
import {
  connectionOf,
  doc,
  docs,
  OF,
  openWorld,
  pullerOf,
  runsOf,
  scripted,
  type World,
} from './fixtures/engine-world.ts';

type Listing = NonNullable<Stream['listIds']>;
const signal = new AbortController().signal;

const listing = (...pages: readonly (readonly string[])[]): Listing =>
  async function* () {
    yield* pages;
  };
const keysOf = (count: number): string[] => docs(count).map(({ key }) => key);

/** A stream that walks everything there is and then lists it. */
function walking(
  there: () => readonly string[],
  listIds: Listing = (ctx, cursor) => listing(there())(ctx, cursor),
  more: Partial<Stream> = {},
) {
  return connectionOf(
    scripted({
      async *pull() {
        yield { events: there().map((key) => doc(key)), cursor: 'walked', reconcile: true };
      },
      stream: { listIds, ...more },
    }),
  );
}
const pull = (
  world: World,
  connection: ReturnType<typeof walking>,
  more: { acceptDeletes?: boolean; signal?: AbortSignal } = {},
) => pullSlice(pullerOf(world), { connection, stream: 'docs', signal, ...more });
const live = async (world: World): Promise<string[]> =>
  (await world.store.entities.live(OF, undefined, 2000)).map(({ key }) => key);
const isDue = async (world: World): Promise<boolean | undefined> => (await world.store.streams.get(OF))?.reconcileDue;

/** The world after a first complete walk over `count` documents. */
async function known(count: number): Promise<World> {
  const world = openWorld();
  await pull(
    world,
    walking(() => keysOf(count)),
  );
  return world;
}

describe('what vanished at the source', () => {
  test('is deleted, and nothing else', async () => {
    const world = await known(20);
    const left = keysOf(20).filter((key) => !['doc-3', 'doc-17'].includes(key));
    const run = await pull(
      world,
      walking(() => left),
    );
    expect(run).toMatchObject({ outcome: 'succeeded', counts: { deleted: 2 } });
    expect((await live(world)).toSorted()).toEqual(left.toSorted());
    expect(await isDue(world)).toBe(false);
  });

  test('is deleted with a version just above the known one, so that the next state of the source is newer', async () => {
    const world = openWorld();
    const at = (version: number, key = 'back') =>
      connectionOf(
        scripted({
          async *pull() {
            yield { events: [doc(key, version)], cursor: version };
          },
        }),
      );
    await pull(world, at(4096));
    await pull(
      world,
      walking(() => []),
    );
    expect(await live(world)).toEqual([]);
    await pull(world, at(2 * 4096));
    expect(await world.store.entities.live(OF, undefined, 10)).toEqual([{ key: 'back', version: 8192 }]);
  });

  test('is found over many pages of known keys, whatever order the listing has', async () => {
    const count = 3 * RECONCILE_LIMITS.pageKeysMax + 7;
    const world = await known(count);
    const left = keysOf(count).filter((_, index) => index % 10 !== 0);
    const run = await pull(
      world,
      walking(() => left.toReversed(), listing(left.slice(500).toReversed(), [], left.slice(0, 500))),
    );
    expect(run.counts.deleted).toBe(count - left.length);
    expect(await live(world)).toHaveLength(left.length);
  });

  test('a stream that cannot list deletes nothing and is complete all the same', async () => {
    const world = await known(5);
    const connection = connectionOf(
      scripted({
        async *pull() {
          yield { events: [], cursor: 1, reconcile: true };
        },
      }),
    );
    expect((await pull(world, connection)).outcome).toBe('succeeded');
    expect(await live(world)).toHaveLength(5);
    expect(await isDue(world)).toBe(false);
  });
});

describe('what somebody else adds while the listing goes on', () => {
  /** Listed as the source was when the listing began; `meanwhile` happens between its first page and its last. */
  const during = (keys: readonly string[], meanwhile: () => Promise<void>): Listing =>
    async function* () {
      yield keys.slice(0, 3);
      await meanwhile();
      yield keys.slice(3);
    };
  const append = async (world: World, ...drafts: readonly EventDraft[]): Promise<void> => {
    const events = drafts.map((draft) => sealEvent({ ...OF, connector: 'scripted' }, draft));
    await world.log.append({ events });
  };
  /** The stream has been walked and is due to be listed; nothing is added by the pull itself. */
  const onlyListing = (listIds: Listing) =>
    connectionOf(
      scripted({
        async *pull() {
          yield { events: [], cursor: 'walked', reconcile: true };
        },
        stream: { listIds },
      }),
    );

  test('stays, although the listing does not have it', async () => {
    const world = await known(8);
    const run = await pull(world, onlyListing(during(keysOf(8), () => append(world, doc('added')))));
    expect(run).toMatchObject({ outcome: 'succeeded', counts: { deleted: 0 } });
    expect(await live(world)).toEqual([...keysOf(8), 'added'].toSorted());
  });

  test.for([
    { what: 'one higher than the one known', version: 2 },
    { what: 'much higher than the one known', version: 4096 },
  ])('stays, when it is a key that was known and came back with a version $what', async ({ version }) => {
    const world = await known(8);
    await pull(world, onlyListing(during(keysOf(7), () => append(world, doc('doc-7', version)))));
    expect(await live(world)).toContain('doc-7');
  });

  test('goes with the next listing when it has vanished by then', async () => {
    const world = await known(8);
    await pull(world, onlyListing(during(keysOf(8), () => append(world, doc('brief')))));
    const run = await pull(world, onlyListing(listing(keysOf(8))));
    expect(run.counts.deleted).toBe(1);
    expect(await live(world)).toEqual(keysOf(8));
  });

  test('a key deleted at the source after it was listed goes with the next listing', async () => {
    const world = await known(8);
    let there = keysOf(8);
    const moving: Listing = async function* () {
      yield there;
      there = there.slice(1);
    };
    expect((await pull(world, onlyListing(moving))).counts.deleted).toBe(0);
    expect((await pull(world, onlyListing(moving))).counts.deleted).toBe(1);
    expect(await live(world)).not.toContain('doc-0');
  });

  test('stays also when the connector looks at its source before it is asked for the first page', async () => {
    const world = await known(4);
    const entities = world.store.entities;
    const order: string[] = [];
    const watched: World = {
      ...world,
      store: {
        ...world.store,
        entities: {
          countLive: (of) => entities.countLive(of),
          live: (...at) => (order.push('known'), entities.live(...at)),
        },
      },
    };
    const eager: Listing = (ctx, cursor) => (order.push('listed'), listing(keysOf(4))(ctx, cursor));
    await pull(watched, onlyListing(eager));
    expect(order).toEqual(['known', 'listed']);
  });
});

describe('a listing that is not complete', () => {
  const cut: Listing = async function* () {
    yield ['doc-0'];
    throw new Error('page 2 was refused');
  };

  test('deletes nothing, fails the run and is asked again by the next one', async () => {
    const world = await known(8);
    expect(
      await pull(
        world,
        walking(() => keysOf(8), cut),
      ),
    ).toMatchObject({ outcome: 'failed', message: 'page 2 was refused' });
    expect(await live(world)).toHaveLength(8);
    expect(await isDue(world)).toBe(true);
  });

  test('because the run was stopped deletes nothing, even when it ends as if it were complete', async () => {
    const world = await known(8);
    const stop = new AbortController();
    const stopped: Listing = async function* (ctx) {
      yield ['doc-0'];
      stop.abort();
      if (ctx.signal.aborted) return;
      yield keysOf(8);
    };
    const run = await pull(
      world,
      walking(() => keysOf(8), stopped),
      { signal: stop.signal },
    );
    expect(await live(world)).toHaveLength(8);
    expect(run.outcome).toBe('yielded');
    expect(await isDue(world)).toBe(true);
  });

  test('because it has no end fails the run and deletes nothing', async () => {
    const world = await known(8);
    const page = Array.from({ length: 50_000 }, (_, index) => `other-${index}`);
    let pages = 0;
    const endless: Listing = async function* () {
      for (;;) {
        pages += 1;
        yield page;
      }
    };
    const run = await pull(
      world,
      walking(() => keysOf(8), endless),
    );
    expect(run).toMatchObject({ outcome: 'failed', code: 'record_too_large' });
    expect(pages).toBe(RECONCILE_LIMITS.keysMax / page.length + 1);
    expect(await live(world)).toHaveLength(8);
  });

  test('is not asked for when the walk itself was stopped', async () => {
    const world = await known(8);
    const stop = new AbortController();
    let asked = 0;
    const connection = connectionOf(
      scripted({
        async *pull(ctx) {
          yield { events: [], cursor: 'half', reconcile: true };
          stop.abort();
          if (ctx.signal.aborted) return;
        },
        stream: {
          async *listIds() {
            asked += 1;
            yield [];
          },
        },
      }),
    );
    await pull(world, connection, { signal: stop.signal });
    expect(asked).toBe(0);
    expect(await live(world)).toHaveLength(8);
  });
});

describe('a listing that was due', () => {
  test('is made up for by the next run when the process died after the last page', async () => {
    const world = await known(8);
    const stop = new AbortController();
    const dying = connectionOf(
      scripted({
        async *pull() {
          stop.abort();
          yield { events: [], cursor: 'walked again', reconcile: true };
        },
        stream: { listIds: listing(['doc-0']) },
      }),
    );
    expect((await pull(world, dying, { signal: stop.signal })).outcome).toBe('yielded');
    expect(await isDue(world)).toBe(true);
    const quiet = connectionOf(scripted({ async *pull() {}, stream: { listIds: listing(keysOf(7)) } }));
    expect((await pull(world, quiet)).counts.deleted).toBe(1);
    expect(await isDue(world)).toBe(false);
    expect((await world.store.streams.get(OF))?.cursor).toBe('walked again');
  });

  test('is not repeated once it was made', async () => {
    const world = await known(8);
    let asked = 0;
    const connection = connectionOf(
      scripted({
        async *pull() {
          yield { events: [], cursor: 1 };
        },
        stream: {
          async *listIds() {
            asked += 1;
            yield [];
          },
        },
      }),
    );
    await pull(world, connection);
    expect(asked).toBe(0);
    expect(await live(world)).toHaveLength(8);
  });
});

describe('the brake on deletions', () => {
  const gone = (count: number, of: number) => keysOf(of).slice(count);

  test('stops a listing from which more than 30 % have vanished, and says what to do', async () => {
    const world = await known(100);
    const run = await pull(
      world,
      walking(() => gone(31, 100)),
    );
    expect(run).toMatchObject({ outcome: 'failed', code: 'delete_brake' });
    expect(run.message).toContain('31 of 100');
    expect(await live(world)).toHaveLength(100);
    expect(await isDue(world)).toBe(true);
  });

  test.for([
    { count: 30, of: 100 },
    { count: RECONCILE_LIMITS.deletedFreeMax, of: RECONCILE_LIMITS.deletedFreeMax },
  ])('lets $count of $of go', async ({ count, of }) => {
    const world = await known(of);
    expect(
      (
        await pull(
          world,
          walking(() => gone(count, of)),
        )
      ).counts.deleted,
    ).toBe(count);
  });

  test('lets go what an operator has accepted, once', async () => {
    const world = await known(100);
    await pull(
      world,
      walking(() => gone(60, 100)),
    );
    expect(
      await pull(
        world,
        walking(() => gone(60, 100)),
        { acceptDeletes: true },
      ),
    ).toMatchObject({ outcome: 'succeeded', counts: { deleted: 60 } });
    expect(
      await pull(
        world,
        walking(() => gone(80, 100)),
      ),
    ).toMatchObject({ outcome: 'failed', code: 'delete_brake' });
  });

  test('a stream may say that its listing cannot be wrong', async () => {
    const world = await known(100);
    const connection = walking(() => [], undefined, { deletedRatioMax: 1 });
    expect((await pull(world, connection)).counts.deleted).toBe(100);
  });

  test('holds over the runs until somebody decides', async () => {
    const world = await known(100);
    for (let run = 0; run < 3; run += 1)
      await pull(
        world,
        walking(() => []),
      );
    expect((await runsOf(world)).slice(0, 3).map(({ code }) => code)).toEqual([
      'delete_brake',
      'delete_brake',
      'delete_brake',
    ]);
    expect(await live(world)).toHaveLength(100);
  });
});
