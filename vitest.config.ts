import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { LANE } from './test/lane.ts';

const EVERYTHING = ['src/**/*.test.ts', 'test/**/*.test.ts', 'dashboard/**/*.test.ts', 'examples/**/*.test.ts'];
const LANE_FILES = ['src/**/*.lane.test.ts', 'test/**/*.lane.test.ts'];
const LANE_TIMEOUT_MS = 3_600_000; // each block of a lane carries its own time box, and fails when it is reached

export default defineConfig({
  test: {
    // Lanes (ADR 0010): quick leaves the lane files out, change runs nothing else, long runs everything.
    include: LANE === 'change' ? LANE_FILES : EVERYTHING,
    exclude: LANE === 'quick' ? [...configDefaults.exclude, ...LANE_FILES] : configDefaults.exclude,
    testTimeout: LANE === 'quick' ? 30_000 : LANE_TIMEOUT_MS,
    hookTimeout: 30_000,
    pool: 'forks',
    // Many files wait for processes most of their time: on two cores one worker, the default, leaves one idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The last reporter prints the one line that scripts and the gate read: `N passed, N failed, N skipped`.
    reporters: ['default', './scripts/totals.ts'],
  },
});
