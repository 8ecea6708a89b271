import { countOf } from '../lane.ts';

/** Bad inputs of each entry point. */
export const INPUTS = countOf({ quick: 200, change: 10_000, long: 100_000 });
export const SEED = 20_260_101;
