import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorageHarness } from '#testing/engine-harness.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { storageSuite } from '#testing/storage-suite.ts';
import { openSqliteStorage, type SqliteStorage } from './storage.ts';

const MEMORY_FOLDER = '/dev/shm'; // the suites judge what is stored, not the speed of the disk

function sqliteHarness(): Promise<StorageHarness> {
  const clock = new SimulatedClock();
  const root = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'weir-storage-'));
  const partitionSecret = 'a fixed one, so that the suites know the partitions';
  const abandoned: SqliteStorage[] = [];
  let life = 0;
  let current: SqliteStorage | undefined;
  const folder = (): string => join(root, String(life));
  return Promise.resolve({
    name: 'sqlite',
    clock,
    partitionSecret,
    open: () => Promise.resolve((current = openSqliteStorage({ data: folder(), clock, partitionSecret }))),
    close() {
      current?.close();
      current = undefined;
      return Promise.resolve();
    },
    // What a process death leaves: the files as they are on disk at this moment, nothing that was only in memory.
    crash() {
      const files = folder();
      life += 1;
      cpSync(files, folder(), { recursive: true, filter: (file) => !file.endsWith('.lock') });
      if (current !== undefined) abandoned.push(current);
      current = undefined;
      return Promise.resolve();
    },
    destroy() {
      for (const storage of [...abandoned, current]) storage?.close();
      rmSync(root, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

describe('sqlite', () => storageSuite(sqliteHarness));

describe('the SQLite engine', () => {
  it('refuses a second opening of the same data while the first is open', async () => {
    const root = mkdtempSync(join(tmpdir(), 'weir-storage-'));
    const first = openSqliteStorage({ data: root, clock: new SimulatedClock() });
    expect(() => openSqliteStorage({ data: root, clock: new SimulatedClock() })).toThrow(/another Weir process/);
    first.close();
    openSqliteStorage({ data: root, clock: new SimulatedClock() }).close();
    rmSync(root, { recursive: true });
  });
});
