// What a storage engine's test file hands to the contract suites: how to open it, lose it, and move its clock.

import type { TestContext } from 'vitest';
import type { EventLog } from '#core/event-log.ts';
import type { Fence, Leases } from '#core/leases.ts';
import type { Store } from '#core/store.ts';
import type { SimulatedClock } from './simulated-clock.ts';

export interface OpenedStorage {
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
}

export interface StorageHarness {
  readonly name: string;
  readonly clock: SimulatedClock;
  /** The secret the log was created with: the suites compute partitions with it and so see that the engine does too. */
  readonly partitionSecret: string;
  /** Opens the same data again after close() or crash(). */
  open(): Promise<OpenedStorage>;
  close(): Promise<void>;
  /** Abandons everything not durable, as a process death would. Undefined when the engine cannot (printed as the skip reason). */
  crash?(): Promise<void>;
  /** Called once at the end of each test, whether storage is open or not. */
  destroy(): Promise<void>;
}

/** Called for every test and every run of a heavy property: each call gives new, empty data. */
export type OpenHarness = () => Promise<StorageHarness>;

/**
 * Runs of one property: `heavy` opens storage for each run, `light` shares one. The seed makes every run of the suites
 * the same; a long run raises the counts and changes the seed.
 */
export const SUITE_RUNS = { heavy: 200, light: 1000, seed: 20_260_101 } as const;

/** For the slowest engine on a loaded machine; a suite that needs longer has lost its way. */
export const PROPERTY_TIMEOUT_MS = 180_000;

export function runsOf(weight: 'heavy' | 'light'): { readonly numRuns: number; readonly seed: number } {
  return { numRuns: SUITE_RUNS[weight], seed: SUITE_RUNS.seed };
}

/** Opened storage of one test; the members are replaced by `reopen` and `crash`. */
export interface StorageSession {
  readonly harness: StorageHarness;
  readonly clock: SimulatedClock;
  log: EventLog;
  leases: Leases;
  store: Store;
  /** Fences that `hold` was given, by lease and owner. */
  readonly fences: Map<string, Fence>;
  reopen(): Promise<void>;
  /** A process death and a new start; where the engine cannot, an orderly restart. */
  crash(): Promise<void>;
}

/** Opens new storage, gives it to `use`, and destroys it whatever happened. */
export async function withStorage(
  openHarness: OpenHarness,
  use: (session: StorageSession) => Promise<void>,
): Promise<void> {
  const harness = await openHarness();
  try {
    const opened = await harness.open();
    const session: StorageSession = {
      harness,
      clock: harness.clock,
      ...opened,
      fences: new Map(),
      async reopen() {
        await harness.close();
        Object.assign(session, await harness.open());
      },
      async crash() {
        await (harness.crash === undefined ? harness.close() : harness.crash());
        Object.assign(session, await harness.open());
      },
    };
    await use(session);
  } finally {
    await harness.destroy();
  }
}

/** Skips the rest of a test that is about process death where the engine cannot die, and says so. */
export function needsCrash(session: StorageSession, test: TestContext): void {
  if (session.harness.crash === undefined) test.skip(`${session.harness.name} cannot simulate a process death`);
}
