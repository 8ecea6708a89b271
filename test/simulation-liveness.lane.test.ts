// Worlds whose faults stop, and worlds that are simulated twice.

import { expect, test } from 'vitest';
import { simulatePlan } from '#testing/index.ts';
import { COUNTS, plansOf, runPlans, SEED_FROM } from './simulation/run-seeds.ts';

test(
  `everything arrives once faults have stopped, in ${COUNTS.liveness} worlds from seed ${SEED_FROM}`,
  { timeout: COUNTS.boxMs + 120_000 },
  async () => {
    const { simulated } = await runPlans(plansOf(SEED_FROM, COUNTS.liveness, { mode: 'liveness' }), COUNTS.boxMs);
    expect(simulated).toBe(COUNTS.liveness);
  },
);

test(`${COUNTS.twice} worlds are the same when they are simulated again`, { timeout: COUNTS.boxMs }, async () => {
  for (const plan of plansOf(SEED_FROM, COUNTS.twice)) {
    const [first, second] = [await simulatePlan(plan), await simulatePlan(plan)];
    expect({ seed: plan.seed, hash: second.traceHash }).toEqual({ seed: plan.seed, hash: first.traceHash });
  }
});
