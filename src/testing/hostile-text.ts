// Strings that have broken other people's parsers, queries, pages and terminals. All are well-formed Unicode: what a key
// or title made of half a character means is not decided by storage.

import * as fc from 'fast-check';

export const HOSTILE_TEXTS: readonly string[] = [
  ' ',
  '"',
  '""',
  "'",
  "' OR '1'='1",
  "'); DROP TABLE log; --",
  '1; ATTACH DATABASE x AS y',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '%',
  '_%_',
  '\\',
  '\\%',
  '*',
  'alp*',
  '^alpha',
  '-alpha',
  '+alpha',
  'alpha AND',
  'OR',
  'NOT',
  'NEAR(alpha gamma)',
  'NEAR(alpha, 2)',
  'title: alpha',
  '{title text}: alpha',
  '(((((((',
  ')',
  'a"b"c',
  '"unclosed',
  '"alpha" "',
  'alpha\u0000beta',
  '\u0000',
  '\u0002marked\u0003',
  '\u001b[31mred\u001b[0m',
  'line\r\nbreak\ttab',
  '\u202efdp.exe',
  '\ufeffbom',
  'zero\u200bwidth',
  'e\u0301\u0301\u0301',
  'İıŞß',
  '田中さん 部落格',
  '👩‍👩‍👧‍👦 🏳️‍🌈',
  'الكل في المجمو عة',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '../../etc/passwd',
  'http://a/%2e%2e#L{line}',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'NaN',
  '1e1000',
  '0x1F',
  '-0',
  '\u{10ffff}\ufffd\uffff',
  'x'.repeat(1000),
];

/** A hostile string, random Unicode, or pieces of both joined. */
export function hostileText(charsMax = 200): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(...HOSTILE_TEXTS),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ maxLength: 20 }),
  );
  return fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => wellFormedSlice(pieces.join(' '), charsMax));
}

/** The first characters of a text, never half of one. */
export function wellFormedSlice(text: string, charsMax: number): string {
  return text.slice(0, charsMax).toWellFormed();
}
