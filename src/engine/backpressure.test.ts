import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogStats, TenantBacklog } from '#core/event-log.ts';
import { Backpressure, usageOf } from './backpressure.ts';

const LIMITS = { eventsMax: 1000, bytesMax: 1_000_000 };
const RUNS = { numRuns: 1000 };
const holding = (size: number, bytes = 0, tenants: readonly TenantBacklog[] = []): LogStats => ({
  size,
  bytes,
  oldestAtMs: undefined,
  readers: [],
  tenants,
});
/** The backlog of tenant `a`, with nobody else's. */
const of = (size: number, bytes = 0): LogStats => holding(size, bytes, [{ tenant: 'a', size, bytes }]);

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

  /** The same for the whole and for a tenant: `full` is the size that is 100 % of it. */
  const subjects = [
    { what: 'the whole', full: 1000, open: () => new Backpressure(LIMITS), stats: holding },
    { what: 'a share of one half', full: 500, open: () => new Backpressure(LIMITS, ['a', 'b']), stats: of },
    {
      what: 'a share of one fifth',
      full: 200,
      open: () => new Backpressure({ ...LIMITS, tenantShareRatio: 0.2 }, ['a', 'b']),
      stats: of,
    },
  ];

  test.each(subjects)('$what: paused at and above 80 %, not at and below 60 %, refused only at 100 %', (subject) => {
    const { full, open, stats } = subject;
    fc.assert(
      fc.property(fc.array(fc.nat(full * 2), { minLength: 1 }), (sizes) => {
        const pressure = open();
        for (const size of sizes) {
          pressure.update(stats(size));
          if (size >= full * 0.8) expect(pressure.mustPause('a')).toBe(true);
          if (size <= full * 0.6) expect(pressure.mustPause('a')).toBe(false);
          expect(pressure.usedUp('a') !== undefined).toBe(size >= full);
        }
      }),
      RUNS,
    );
  });

  test.each(subjects)('$what: toggles at most once between two crossings of its marks', ({ full, open, stats }) => {
    fc.assert(
      fc.property(fc.array(fc.nat(full * 2), { minLength: 2 }), (sizes) => {
        const pressure = open();
        let toggles = 0;
        let crossings = 0;
        let paused = false;
        let side: 'high' | 'low' = 'low';
        for (const size of sizes) {
          pressure.update(stats(size));
          if (pressure.mustPause('a') !== paused) toggles += 1;
          paused = pressure.mustPause('a');
          const now: 'high' | 'low' = size >= full * 0.8 ? 'high' : size <= full * 0.6 ? 'low' : side;
          if (now !== side) crossings += 1;
          side = now;
          expect(toggles).toBe(crossings);
        }
      }),
      RUNS,
    );
  });

  test.each(subjects)('$what: load noise smaller than the room between the marks toggles at most once', (subject) => {
    const { full, open, stats } = subject;
    const room = full * 0.2;
    fc.assert(
      fc.property(fc.nat(full * 2), fc.array(fc.double({ min: 0, max: 0.999, noNaN: true })), (base, noise) => {
        const pressure = open();
        const states = noise.map((part) => {
          pressure.update(stats(base + part * room));
          return pressure.mustPause('a');
        });
        expect(states.filter((state, at) => at > 0 && state !== states[at - 1]).length).toBeLessThanOrEqual(1);
      }),
      RUNS,
    );
  });
});

describe('the share of a tenant', () => {
  const a = { tenant: 'a', size: 500, bytes: 1 };
  const b = { tenant: 'b', size: 10, bytes: 1 };

  test('that is used up stops that tenant and no other', () => {
    const pressure = new Backpressure(LIMITS, ['a', 'b']);
    expect(pressure.update(holding(510, 2, [a, b]))).toBe(false);
    expect([pressure.mustPause('a'), pressure.mustPause('b')]).toEqual([true, false]);
    expect([pressure.usedUp('a'), pressure.usedUp('b')]).toEqual(['share', undefined]);
  });

  test('counts bytes as well', () => {
    const pressure = new Backpressure(LIMITS, ['a', 'b']);
    pressure.update(holding(2, 400_002, [{ tenant: 'a', size: 1, bytes: 400_000 }, b]));
    expect([pressure.mustPause('a'), pressure.mustPause('b')]).toEqual([true, false]);
  });

  test('is the whole queue where there is one tenant alone', () => {
    const pressure = new Backpressure(LIMITS, ['a']);
    pressure.update(holding(500, 1, [a]));
    expect([pressure.mustPause('a'), pressure.usedUp('a')]).toEqual([false, undefined]);
    expect(pressure.tenants).toEqual([{ ...a, usageRatio: 0.5, paused: false }]);
  });

  test('keeps its own hysteresis: pulls go on at 60 % of the share', () => {
    const pressure = new Backpressure(LIMITS, ['a', 'b']);
    const paused = [399, 400, 301, 300, 399].map((size) => {
      pressure.update(of(size));
      return pressure.mustPause('a');
    });
    expect(paused).toEqual([false, true, true, false, false]);
  });

  test('a full queue refuses everybody', () => {
    const pressure = new Backpressure(LIMITS, ['a', 'b', 'c']);
    pressure.update(
      holding(1000, 2, [
        { ...a, size: 490 },
        { ...b, size: 490 },
      ]),
    );
    expect(['a', 'b', 'c'].map((tenant) => pressure.usedUp(tenant))).toEqual(['queue', 'queue', 'queue']);
  });
});
