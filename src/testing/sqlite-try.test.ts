import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { openSqliteStorage, type SqliteStorage } from '#storage/sqlite/storage.ts';
import type { StorageHarness } from './engine-harness.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { storageSuite } from './storage-suite.ts';

function sqliteHarness(): Promise<StorageHarness> {
  const clock = new SimulatedClock();
  const root = mkdtempSync('/dev/shm/weir-try-');
  const partitionSecret = 's';
  let generation = 0;
  let current: SqliteStorage | undefined;
  const zombies: SqliteStorage[] = [];
  const dir = () => join(root, `g${generation}`);
  return Promise.resolve({
    name: 'sqlite', clock, partitionSecret,
    open: () => Promise.resolve((current = openSqliteStorage({ data: dir(), clock, partitionSecret }))),
    close: async () => { current?.close(); current = undefined; },
    crash: async () => {
      const from = dir();
      generation += 1;
      cpSync(from, dir(), { recursive: true, filter: (f) => !f.endsWith('.lock') });
      if (current) zombies.push(current);
      current = undefined;
    },
    destroy: async () => { current?.close(); for (const z of zombies) { try { z.close(); } catch {} } rmSync(root, { recursive: true, force: true }); },
  });
}
describe('sqlite', () => { storageSuite(sqliteHarness); });
