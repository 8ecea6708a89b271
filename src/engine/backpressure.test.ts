import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogStats } from '#core/event-log.ts';
import { Backpressure, usageOf } from './backpressure.ts';

const LIMITS = { eventsMax: 1000, bytesMax: 1_000_000 };
const holding = (size: number, bytes = 0): LogStats => ({ size, bytes, oldestAtMs: undefined, readers: [] });

describe('backpressure (P15)', () => {
  test('pulls pause from 80 % on and go on from 60 % down', () => {
    const pressure = new Backpressure(LIMITS);
    expect([0, 799, 800, 700, 601, 600, 799, 800].map((size) => pressure.update(holding(size)))).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test('bytes alone pause too', () => {
    const pressure = new Backpressure(LIMITS);
    expect(pressure.update(holding(1, 800_000))).toBe(true);
    expect(pressure.update(holding(1, 600_000))).toBe(false);
    expect(usageOf(holding(500, 700_000), LIMITS)).toBe(0.7);
  });

  test('between 60 % and 80 % nothing changes, however the load moves', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.integer({ min: 601, max: 799 })), (startPaused, sizes) => {
        const pressure = new Backpressure(LIMITS);
        pressure.update(holding(startPaused ? 1000 : 0));
        for (const size of sizes) expect(pressure.update(holding(size))).toBe(startPaused);
      }),
    );
  });

  test('it is paused at and above 80 %, and not at and below 60 %, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { minLength: 1 }), (sizes) => {
        const pressure = new Backpressure(LIMITS);
        for (const size of sizes) {
          const paused = pressure.update(holding(size));
          if (size >= 800) expect(paused).toBe(true);
          if (size <= 600) expect(paused).toBe(false);
        }
      }),
    );
  });
});
