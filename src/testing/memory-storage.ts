// The plainest engine that keeps the contracts: the model behind promises, everything in memory. It shows that the suites
// can be passed, and gives simulations a storage without a disk. Durable means here: survives close() and crash().

import type { Clock } from '#core/env.ts';
import type { Leases } from '#core/leases.ts';
import type { TimelineRow } from '#core/timeline.ts';
import type { OpenedStorage, StorageHarness } from './engine-harness.ts';
import { LeaseModel, LogModel } from './log-model.ts';
import { memoryDeadLetters } from './memory-dead-letters.ts';
import { MemoryLibrary, type StoredDocument } from './memory-library.ts';
import { MemoryLog, type SettleBatch } from './memory-log.ts';
import { memoryStore, type StoreRows } from './memory-store.ts';
import { MemoryTimeline } from './memory-timeline.ts';
import { SimulatedClock } from './simulated-clock.ts';

/** What outlives a session: hand the same object to the next `openMemoryStorage`. */
export interface MemoryData {
  readonly log: LogModel;
  readonly leases: LeaseModel;
  readonly rows: StoreRows;
  readonly timeline: TimelineRow[];
  readonly documents: Map<string, StoredDocument>;
}

export interface MemorySession extends OpenedStorage {
  /** From here on nothing is written any more; appends still waiting for their turn answer `storage_unknown`. */
  end(): void;
}

export function createMemoryData(partitionSecret: string): MemoryData {
  const rows = { runs: [], minutes: new Map(), failures: [] };
  return { log: new LogModel(partitionSecret), leases: new LeaseModel(), rows, timeline: [], documents: new Map() };
}

export function openMemoryStorage(data: MemoryData, clock: Clock): MemorySession {
  data.leases.restart();
  const log = new MemoryLog(data.log, data.leases, clock);
  const settle: SettleBatch = (reader, partition, entries, fence) => {
    const last = entries.at(-1);
    return last === undefined ? 'committed' : log.settle(reader, partition, last.position, fence);
  };
  const timeline = new MemoryTimeline(data.timeline, settle);
  const library = new MemoryLibrary(data.documents, settle);
  const letters = { model: data.log.deadLetters, leases: data.leases, clock, wake: () => log.wake() };
  const store = memoryStore(data.log, data.rows, { deadLetters: memoryDeadLetters(letters), timeline, library });
  return { log, leases: memoryLeases(data.leases, clock), store, end: () => log.end() };
}

export function memoryHarness(): Promise<StorageHarness> {
  const clock = new SimulatedClock();
  const partitionSecret = 'a secret of this log';
  const data = createMemoryData(partitionSecret);
  let session: MemorySession | undefined;
  const end = () => {
    session?.end();
    session = undefined;
    return Promise.resolve();
  };
  return Promise.resolve({
    name: 'memory',
    clock,
    partitionSecret,
    open: () => Promise.resolve((session = openMemoryStorage(data, clock))),
    close: end,
    crash: end,
    destroy: end,
  });
}

function memoryLeases(model: LeaseModel, clock: Clock): Leases {
  return {
    async acquire(lease, owner, ttlMs) {
      const nowMs = clock.monotonic(); // I10: a stepped wall clock must not matter
      if (model.availability(lease, nowMs) === 'taken') return undefined;
      const fence = { lease, token: model.newestToken(lease) + 1 };
      model.grant(fence, owner, nowMs + ttlMs);
      return fence;
    },
    async renew(fence, ttlMs) {
      const nowMs = clock.monotonic();
      if (model.standing(fence, nowMs) !== 'valid') return false;
      model.extend(fence, nowMs + ttlMs);
      return true;
    },
    async release(fence) {
      model.release(fence);
    },
  };
}
