import { describe, expect, it } from 'vitest';
import { canTrace, NO_STRACE, traceServer } from './process/order-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

describe('the system calls of a server', { timeout: TIME_BOX_MS }, () => {
  it('sync the write-ahead log between a row and the answer that acknowledges it, and between a cursor and the next page', async ({
    skip,
  }) => {
    if (!canTrace()) skip(NO_STRACE);
    const order = await traceServer(60, false);
    expect(order.acknowledgements).toBeGreaterThanOrEqual(60);
    expect(order.pulls).toBeGreaterThan(0);
    expect(order.early).toEqual([]);
  });

  it('show a server that does not sync its commits', async ({ skip }) => {
    if (!canTrace()) skip(NO_STRACE);
    const { acknowledgements, pulls, early } = await traceServer(40, true);
    expect(early.length).toBe(acknowledgements + pulls);
  });
});
