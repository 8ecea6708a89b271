import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const QUANTUM_MS = 1000;
const share = (total: number, part: number): number => part / total;

/** Serves `turns` runs one after the other, every tenant always waiting; returns the run time each has had. */
function serve(
  costsMs: ReadonlyMap<string, number>,
  turns: number,
  queue = new FairQueue(QUANTUM_MS),
): Map<string, number> {
  const usedMs = new Map([...costsMs.keys()].map((tenant) => [tenant, 0]));
  const tenants = new Set(costsMs.keys());
  for (let turn = 0; turn < turns; turn += 1) {
    const tenant = queue.pick(tenants) ?? '';
    const costMs = costsMs.get(tenant) ?? 0;
    queue.charge(tenant, costMs);
    usedMs.set(tenant, (usedMs.get(tenant) ?? 0) + costMs);
  }
  return usedMs;
}

describe('which tenant goes next', () => {
  test('nobody is picked when nobody waits', () => {
    expect(new FairQueue(QUANTUM_MS).pick(new Set())).toBeUndefined();
  });

  test('only a tenant that waits is ever picked', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    fc.assert(
      fc.property(
        fc.array(fc.record({ waiting: fc.uniqueArray(name, { minLength: 1 }), costMs: fc.nat(5000) }), {
          maxLength: 60,
        }),
        (rounds) => {
          const queue = new FairQueue(QUANTUM_MS);
          for (const { waiting, costMs } of rounds) {
            const picked = queue.pick(new Set(waiting));
            expect(waiting).toContain(picked);
            queue.charge(picked ?? '', costMs);
          }
        },
      ),
    );
  });

  test('tenants that always wait differ by no more than a quantum and the dearest run, whatever a run of each costs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 * QUANTUM_MS }), { minLength: 2, maxLength: 5 }), (costs) => {
        const usedMs = [...serve(new Map(costs.map((costMs, index) => [`t${index}`, costMs])), 3000).values()];
        expect(Math.max(...usedMs) - Math.min(...usedMs)).toBeLessThanOrEqual(QUANTUM_MS + 2 * Math.max(...costs));
      }),
      { numRuns: 100 },
    );
  });

  test('a tenant whose every run takes a hundred quanta gets its half, and no more', () => {
    const usedMs = serve(
      new Map([
        ['slow', 100 * QUANTUM_MS],
        ['quick', QUANTUM_MS / 10],
      ]),
      20_000,
    );
    const totalMs = [...usedMs.values()].reduce((sum, one) => sum + one, 0);
    expect(share(totalMs, usedMs.get('slow') ?? 0)).toBeGreaterThan(0.4);
    expect(share(totalMs, usedMs.get('slow') ?? 0)).toBeLessThan(0.6);
  });

  test('picking ends when all that wait owe a day each', () => {
    const queue = new FairQueue(QUANTUM_MS);
    for (const tenant of ['a', 'b']) queue.charge(tenant, 24 * 3_600_000);
    expect(['a', 'b']).toContain(queue.pick(new Set(['a', 'b'])));
  });

  test('runs that cost nothing are not free: both tenants get as many', () => {
    const queue = new FairQueue(10);
    const picks = Array.from({ length: 1000 }, () => {
      const tenant = queue.pick(new Set(['a', 'b'])) ?? '';
      queue.charge(tenant, 0);
      return tenant;
    });
    expect(picks.filter((tenant) => tenant === 'a').length).toBe(500);
  });

  test('several places handed out at once go to different tenants first', () => {
    const queue = new FairQueue(QUANTUM_MS);
    const tenants = new Set(['a', 'b', 'c']);
    expect(new Set([queue.pick(tenants), queue.pick(tenants), queue.pick(tenants)])).toEqual(tenants);
  });

  test('a tenant that joins late has no claim on the time before it came', () => {
    const queue = new FairQueue(QUANTUM_MS);
    serve(new Map([['old', QUANTUM_MS]]), 500, queue);
    const usedMs = serve(
      new Map([
        ['old', QUANTUM_MS],
        ['new', QUANTUM_MS],
      ]),
      100,
      queue,
    );
    expect(usedMs.get('old')).toBeGreaterThanOrEqual(48 * QUANTUM_MS);
  });
});
