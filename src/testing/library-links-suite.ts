// What Library.neighbours promises: links as a graph that is seen from both ends.

import { describe, expect, it } from 'vitest';
import { LIBRARY_LIMITS, type Neighbour } from '#core/library.ts';
import { type OpenHarness, withStorage } from './engine-harness.ts';
import { ingest, sample, SAMPLE_STREAM } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';

const PAGE = { tenant: 'a', connection: 'wiki', key: 'page-1' };

function shown(neighbours: readonly Neighbour[] | undefined): string[] | undefined {
  return neighbours
    ?.map(({ direction, rel, document }) => `${direction} ${rel} ${document?.key ?? 'unknown'}`)
    .toSorted();
}

export function libraryLinksSuite(openHarness: OpenHarness): void {
  describe('links', () => {
    it('a link shows from both ends, and one into nowhere from its own', () =>
      withStorage(openHarness, async (session) => {
        const { library } = session.store;
        const links = [
          { rel: 'cites', to: 'target' },
          { rel: 'links', to: 'nowhere' },
        ];
        await ingest(session, library, [
          sample({ title: 'source', links }),
          sample({ key: 'target', title: 'Target', url: 'https://wiki.example/target' }),
        ]);
        expect(shown(await library.neighbours(PAGE))).toEqual(['out cites target', 'out links unknown']);
        expect(shown(await library.neighbours({ ...PAGE, key: 'target' }))).toEqual(['in cites page-1']);
        const document = { connection: 'wiki', key: 'target', title: 'Target', url: 'https://wiki.example/target' };
        const out = (await library.neighbours(PAGE))?.find(({ rel }) => rel === 'cites');
        expect(out).toEqual({ direction: 'out', rel: 'cites', to: 'target', document });
      }));

    it('a link that says the address of a document leads to it, also from another connection', () =>
      withStorage(openHarness, async (session) => {
        const { library } = session.store;
        const of = { ...SAMPLE_STREAM, connection: 'code' };
        const to = 'https://wiki.example/target';
        await ingest(session, library, [
          sample({ key: 'target', url: to }),
          sample({ of, key: 'source', links: [{ rel: 'cites', to }] }),
        ]);
        expect(shown(await library.neighbours({ ...PAGE, connection: 'code', key: 'source' }))).toEqual([
          'out cites target',
        ]);
        expect(shown(await library.neighbours({ ...PAGE, key: 'target' }))).toEqual(['in cites source']);
      }));

    it('a link waits for its document and follows it when links change', () =>
      withStorage(openHarness, async (session) => {
        const { library } = session.store;
        await ingest(session, library, [sample({ version: 1, links: [{ rel: 'to', to: 'later' }] })]);
        expect(shown(await library.neighbours(PAGE))).toEqual(['out to unknown']);
        await ingest(session, library, [sample({ key: 'later' })]);
        expect(shown(await library.neighbours({ ...PAGE, key: 'later' }))).toEqual(['in to page-1']);
        await ingest(session, library, [sample({ version: 2, links: [{ rel: 'other', to: 'later' }] })]);
        expect(shown(await library.neighbours({ ...PAGE, key: 'later' }))).toEqual(['in other page-1']);
        await ingest(session, library, [sample({ version: 3 })]);
        expect(await library.neighbours({ ...PAGE, key: 'later' })).toEqual([]);
      }));

    it('a document that is not there has no neighbour list; one without links has an empty one', () =>
      withStorage(openHarness, async (session) => {
        await ingest(session, session.store.library, [sample()]);
        expect(await session.store.library.neighbours(PAGE)).toEqual([]);
        for (const of of [
          { ...PAGE, key: 'x' },
          { ...PAGE, connection: 'x' },
          { ...PAGE, tenant: 'b' },
        ]) {
          expect(await session.store.library.neighbours(of)).toBeUndefined();
        }
      }));

    it('links never lead into another tenant', () =>
      withStorage(openHarness, async (session) => {
        const { library } = session.store;
        const of = { ...SAMPLE_STREAM, tenant: 'b' };
        const links = [
          { rel: 'to', to: 'target' },
          { rel: 'to', to: 'https://b.example/' },
        ];
        await ingest(session, library, [
          sample({ links }),
          sample({ of, key: 'target', title: 'b', url: 'https://b.example/', links: [{ rel: 'to', to: 'page-1' }] }),
        ]);
        expect(shown(await library.neighbours(PAGE))).toEqual(['out to unknown', 'out to unknown']);
        expect(shown(await library.neighbours({ tenant: 'b', connection: 'wiki', key: 'target' }))).toEqual([
          'out to unknown',
        ]);
      }));

    it('gives at most neighboursMax', () =>
      withStorage(openHarness, async (session) => {
        const links = Array.from({ length: LIBRARY_LIMITS.neighboursMax + 50 }, (_, at) => ({
          rel: 'to',
          to: `k-${at}`,
        }));
        await ingest(session, session.store.library, [sample({ links })]);
        expect(await session.store.library.neighbours(PAGE)).toHaveLength(LIBRARY_LIMITS.neighboursMax);
      }));

    it('keeps keys, titles and links byte for byte', () =>
      withStorage(openHarness, async (session) => {
        const { library } = session.store;
        const events = HOSTILE_TEXTS.map((text, at) => {
          const links = [{ rel: text.slice(0, 60), to: text }];
          return sample({ key: text, title: text.slice(0, 500), text: `unique${at} ${text}`, links });
        });
        await ingest(session, library, events);
        expect(await library.count('a', 'wiki')).toBe(events.length);
        for (const [at, { event }] of events.entries()) {
          const { results } = await library.search({ tenants: ['a'], words: `unique${at}`, limit: 10 });
          expect(results.map(({ key, title }) => [key, title])).toEqual([[event.key, event.title]]);
          const [link] = event.links ?? [];
          const out = (await library.neighbours({ ...PAGE, key: event.key }))?.filter(
            ({ direction }) => direction === 'out',
          );
          expect(out?.map(({ rel, to }) => ({ rel, to }))).toEqual([link]);
        }
      }));
  });
}
