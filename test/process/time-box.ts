import { countOf } from '../lane.ts';

/** A block that has not come to its count by then fails. */
export const TIME_BOX_MS = countOf({ quick: 60_000, change: 240_000, long: 6 * 3_600_000 });
