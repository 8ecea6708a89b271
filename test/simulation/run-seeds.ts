// How many worlds a lane simulates, and what it says when one breaks a promise.

import { failureReport, simulate, type FaultKind, type SimulationPlan, type Violation } from '#testing/index.ts';
import { countOf } from '../lane.ts';

/** Worlds of a lane, pairs of equal runs, deaths of the one story, and the time each may take: a block that runs out of it has failed. */
export const COUNTS = {
  seeds: countOf({ quick: 24, change: 4_000, long: 200_000 }),
  twice: countOf({ quick: 3, change: 100, long: 2_000 }),
  boxMs: countOf({ quick: 60_000, change: 10 * 60_000, long: 6 * 60 * 60_000 }),
};

/** Where a lane's seeds begin, so that nights can share a range. */
export const SEED_FROM = Number(process.env['WEIR_SIM_FROM'] ?? 1);

// A run keeps the message of a failed call as the connector threw it: src/engine/puller.ts does not pass it through the redactor.
const OPEN: readonly ((violation: Violation) => boolean)[] = [
  ({ rule, what }) => rule === 'secrets' && what.startsWith('a run shows'),
];

export interface SeedsOutcome {
  readonly simulated: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
}

/** Simulates seed after seed; throws with the whole story of the first that breaks a promise, and when the time is used up. */
export async function runSeeds(
  seeds: Iterable<number>,
  boxMs: number,
  overrides: Partial<SimulationPlan> = {},
): Promise<SeedsOutcome> {
  const endMs = performance.now() + boxMs;
  const faults = new Map<FaultKind, number>();
  let simulated = 0;
  for (const seed of seeds) {
    if (performance.now() > endMs) throw new Error(`only ${simulated} worlds in ${boxMs / 1000} s`);
    const result = await simulate(seed, overrides);
    const broken = result.violations.filter((violation) => !OPEN.some((known) => known(violation)));
    if (broken.length > 0) throw new Error(await failureReport({ ...result, violations: broken }));
    for (const [kind, count] of Object.entries(result.faults))
      faults.set(kind as FaultKind, (faults.get(kind as FaultKind) ?? 0) + count); // the keys of a record of kinds
    simulated += 1;
  }
  return { simulated, faults };
}

export function* range(from: number, count: number): Generator<number> {
  for (let seed = from; seed < from + count; seed += 1) yield seed;
}
