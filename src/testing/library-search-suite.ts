// What Library.search promises: words mean themselves, whatever else is in the query, and results say where the hit is.

import { describe, expect, it } from 'vitest';
import { LIBRARY_LIMITS, type SearchResult } from '#core/library.ts';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { ingest, sample, SAMPLE_STREAM } from './event-samples.ts';
import { hostileQuerySuite } from './hostile-query-suite.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { keysOf, MARKED, MARKS, openGarden, search } from './search-samples.ts';

export function librarySearchSuite(openHarness: OpenHarness): void {
  describe('search', () => {
    findsWords(openHarness);
    keepsToItsScope(openHarness);
    showsTheHit(openHarness);
    hostileQuerySuite(openHarness);
  });
}

function findsWords(openHarness: OpenHarness): void {
  it('finds by words of text and title, in any case', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      expect(await keysOf(session, 'delta')).toEqual(['delta']);
      expect(await keysOf(session, 'GAMMA')).toEqual(['gamma']);
      expect(await keysOf(session, 'absent')).toEqual([]);
      expect(await search(session, 'absent')).toEqual({ total: 0, results: [] });
    }));

  it('wants all words first, and takes any of them when no document has all', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      expect(await keysOf(session, 'beta then')).toEqual(['alpha-beta']);
      expect(await keysOf(session, 'nothing gamma')).toEqual(['gamma']); // one word in the text, one in the title
      expect(await keysOf(session, 'gamma delta absent')).toEqual(['delta', 'gamma']);
    }));

  it('wants quoted words side by side and in order', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      expect(await keysOf(session, '"beta alpha"')).toEqual(['beta-alpha']);
      expect(await keysOf(session, '"alpha beta"')).toEqual([]);
      expect(await keysOf(session, '"and then" alpha')).toEqual(['alpha-beta']);
      expect(await keysOf(session, '"alpha beta" gamma')).toEqual(['gamma']);
    }));

  it('total counts all, results come best first and at most limit and resultsMax', () =>
    withStorage(openHarness, async (session) => {
      const count = LIBRARY_LIMITS.resultsMax + 10;
      const many = Array.from({ length: count }, (_, at) =>
        sample({ key: `d-${at}`, title: `t${at}`, text: `word ${'filler '.repeat(at % 7)}` }),
      );
      await ingest(session, session.store.library, many);
      const few = await search(session, 'word', { limit: 3 });
      expect([few.total, few.results.length]).toEqual([count, 3]);
      const all = await search(session, 'word', { limit: 10_000 });
      expect([all.total, all.results.length]).toEqual([count, LIBRARY_LIMITS.resultsMax]);
      const scores = all.results.map(({ score }) => score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(scores[0]).toBeGreaterThan(scores.at(-1) ?? 0);
    }));

  it('ranks the document that is about the word above one that mentions it', () =>
    withStorage(openHarness, async (session) => {
      const filler = 'some other words about other things '.repeat(40);
      await ingest(session, session.store.library, [
        sample({ key: 'mentions', title: 'other', text: `${filler} lighthouse ${filler}` }),
        sample({ key: 'about', title: 'lighthouse', text: 'a lighthouse is a lighthouse' }),
      ]);
      expect((await search(session, 'lighthouse')).results.map(({ key }) => key)).toEqual(['about', 'mentions']);
    }));
}

function keepsToItsScope(openHarness: OpenHarness): void {
  it('looks only at the given tenants and connection', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      const of = { ...SAMPLE_STREAM, tenant: 'b' };
      await ingest(session, session.store.library, [sample({ of, key: 'foreign', text: 'alpha delta unheard' })]);
      expect(await keysOf(session, 'unheard')).toEqual([]);
      expect(await keysOf(session, 'delta')).toEqual(['delta']);
      expect(await keysOf(session, 'delta', { tenants: ['b', 'a'] })).toEqual(['delta', 'foreign']);
      expect(await search(session, 'delta', { tenants: [] })).toEqual({ total: 0, results: [] });
      expect(await keysOf(session, 'delta', { connection: 'wiki' })).toEqual([]);
      expect(await keysOf(session, 'delta', { connection: 'code' })).toEqual(['delta']);
      // "When no document has them all" is said of the documents in scope: the foreign one has both words.
      expect(await keysOf(session, 'delta unheard')).toEqual(['delta']);
      for (const text of HOSTILE_TEXTS)
        expect(await search(session, 'alpha', { tenants: [text], connection: text })).toEqual({
          total: 0,
          results: [],
        });
    }));

  it('says of each result where it comes from', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [
        sample({ title: 'Home', text: 'zebra', url: 'https://wiki.example/home' }),
      ]);
      const [result] = (await search(session, 'zebra')).results;
      expect(result).toMatchObject({
        ...SAMPLE_STREAM,
        key: 'page-1',
        title: 'Home',
        url: 'https://wiki.example/home',
      });
      expect(Date.parse(result?.time ?? '')).toBe(Date.UTC(2026, 0, 1, 10));
    }));
}

