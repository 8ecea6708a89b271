// Thousands of worlds. A kind of fault that hardly ever happened proves nothing, so each is counted.

import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, simulate } from '#testing/index.ts';
import { COUNTS, range, runSeeds, SEED_FROM } from './simulation/run-seeds.ts';

const PER_FAULT_MIN = Math.floor(COUNTS.seeds / 200); // 20 in the change lane, 1 000 in the long one

describe('simulated worlds', () => {
  test(
    `keep every promise, ${COUNTS.seeds} seeds from ${SEED_FROM}, and every kind of fault has happened at least ${PER_FAULT_MIN} times`,
    { timeout: COUNTS.boxMs + 120_000 },
    async () => {
      const { simulated, faults } = await runSeeds(range(SEED_FROM, COUNTS.seeds), COUNTS.boxMs);
      expect(simulated).toBe(COUNTS.seeds);
      expect(FAULT_KINDS.filter((kind) => (faults.get(kind) ?? 0) < PER_FAULT_MIN)).toEqual([]);
    },
  );

  test(`are the same for the same seed, ${COUNTS.twice} of them`, { timeout: COUNTS.boxMs }, async () => {
    for (const seed of range(SEED_FROM, COUNTS.twice)) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect({ seed, hash: second.traceHash }).toEqual({ seed, hash: first.traceHash });
    }
  });
});
