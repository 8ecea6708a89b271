// What Stryker runs for every mutant: the tests of the mutated rooms, without processes, browsers or the architecture test.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/storage/sqlite/*.test.ts',
      'src/engine/delivery*.test.ts',
      'src/engine/sink-*.test.ts',
      'src/engine/replay*.test.ts',
    ],
    exclude: ['**/*.lane.test.ts'],
    testTimeout: 60_000,
    pool: 'threads',
  },
});
