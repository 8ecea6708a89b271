import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINK_HEADER_LIMITS, nextLinkOf, parseLinkHeader } from './link-header.ts';

test.each([
  ['<https://a.example/x?page=2>; rel="next", <https://a.example/x?page=9>; rel="last"', 'https://a.example/x?page=2'],
  ['</x>; rel=next', '/x'],
  ['</x> ; REL = NEXT', '/x'],
  ['</x>; rel="prev next"', '/x'],
  ['</a,b;c>; title="x, y; rel=next"; rel="next"', '/a,b;c'],
  ['</a>; title="a \\" <b>; rel=next"; rel=last, </c>; rel=next', '/c'],
  ['</a>; rel=prev; rel=next, </b>; rel=next', '/b'],
  ['</a>; rel=nextish', undefined],
  ['/a; rel=next', undefined],
  ['</a', undefined],
  ['', undefined],
  [undefined, undefined],
])('%s → %s', (header, next) => {
  expect(nextLinkOf(header)).toBe(next);
});

test('no text makes the parser throw or exceed its limits', () => {
  const pieces = fc.constantFrom('<', '>', ';', ',', '"', '\\', ' ', 'rel', '=', 'next', '/x', '\n', 'é');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 200 }), (parts) => {
      expect(parseLinkHeader(parts.join('')).length).toBeLessThanOrEqual(LINK_HEADER_LIMITS.linksMax);
    }),
  );
});

test('more links than the limit are left out, a longer header counts as absent', () => {
  const link = '</x>; rel=next';
  expect(parseLinkHeader(Array.from({ length: 100 }, () => link).join())).toHaveLength(LINK_HEADER_LIMITS.linksMax);
  expect(parseLinkHeader(`${link}, </${'a'.repeat(LINK_HEADER_LIMITS.charsMax)}>`)).toEqual([]);
});
