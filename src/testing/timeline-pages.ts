// Walks through the timeline page by page, for its suites.

import { expect } from 'vitest';
import type { TimelineQuery, TimelineRow } from '#core/timeline.ts';
import type { StorageSession } from './engine-harness.ts';

export const ALL: TimelineQuery = { tenants: ['a', 'b'], limit: 500 };
const PAGES_MAX = 200;

/** Every row of a query; `betweenPages` lets the world go on while somebody reads. */
export async function allRows(
  session: StorageSession,
  query: TimelineQuery,
  betweenPages?: () => Promise<void>,
): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  let next: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await session.store.timeline.query(next === undefined ? query : { ...query, before: next });
    expect(answer.rows.length).toBeLessThanOrEqual(query.limit);
    rows.push(...answer.rows);
    next = answer.next;
    if (next === undefined) return rows;
    await betweenPages?.();
  }
  throw new Error(`the timeline has no end after ${PAGES_MAX} pages`);
}

export function timesOf(rows: readonly TimelineRow[]): number[] {
  return rows.map(({ event }) => Date.parse(event.time));
}
