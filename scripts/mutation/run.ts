// `npm run mutate [-- PART…]`: Stryker over the log, delivery, leases and dead letters, in a copy of the tree, so that a mutant never
// stands in the checkout. Ends with 1 when a part has a lower score than SCORE_MIN.

import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCORE_MIN = 85;
const PARTS = {
  delivery: {
    mutate: [
      'src/engine/bounded-call.ts',
      'src/engine/delivery*.ts',
      'src/engine/partition-delivery.ts',
      'src/engine/replay-letters.ts',
      'src/engine/sink-health.ts',
      'src/engine/sink-writer.ts',
    ],
    tests: [
      'src/engine/bounded-call.test.ts',
      'src/engine/delivery*.test.ts',
      'src/engine/sink-health.test.ts',
      'src/engine/sinks.test.ts',
    ],
  },
  log: {
    mutate: ['src/storage/sqlite/event-log.ts', 'src/storage/sqlite/log-*.ts', 'src/storage/sqlite/leases.ts'],
    tests: ['src/storage/sqlite/*.test.ts'],
  },
  'dead-letters': {
    mutate: ['src/storage/sqlite/dead-letter*.ts'],
    tests: ['src/storage/sqlite/*.test.ts'],
  },
} as const;

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = resolve(folder, '../..');
const copy = mkdtempSync(join(tmpdir(), 'weir-mutation-'));
const parts = process.argv.slice(2);
const unknown = parts.find((name) => !Object.hasOwn(PARTS, name));

if (unknown === undefined) {
  try {
    copyTree();
    let failed = 0;
    for (const [name, part] of Object.entries(PARTS))
      if (parts.length === 0 || parts.includes(name)) failed += mutate(name, part);
    process.exitCode = failed > 0 ? 1 : 0;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
} else {
  process.stderr.write(`there is no part ${unknown}; there are ${Object.keys(PARTS).join(', ')}\n`);
  process.exitCode = 3;
}

function copyTree(): void {
  for (const name of ['src', 'test', 'scripts', 'package.json', 'tsconfig.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  // Every mutant runs the properties that reach it: fewer runs of each, or a night is not enough. It can only lower the score.
  const runs = join(copy, 'src/testing/engine-harness.ts');
  const text = readFileSync(runs, 'utf8');
  const fewer = text.replace(/heavy: \d+, light: \d+/, 'heavy: 20, light: 50');
  if (fewer === text) throw new Error(`${runs} no longer states its runs as expected`);
  writeFileSync(runs, fewer);
}

function mutate(name: string, { mutate: files, tests }: (typeof PARTS)[keyof typeof PARTS]): 0 | 1 {
  const vitest = {
    test: {
      include: tests,
      exclude: ['**/*.lane.test.ts', '**/node_modules/**'],
      testTimeout: 60_000,
      pool: 'threads',
    },
  };
  writeFileSync(join(copy, 'vitest.mutation.config.ts'), `export default ${JSON.stringify(vitest)};\n`);
  const config = {
    testRunner: 'vitest',
    vitest: { configFile: 'vitest.mutation.config.ts', related: false },
    mutate: [...files, '!src/**/*.test.ts'],
    coverageAnalysis: 'perTest',
    concurrency: availableParallelism(),
    reporters: ['clear-text', 'json'],
    clearTextReporter: { logTests: false },
    inPlace: true,
    tsconfigFile: 'none.json', // its preprocessor needs the JavaScript API that TypeScript 7 no longer has
    timeoutMS: 20_000,
    thresholds: { high: SCORE_MIN, low: SCORE_MIN, break: SCORE_MIN },
  };
  writeFileSync(join(copy, 'stryker.config.json'), JSON.stringify(config));
  const stryker = join(folder, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  const done = spawnSync(process.execPath, [stryker, 'run', 'stryker.config.json'], { cwd: copy, stdio: 'inherit' });
  const report = join(folder, `report-${name}.json`);
  copyFileSync(join(copy, 'reports/mutation/mutation.json'), report);
  process.stdout.write(`every mutant of ${name}: ${report}\n`);
  return done.status === 0 ? 0 : 1;
}
