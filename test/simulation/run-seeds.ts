// How many worlds a lane simulates, and what it says when one breaks a promise.

import { expect, test } from 'vitest';
import {
  failureReport,
  FAULT_KINDS,
  planOf,
  simulatePlan,
  type FaultKind,
  type SimulationPlan,
} from '#testing/index.ts';
import { countOf } from '../lane.ts';

/** Of a lane, and the time each block may take: one that runs out of it before its count has failed. */
export const COUNTS = {
  /** Worlds in which faults never stop. */
  safety: countOf({ quick: 24, change: 4_000, long: 200_000 }),
  /** Worlds in which everything must arrive. */
  liveness: countOf({ quick: 12, change: 500, long: 20_000 }),
  /** Worlds that are simulated twice. */
  twice: countOf({ quick: 3, change: 100, long: 2_000 }),
  boxMs: countOf({ quick: 60_000, change: 10 * 60_000, long: 6 * 60 * 60_000 }),
};

/** Where a lane's seeds begin, so that nights can share a range. */
export const SEED_FROM = Number(process.env['WEIR_SIM_FROM'] ?? 1);

export interface PlansOutcome {
  readonly simulated: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
}

/** Simulates plan after plan; throws with the whole story of the first that breaks a promise, and when the time is used up. */
export async function runPlans(plans: Iterable<SimulationPlan>, boxMs: number): Promise<PlansOutcome> {
  const endMs = performance.now() + boxMs;
  const faults = new Map<FaultKind, number>();
  let simulated = 0;
  for (const plan of plans) {
    if (performance.now() > endMs) throw new Error(`only ${simulated} worlds in ${boxMs / 1000} s`);
    const result = await simulatePlan(plan);
    if (result.violations.length > 0) throw new Error(await failureReport(result));
    for (const [kind, count] of Object.entries(result.faults))
      faults.set(kind as FaultKind, (faults.get(kind as FaultKind) ?? 0) + count); // the keys of a record of kinds
    simulated += 1;
  }
  return { simulated, faults };
}

export function* plansOf(
  from: number,
  count: number,
  overrides: Partial<SimulationPlan> = {},
): Generator<SimulationPlan> {
  for (let seed = from; seed < from + count; seed += 1) yield planOf(seed, overrides);
}

/** Half of a lane's worlds without an end of faults, so that two processes share them. */
export function safetyTest(half: 0 | 1): void {
  const count = COUNTS.safety / 2;
  const from = SEED_FROM + half * count;
  const leastOfEach = Math.floor(count / 200); // 10 in the change lane, so 20 in both halves
  test(
    `${count} worlds from seed ${from} keep every promise, and every kind of fault has happened at least ${leastOfEach} times`,
    { timeout: COUNTS.boxMs + 120_000 },
    async () => {
      const { simulated, faults } = await runPlans(plansOf(from, count, { mode: 'safety' }), COUNTS.boxMs);
      const counts = FAULT_KINDS.map((kind) => [kind, faults.get(kind) ?? 0] as const).sort((a, b) => a[1] - b[1]);
      console.log(`${simulated} worlds; ${counts.map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
      expect(simulated).toBe(count);
      expect(counts.filter(([, times]) => times < leastOfEach)).toEqual([]);
    },
  );
}
