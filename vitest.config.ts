import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'dashboard/**/*.test.ts', 'examples/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // The last reporter prints the one line that scripts and the gate read: `N passed, N failed, N skipped`.
    reporters: ['default', './scripts/totals.ts'],
  },
});
