import { expect, it } from 'vitest';
import { countOf } from './lane.ts';
import { canTrace, NO_STRACE, traceServer } from './process/order-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

const REQUESTS = countOf({ quick: 0, change: 500, long: 5000 });

it(
  `each of ${REQUESTS} acknowledgements and each next page comes after a sync of what it acknowledges`,
  async ({ skip }) => {
    if (!canTrace()) skip(NO_STRACE);
    const order = await traceServer(REQUESTS, false);
    expect(order.acknowledgements).toBeGreaterThanOrEqual(REQUESTS);
    expect(order.pulls).toBeGreaterThanOrEqual(REQUESTS / 10);
    expect(order.early).toEqual([]);
  },
  TIME_BOX_MS,
);
