// Whatever a query holds, its words mean themselves (T48): operators, quotes, control characters, any length.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LIBRARY_LIMITS } from '#core/library.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, withStorage } from './engine-harness.ts';
import { HOSTILE_TEXTS, hostileText } from './hostile-text.ts';
import { keysOf, MARKED, MARKS, openGarden, search } from './search-samples.ts';

/** What a query can look like when it is folded as loosely as any tokenizer does: without marks, signs and case. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\p{C}]/gu, '')
    .toLowerCase();
}

export function hostileQuerySuite(openHarness: OpenHarness): void {
  it('operators, prefixes, column names and signs of a query language are ordinary words or nothing', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      const both = ['alpha-beta', 'beta-alpha', 'not'];
      const expected: Readonly<Record<string, readonly string[]>> = {
        'alpha NOT beta': ['not'],
        'alpha AND gamma': ['alpha-beta'], // "and" stands in that text, gamma elsewhere: no document has all three
        'gamma OR delta': ['delta', 'gamma'],
        'alp*': [],
        'alpha*': both,
        '^alpha': both,
        '-alpha': both,
        '+alpha -beta': both,
        '{title}: gamma': ['gamma'],
        'NEAR(alpha beta)': both,
        '(alpha': both,
        'alpha)': both,
        '"alpha': both,
        'alpha"': both,
        "alpha'": both,
        'alpha;--': both,
        '"" alpha': both,
        'alpha\u0000': both,
        '': [],
        '   ': [],
        '"': [],
        '""': [],
        '* ^ - + ( ) : { }': [],
      };
      for (const [words, keys] of Object.entries(expected)) {
        const own = words === 'alpha AND gamma' ? ['alpha-beta', 'beta-alpha', 'gamma', 'not'] : [...keys];
        expect(await keysOf(session, words), words).toEqual(own);
      }
    }));

  it(
    'no query throws, and each finds only documents that have one of its words',
    { timeout: PROPERTY_TIMEOUT_MS },
    () =>
      withStorage(openHarness, async (session) => {
        await openGarden(session);
        const wordsIn = new Map([
          ['alpha-beta', ['one', 'alpha', 'and', 'then', 'beta']],
          ['beta-alpha', ['two', 'beta', 'alpha']],
          ['gamma', ['gamma', 'nothing', 'more']],
          ['delta', ['four', 'delta', 'only']],
          ['not', ['five', 'alpha', 'not', 'beta']],
        ]);
        const property = fc.asyncProperty(hostileText(2_000), async (words) => {
          for (const { key, snippet } of (await search(session, words)).results) {
            expect(wordsIn.get(key)?.some((word) => folded(words).includes(word))).toBe(true);
            expect(snippet.replace(MARKED, '')).not.toMatch(MARKS);
          }
        });
        await fc.assert(property, { ...runsOf('light'), examples: HOSTILE_TEXTS.map((text) => [text]) });
      }),
  );

  it('a word is found whatever stands around it', { timeout: PROPERTY_TIMEOUT_MS }, () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      // Quotes could make a phrase of the word and its neighbours; everything else must not.
      const junk = hostileText(60).map((text) => text.replaceAll('"', ' '));
      const property = fc.asyncProperty(junk, junk, async (before, after) => {
        expect((await search(session, `${before} delta ${after}`)).total).toBeGreaterThan(0);
      });
      await fc.assert(property, {
        ...runsOf('light'),
        examples: HOSTILE_TEXTS.map((text) => [text.slice(0, 60).replaceAll('"', ' '), '']),
      });
    }),
  );

  it('very long queries are cut, not refused', () =>
    withStorage(openHarness, async (session) => {
      await openGarden(session);
      const long = [
        'delta '.repeat(100_000),
        'x'.repeat(1_000_000),
        '"'.repeat(100_000),
        '(('.repeat(50_000),
        `delta ${'"y" '.repeat(50_000)}`,
      ];
      const found = await Promise.all(long.map((words) => keysOf(session, words)));
      expect(found).toEqual([['delta'], [], [], [], ['delta']]);
      // Terms beyond queryTermsMax are ignored: the last word of these is not searched.
      const terms = Array.from({ length: LIBRARY_LIMITS.queryTermsMax }, (_, at) => `t${at}`);
      expect(await keysOf(session, [...terms, 'delta'].join(' '))).toEqual([]);
      expect(await keysOf(session, [...terms.slice(1), 'delta'].join(' '))).toEqual(['delta']);
    }));
}
