import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import {
  attemptsOf,
  CALM,
  counted,
  halved,
  settledOf,
  suspicionFound,
  waitBefore,
  withHead,
  writeLimitMs,
  type Suspicion,
} from './delivery-suspect.ts';

const fault = new Fault('sink_unavailable', 'not now');

/** Offers `total` events to a sink that fails every write with a poisonous one, until that stands alone. */
function searchFor(poison: number, total: number): { readonly failures: number; readonly aloneAt: number } {
  let suspicion: Suspicion = CALM;
  let at = 0;
  for (let failures = 0; ;) {
    const size = Math.min(suspicion.limit, total - at);
    const fails = poison >= at && poison < at + size;
    if (fails && size === 1) return { failures, aloneAt: at };
    if (fails) {
      failures += 1;
      suspicion = halved(suspicion, size);
    } else {
      at += size;
      suspicion = settledOf(suspicion, size);
    }
  }
}

describe('the search for a bad event', () => {
  test('finds it in at most eight failed writes, wherever it is in a batch', () => {
    for (let poison = 0; poison < DELIVERY_LIMITS.batchEventsMax; poison += 1) {
      const { failures, aloneAt } = searchFor(poison, DELIVERY_LIMITS.batchEventsMax);
      expect(aloneAt).toBe(poison);
      expect(failures).toBeLessThanOrEqual(8);
    }
  });

  test('batches grow back to full once no event is suspected any more', () => {
    let suspicion = halved(CALM, 256);
    const limits: number[] = [];
    for (let step = 0; step < 20; step += 1) {
      suspicion = settledOf(suspicion, suspicion.limit);
      limits.push(suspicion.limit);
    }
    expect(limits.at(-1)).toBe(DELIVERY_LIMITS.batchEventsMax);
    expect(suspicion.suspects).toBe(0);
  });

  test('tries counted for one event are not held against the next', () => {
    const suspicion = counted(CALM, { position: 7, fault, atMs: 0, tookMs: 0 });
    expect(attemptsOf(withHead(suspicion, 7))).toBe(1);
    expect(attemptsOf(withHead(suspicion, 8))).toBe(0);
  });
});

describe('what an earlier owner left', () => {
  const found = (events: number, attempts: number, open: boolean) =>
    suspicionFound({ position: 3, events, attempts, open }, 0);

  test('an unfinished batch is halved and counts for no event', () => {
    expect(found(8, 0, true)).toMatchObject({ limit: 4, suspects: 8, head: { attempts: 0 } });
  });

  test('an unfinished write of one event is an attempt of it', () => {
    expect(found(1, 2, true)).toMatchObject({ limit: 1, head: { position: 3, attempts: 3 } });
  });

  test('a write that came back counts no further', () => {
    expect(found(1, 2, false)).toMatchObject({ limit: 1, head: { position: 3, attempts: 2 } });
    expect(found(8, 0, false)).toMatchObject({ suspects: 0, head: { attempts: 0 } });
  });
});

describe('patience with one event', () => {
  test('its waits begin at one second and double, as far as the minute allows', () => {
    let suspicion: Suspicion = CALM;
    const waits: number[] = [];
    for (let attempt = 1; attempt < 5; attempt += 1) {
      suspicion = counted(suspicion, { position: 1, fault, atMs: 0, tookMs: 0 });
      const next = waitBefore(suspicion, 5, { float: () => 0.5 });
      waits.push(next.waitMs);
      suspicion = next.suspicion;
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000]);
  });

  test('waits and writes after its first counted try stay within a minute, whatever the number of attempts', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, attemptsMax, share) => {
          const random = simulatedRandom(seed);
          let suspicion = counted(CALM, { position: 1, fault, atMs: 0, tookMs: 5000 });
          let heldMs = 0;
          while (attemptsOf(suspicion) < attemptsMax) {
            const { waitMs, suspicion: after } = waitBefore(suspicion, attemptsMax, random);
            const limitMs = writeLimitMs(after, attemptsMax);
            const tookMs = limitMs > DELIVERY_LIMITS.suspectWriteMsMin ? limitMs * share : 0;
            heldMs += waitMs + tookMs;
            suspicion = counted(after, { position: 1, fault, atMs: 0, tookMs });
          }
          expect(heldMs).toBeLessThanOrEqual(DELIVERY_LIMITS.holdMs + 1); // sums of fractions
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('a write always gets some time, and never more than any other write', () => {
    let suspicion: Suspicion = CALM;
    expect(writeLimitMs(suspicion, 5)).toBe(DELIVERY_LIMITS.writeMs);
    for (let attempt = 0; attempt < 4; attempt += 1)
      suspicion = counted(suspicion, { position: 1, fault, atMs: 0, tookMs: 90_000 });
    expect(writeLimitMs(suspicion, 5)).toBe(DELIVERY_LIMITS.suspectWriteMsMin);
  });
});
