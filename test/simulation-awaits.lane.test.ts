// One story, and the process dies in it once: at each of its awaits in turn.

import { expect, test } from 'vitest';
import { planOf, simulatePlan, type SimulationPlan } from '#testing/index.ts';
import { COUNTS, runPlans } from './simulation/run-seeds.ts';

const STORY = planOf(11, {
  mode: 'liveness',
  faults: [],
  workers: 1,
  tenants: 1,
  connections: 1,
  senders: 1,
  sinks: ['receiver'],
  events: 24,
  troubleMs: 20_000,
});

function* deathAtEach(awaits: number): Generator<SimulationPlan> {
  for (let crashAtAwait = 1; crashAtAwait <= awaits; crashAtAwait += 1) yield { ...STORY, crashAtAwait };
}

test(
  'a death at any await of the same story loses nothing and doubles nothing',
  { timeout: COUNTS.boxMs + 120_000 },
  async () => {
    const { awaits, violations } = await simulatePlan(STORY);
    expect(violations).toEqual([]);
    expect(awaits).toBeGreaterThan(500);
    expect((await runPlans(deathAtEach(awaits), COUNTS.boxMs)).simulated).toBe(awaits);
  },
);
