// One story, and the process dies in it once: at each of its awaits in turn.

import { expect, test } from 'vitest';
import { simulate, type SimulationPlan } from '#testing/index.ts';
import { COUNTS, range, runSeeds } from './simulation/run-seeds.ts';

const STORY: Partial<SimulationPlan> = {
  mode: 'liveness',
  faults: [],
  workers: 1,
  tenants: 1,
  connections: 1,
  senders: 1,
  sinks: ['receiver'],
  events: 16,
  troubleMs: 20_000,
};
const SEED = 11;

test(
  'a death at any await of the same story loses nothing and doubles nothing',
  { timeout: COUNTS.boxMs + 60_000 },
  async () => {
    const { awaits, violations } = await simulate(SEED, STORY);
    expect(violations).toEqual([]);
    expect(awaits).toBeGreaterThan(500);
    for (const point of range(1, awaits)) await runSeeds([SEED], COUNTS.boxMs, { ...STORY, crashAtAwait: point });
  },
);
