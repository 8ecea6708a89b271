// What the library promises about its documents: versions and tombstones (I4, P1), links as a graph, counts, and that
// nothing of a deleted document is left. Search has its own suite.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SealedEvent } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { append, deliver, hold, ingest, partitionOfEvent, sample, SAMPLE_STREAM } from './event-samples.ts';
import { libraryLinksSuite } from './library-links-suite.ts';
import { librarySearchSuite } from './library-search-suite.ts';

const PAGE = { tenant: 'a', connection: 'wiki', key: 'page-1' };

export function librarySuite(openHarness: OpenHarness): void {
  describe('library', () => {
    describe('versions', () => keepsHighestVersion(openHarness));
    describe('deletes', () => forgetsDeleted(openHarness));
    libraryLinksSuite(openHarness);
    librarySearchSuite(openHarness);
  });
}

async function found(session: StorageSession, words: string): Promise<string[]> {
  const { results } = await session.store.library.search({ tenants: ['a'], words, limit: 100 });
  return results.map(({ key }) => key).toSorted();
}

/** What can be seen of `PAGE`: which of the given words find it, whether it has links, and whether it is counted. */
async function visible(session: StorageSession, words: readonly string[]) {
  const hits: string[] = [];
  for (const word of words) if ((await found(session, word)).includes(PAGE.key)) hits.push(word);
  const neighbours = await session.store.library.neighbours(PAGE);
  return { hits, links: neighbours?.map(({ to }) => to), count: await session.store.library.count('a', 'wiki') };
}

const GONE = { hits: [], links: undefined, count: 0 };

function versionOf(version: number, rest: Parameters<typeof sample>[0] = {}): SealedEvent {
  return sample({
    version,
    title: `title${version}`,
    text: `body${version}`,
    links: [{ rel: 'to', to: `link${version}` }],
    ...rest,
  });
}

function keepsHighestVersion(openHarness: OpenHarness): void {
  it(
    'ends in the state of the highest version for any order, with duplicates (P1)',
    { timeout: PROPERTY_TIMEOUT_MS },
    async () => {
      const history = fc.uniqueArray(fc.record({ version: fc.integer({ min: 0, max: 40 }), deletes: fc.boolean() }), {
        selector: ({ version }) => version,
        minLength: 1,
        maxLength: 8,
      });
      const program = history.chain((list) =>
        fc.record({
          list: fc.constant(list),
          order: fc.shuffledSubarray(list, { minLength: list.length }),
          batchMax: fc.integer({ min: 1, max: 4 }),
          again: fc.array(fc.nat(), { maxLength: 3 }),
        }),
      );
      const property = fc.asyncProperty(program, ({ list, order, batchMax, again }) =>
        withStorage(openHarness, async (session) => {
          const { library } = session.store;
          const events = order.map(({ version, deletes }) =>
            deletes ? sample({ version, op: 'delete' }) : versionOf(version),
          );
          const [first] = events;
          if (first === undefined) return;
          const partition = partitionOfEvent(session, first);
          await append(session, ...events);
          const batches = await deliver(session, library, [partition], batchMax);
          // The answer to an apply was lost, so the same batch comes once more.
          const fence = await hold(session, partitionLeaseName('library', partition));
          for (const at of again) await library.apply(partition, batches[at % batches.length] ?? [], fence);
          const newest = list.toSorted((a, b) => b.version - a.version)[0];
          const words = list.flatMap(({ version }) => [`title${version}`, `body${version}`]);
          const version = newest?.version ?? 0;
          const expected = { hits: [`title${version}`, `body${version}`], links: [`link${version}`], count: 1 };
          expect(await visible(session, words)).toEqual(newest?.deletes === true ? GONE : expected);
        }),
      );
      await fc.assert(property, runsOf('heavy'));
    },
  );

  it('an older upsert that comes after a newer delete stays deleted, also after a restart', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [sample({ version: 4, op: 'delete' })]);
      await session.reopen();
      await ingest(session, session.store.library, [versionOf(1), versionOf(3)]);
      expect(await visible(session, ['title3', 'body3', 'body1'])).toEqual(GONE);
      await ingest(session, session.store.library, [versionOf(5)]);
      expect(await visible(session, ['body5'])).toEqual({ hits: ['body5'], links: ['link5'], count: 1 });
    }));

  it('another event of the same version changes nothing, whether it writes or deletes', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [versionOf(2), versionOf(2, { text: 'rewritten' })]);
      expect(await visible(session, ['body2', 'rewritten'])).toEqual({ hits: ['body2'], links: ['link2'], count: 1 });
      await ingest(session, session.store.library, [sample({ version: 2, op: 'delete' })]);
      expect(await visible(session, ['body2'])).toEqual({ hits: ['body2'], links: ['link2'], count: 1 });
      await ingest(session, session.store.library, [sample({ version: 3, op: 'delete' }), versionOf(3)]);
      expect(await visible(session, ['body3'])).toEqual(GONE);
    }));

  it('one key in two streams or connections is two documents', () =>
    withStorage(openHarness, async (session) => {
      const other = { ...SAMPLE_STREAM, stream: 'blog' };
      const elsewhere = { ...SAMPLE_STREAM, connection: 'code' };
      await ingest(session, session.store.library, [
        versionOf(9),
        versionOf(1, { of: other }),
        versionOf(2, { of: elsewhere }),
      ]);
      expect(await session.store.library.count('a', 'wiki')).toBe(2);
      expect(await session.store.library.count('a', 'code')).toBe(1);
      expect([await found(session, 'body9'), await found(session, 'body1'), await found(session, 'body2')]).toEqual([
        ['page-1'],
        ['page-1'],
        ['page-1'],
      ]);
      await ingest(session, session.store.library, [sample({ version: 10, op: 'delete' })]);
      expect([await found(session, 'body9'), await found(session, 'body1'), await found(session, 'body2')]).toEqual([
        [],
        ['page-1'],
        ['page-1'],
      ]);
    }));

  it('records and signals are no documents', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [
        versionOf(1, { kind: 'record' }),
        versionOf(2, { kind: 'signal' }),
      ]);
      expect(await visible(session, ['body1', 'body2'])).toEqual(GONE);
      expect(await session.log.read('library', partitionOfEvent(session, versionOf(1)), 10)).toEqual([]);
    }));

  it('a fenced owner changes no document and moves no position', () =>
    withStorage(openHarness, async (session) => {
      const event = versionOf(1);
      const partition = partitionOfEvent(session, event);
      const lease = partitionLeaseName('library', partition);
      await session.log.register('library');
      await append(session, event);
      const stale = await hold(session, lease, 'first', 1_000);
      const entries = await session.log.read('library', partition, 10);
      await session.clock.advance(1_050);
      await hold(session, lease, 'second');
      expect(await session.store.library.apply(partition, entries, stale)).toBe('fenced');
      expect(await visible(session, ['body1'])).toEqual(GONE);
      expect(await session.log.read('library', partition, 10)).toEqual(entries);
    }));

  it('documents and position survive a process death together', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [versionOf(1)]);
      await session.crash();
      expect(await visible(session, ['body1'])).toEqual({ hits: ['body1'], links: ['link1'], count: 1 });
      expect(await session.log.read('library', partitionOfEvent(session, versionOf(1)), 10)).toEqual([]);
    }));
}

