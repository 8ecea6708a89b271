// A small library and the ways its suites look into it.

import { expect } from 'vitest';
import type { SearchQuery } from '#core/library.ts';
import type { StorageSession } from './engine-harness.ts';
import { ingest, sample, SAMPLE_STREAM } from './event-samples.ts';

/** A hit as a snippet shows it; what is left of a snippet without its hits has no marks. */
export const MARKED = /\u0002([^\u0002\u0003]*)\u0003/g;
export const MARKS = /[\u0002\u0003]/;

/** Five documents whose words overlap; the key says what is in them. */
export async function openGarden(session: StorageSession): Promise<void> {
  const of = { ...SAMPLE_STREAM, connection: 'code' };
  await ingest(session, session.store.library, [
    sample({ key: 'alpha-beta', title: 'one', text: 'alpha and then beta' }),
    sample({ key: 'beta-alpha', title: 'two', text: 'beta alpha' }),
    sample({ key: 'gamma', title: 'gamma', text: 'nothing more' }),
    sample({ key: 'delta', title: 'four', text: 'delta only', of }),
    sample({ key: 'not', title: 'five', text: 'alpha not beta' }),
  ]);
}

export async function search(session: StorageSession, words: string, rest: Partial<SearchQuery> = {}) {
  return session.store.library.search({ tenants: ['a'], words, limit: 100, ...rest });
}

export async function keysOf(
  session: StorageSession,
  words: string,
  rest: Partial<SearchQuery> = {},
): Promise<string[]> {
  const { results, total } = await search(session, words, rest);
  expect(total).toBeGreaterThanOrEqual(results.length);
  return results.map(({ key }) => key).toSorted();
}
