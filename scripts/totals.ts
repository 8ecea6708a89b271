// Vitest reporter, given last: closes every run with the one line that scripts read, `N passed, N failed, N skipped`.
// A file that could not be loaded, a broken hook, an error outside any test and a run of no test at all are failures here.

import type { Reporter, TestCase, TestModule } from 'vitest/node';

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const totals: Totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const skips = new Map<string, number>();
    for (const module of modules) {
      if (module.errors().length > 0) totals.failed += 1;
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) totals.failed += 1;
      for (const test of module.children.allTests()) count(test, totals, skips);
    }
    for (const [line, times] of skips) write(times === 1 ? line : `${line} (${times} tests)`);
    if (totals.passed + totals.failed === 0) {
      write('no test ran: that counts as one failure');
      totals.failed = 1;
    }
    if (totals.failed > 0) process.exitCode = 1;
    write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  }
}

function count(test: TestCase, totals: Totals, skips: Map<string, number>): void {
  const result = test.result();
  if (result.state === 'passed') totals.passed += 1;
  else if (result.state === 'failed') totals.failed += 1;
  else {
    // Cut off before it ran (a broken hook above it) or skipped on purpose: either way it proved nothing.
    totals.skipped += 1;
    const reason = result.state === 'skipped' ? (result.note ?? 'no reason given') : 'did not run';
    const line = `skipped: ${test.module.relativeModuleId} > ${nameOf(test, reason)}: ${reason}`;
    skips.set(line, (skips.get(line) ?? 0) + 1);
  }
}

/** Tests skipped for the same stated reason are named by their suite; without a reason each is named itself. */
function nameOf(test: TestCase, reason: string): string {
  const suites: string[] = [];
  for (let at: TestCase['parent'] = test.parent; at.type === 'suite'; at = at.parent) suites.unshift(at.name);
  return reason !== 'no reason given' && suites.length > 0 ? suites.join(' > ') : [...suites, test.name].join(' > ');
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