function forgetsDeleted(openHarness: OpenHarness): void {
  it('text that was replaced finds nothing, and the new text does', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [sample({ version: 1, title: 'walnut', text: 'common zebra' })]);
      await ingest(session, session.store.library, [sample({ version: 2, title: 'hazelnut', text: 'common giraffe' })]);
      expect([await found(session, 'zebra'), await found(session, 'walnut')]).toEqual([[], []]);
      const { total, results } = await session.store.library.search({ tenants: ['a'], words: 'common', limit: 10 });
      expect(total).toBe(1);
      expect(results[0]).toMatchObject({ title: 'hazelnut' });
      expect(results[0]?.snippet).not.toContain('zebra');
      // A text that became shorter or empty leaves nothing behind either.
      await ingest(session, session.store.library, [sample({ version: 3, title: 'almond' })]);
      expect([await found(session, 'common'), await found(session, 'giraffe'), await found(session, 'almond')]).toEqual(
        [[], [], ['page-1']],
      );
    }));

  it('a deleted document is in no result, total, count, snippet or neighbour list', () =>
    withStorage(openHarness, async (session) => {
      const { library } = session.store;
      const to = (key: string) => [{ rel: 'see', to: key }];
      const kept = sample({ key: 'kept', title: 'kept', text: 'shared words', links: to('page-1') });
      await ingest(session, library, [
        kept,
        sample({ title: 'secret plan', text: 'shared secret words', links: to('kept') }),
      ]);
      expect(await found(session, 'shared')).toEqual(['kept', 'page-1']);
      await ingest(session, library, [sample({ version: 2, op: 'delete' })]);
      const page = await library.search({ tenants: ['a'], words: 'shared secret', limit: 10 });
      expect(page.total).toBe(1);
      const neighbours = await library.neighbours({ ...PAGE, key: 'kept' });
      expect(neighbours).toEqual([{ direction: 'out', rel: 'see', to: 'page-1', document: undefined }]);
      expect(JSON.stringify([page.results, neighbours])).not.toContain('secret plan');
      expect(JSON.stringify(page.results)).not.toContain('page-1');
      expect(await library.neighbours(PAGE)).toBeUndefined();
      expect(await library.count('a', 'wiki')).toBe(1);
    }));
}
