import { LIBRARY_LIMITS } from '#core/library.ts';

export interface FtsQuery {
  /** FTS5 expression in which every word must occur. */
  readonly all: string;
  /** The same words, any of them. */
  readonly any: string;
}

const QUOTED_OR_WORD = /"([^"]*)"|([^\s"]+)/g;
const HAS_TOKEN = /[\p{L}\p{N}\p{Co}]/u; // what the unicode61 tokenizer keeps

/**
 * Words as people type them → an FTS5 expression. Everything stands inside quotes, where FTS5 knows no operator, so no input can
 * change what is asked (T48). Words without a letter or digit mean nothing to the index and are left out; undefined: nothing is left.
 */
export function toFtsQuery(words: string): FtsQuery | undefined {
  const terms: string[] = [];
  for (const [, phrase, word] of words
    .slice(0, LIBRARY_LIMITS.queryCharsMax)
    .replaceAll('\0', ' ')
    .matchAll(QUOTED_OR_WORD)) {
    const term = phrase ?? word ?? '';
    if (HAS_TOKEN.test(term)) terms.push(`"${term}"`);
    if (terms.length === LIBRARY_LIMITS.queryTermsMax) break;
  }
  return terms.length === 0 ? undefined : { all: terms.join(' AND '), any: terms.join(' OR ') };
}
