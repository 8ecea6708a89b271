import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WindowedCount } from './windowed-count.ts';

test('counts what was added within the window, and nothing of before', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 50 }), added: fc.integer({ min: 0, max: 3 }) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const count = new WindowedCount(100, 0);
      const added: { atMs: number; amount: number }[] = [];
      let nowMs = 0;
      let total = 0;
      for (const { afterMs, added: amount } of steps) {
        nowMs += afterMs;
        total += amount;
        added.push({ atMs: nowMs, amount });
        const expected = added.filter(({ atMs }) => nowMs - atMs < 100).reduce((sum, one) => sum + one.amount, 0);
        expect(count.observe(total, nowMs)).toBe(expected);
      }
    }),
  );
});

test('takes a fall for forgetting, and without a beginning starts at what is there', () => {
  const count = new WindowedCount(100);
  expect([count.observe(40, 0), count.observe(41, 1), count.observe(2, 2), count.observe(4, 3)]).toEqual([0, 1, 1, 3]);
});