async function onlyResult(session: StorageSession, words: string): Promise<SearchResult> {
  const { results } = await search(session, words);
  const [result] = results;
  if (result === undefined || results.length > 1)
    throw new Error(`${words} finds ${results.length} documents, not one`);
  return result;
}

function showsTheHit(openHarness: OpenHarness): void {
  it('gives the line of the first hit and puts it into the address', () =>
    withStorage(openHarness, async (session) => {
      const text = 'intro\r\n\nsee red and\nblue there\n\nthe red blue house\nred again';
      await ingest(session, session.store.library, [sample({ title: 'colours', text, url: 'file:///c.md#L{line}' })]);
      const place = async (words: string) => {
        const { line, url } = await onlyResult(session, words);
        return [line, url];
      };
      expect(await place('intro')).toEqual([1, 'file:///c.md#L1']);
      expect(await place('red')).toEqual([3, 'file:///c.md#L3']);
      expect(await place('house blue')).toEqual([4, 'file:///c.md#L4']);
      expect(await place('"red blue"')).toEqual([6, 'file:///c.md#L6']);
      expect(await place('AGAIN')).toEqual([7, 'file:///c.md#L7']);
    }));

  it('gives no line and cuts the fragment when only the title matched', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [
        sample({ title: 'colours', text: 'red', url: 'file:///c.md#L{line}' }),
        sample({ key: 'bare', title: 'shapes' }),
        sample({ key: 'linked', links: [{ rel: 'to', to: 'page-1' }], text: 'x' }),
      ]);
      expect(await onlyResult(session, 'colours')).toMatchObject({ line: undefined, url: 'file:///c.md' });
      expect(await onlyResult(session, 'shapes')).toMatchObject({ line: undefined, url: undefined });
      const [neighbour] =
        (await session.store.library.neighbours({ tenant: 'a', connection: 'wiki', key: 'linked' })) ?? [];
      expect(neighbour?.document?.url).toBe('file:///c.md');
    }));

  it('leaves other braces and fragments of an address alone', () =>
    withStorage(openHarness, async (session) => {
      const urls = [
        'https://x.example/#L{line}/more',
        'https://x.example/{line}',
        'https://x.example/#section',
        'https://x.example/#L7',
      ];
      await ingest(
        session,
        session.store.library,
        urls.map((url, at) => sample({ key: `u-${at}`, text: `zebra${at}`, url })),
      );
      for (const [at, url] of urls.entries()) expect((await onlyResult(session, `zebra${at}`)).url).toBe(url);
    }));

  it('marks every hit in the snippet and nothing else, and keeps it short', () =>
    withStorage(openHarness, async (session) => {
      const filler = 'lorem ipsum dolor '.repeat(200);
      await ingest(session, session.store.library, [
        sample({ title: 'long', text: `${filler}Zebra meets <b>zebra</b>${filler}` }),
      ]);
      const { snippet } = await onlyResult(session, 'zebra');
      expect([...snippet.matchAll(MARKED)].map(([, word]) => word)).toEqual(['Zebra', 'zebra']);
      expect(snippet.replace(MARKED, '')).not.toMatch(MARKS);
      expect(snippet.split(/\s+/).length).toBeLessThanOrEqual(LIBRARY_LIMITS.snippetTokens + 4);
    }));

  it('a title that matched alone is marked too, or the snippet has no marks', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [sample({ title: 'zebra', text: 'nothing of the kind' })]);
      const { snippet } = await onlyResult(session, 'zebra');
      for (const [, word] of snippet.matchAll(MARKED)) expect(word).toBe('zebra');
    }));

  it('marks that stand in the document itself do not come out as hits', () =>
    withStorage(openHarness, async (session) => {
      await ingest(session, session.store.library, [
        sample({ title: 'forged', text: '\u0002forged\u0003 \u0003 zebra \u0002' }),
      ]);
      const { snippet } = await onlyResult(session, 'zebra');
      expect([...snippet.matchAll(MARKED)].map(([, word]) => word)).toEqual(['zebra']);
      expect(snippet.replace(MARKED, '')).not.toMatch(MARKS);
    }));
}
