import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { snippetParts } from './snippet.ts';

describe('snippet parts', () => {
  it('splits at the marks and keeps markup as text', () => {
    expect(snippetParts('a \u0002<b>cursor\u0003 <img onerror=x>')).toEqual([
      { text: 'a ', hit: false },
      { text: '<b>cursor', hit: true },
      { text: ' <img onerror=x>', hit: false },
    ]);
  });

  it('takes marks without a partner, nested and doubled ones', () => {
    expect(snippetParts('\u0003a\u0002\u0002b')).toEqual([
      { text: 'a', hit: false },
      { text: 'b', hit: true },
    ]);
    expect(snippetParts('')).toEqual([]);
  });

  it('keeps every other character exactly once and in order', () => {
    const unit = fc.constantFrom('\u0002', '\u0003', 'a', '<', '&', ' ', 'é', '\n');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 200 }), (snippet) => {
        const joined = snippetParts(snippet)
          .map(({ text }) => text)
          .join('');
        expect(joined).toBe(snippet.replace(/[\u0002\u0003]/g, ''));
      }),
    );
  });
});
