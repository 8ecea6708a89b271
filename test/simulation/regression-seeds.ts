import type { SimulationPlan } from '#testing/index.ts';

/**
 * Worlds that show one mistake well: each was found by planting it, and is simulated with every run of the tests. One that breaks a
 * promise comes here too, with the sentence that tells what was wrong.
 */
export const REGRESSION_SEEDS: readonly {
  readonly seed: number;
  readonly plan?: Partial<SimulationPlan>;
  /** What it shows. */
  readonly story: string;
}[] = [
  { seed: 15, story: 'a worker that slept with a batch in hand commits under the fence of the past' },
  { seed: 64, story: 'a sink refuses one event of a batch, and the others become dead letters with it' },
  { seed: 77, story: 'a cursor is committed before its events, and the process ends between the two' },
  { seed: 99, story: 'a dead letter is stored after its position, and the process ends between the two' },
];
