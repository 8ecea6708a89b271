// Where a rule is broken on purpose. Each entry names the rule, the file and why; one that no longer excuses anything fails the test.

export interface Exception {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    rule: 'banned',
    path: 'src/testing/simulated-clock.ts',
    reason:
      'implements Clock: between two virtual moments the real event loop must run, or pending I/O would never finish',
  },
  {
    rule: 'banned',
    path: 'src/testing/forecast/coarse-clock.ts',
    reason: 'implements Clock, for the same reason',
  },
  {
    rule: 'path',
    path: 'src/engine/registry.ts',
    reason: 'finds plugins by listing a folder it is given, so that adding one touches only its own folder',
  },
];
