import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SORT_COLUMNS } from './order.ts';
import { QUERY_CHARS_MAX, searchOf, viewOf, type View } from './url-state.ts';

const views: fc.Arbitrary<View> = fc.record({
  query: fc.string({ unit: 'grapheme', maxLength: 40 }),
  sort: fc.option(
    fc.record({
      column: fc.constantFrom(...SORT_COLUMNS),
      direction: fc.constantFrom('ascending' as const, 'descending' as const),
    }),
    { nil: undefined },
  ),
  unhealthyOnly: fc.boolean(),
  open: fc.option(fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8})?$/), { nil: undefined }),
});

describe('the address', () => {
  it('gives back the view that was written into it', () => {
    fc.assert(
      fc.property(views, (view) => {
        expect(viewOf(searchOf(view, ''))).toEqual(view);
      }),
    );
  });

  it('leaves parameters of others alone, and is empty when nothing is said', () => {
    const nothing: View = { query: '', sort: undefined, unhealthyOnly: false, open: undefined };
    expect(searchOf(nothing, '?keep=1&q=old')).toBe('?keep=1');
    expect(searchOf(nothing, '?q=old')).toBe('');
  });

  it('takes nonsense for not said, and cuts what is too long', () => {
    expect(viewOf('?sort=-nope&show=everything&open=')).toEqual({
      query: '',
      sort: undefined,
      unhealthyOnly: false,
      open: undefined,
    });
    expect(viewOf(`?q=${'x'.repeat(9999)}`).query).toHaveLength(QUERY_CHARS_MAX);
  });
});
