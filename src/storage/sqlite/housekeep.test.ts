import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sealEvent } from '#core/event.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openSqliteStorage } from './storage.ts';

const SOURCE = { tenant: 'a', connection: 'wiki', connector: 'sample', stream: 'docs' };
const DRAFT = { kind: 'document', op: 'upsert', version: 1, time: '2026-01-01T00:00:00.000Z', data: null } as const;

test('a checkpoint on demand gives a small write-ahead log back to the disk; without it a small one stays', async () => {
  const data = mkdtempSync(join(tmpdir(), 'weir-housekeep-'));
  const clock = new SimulatedClock();
  const storage = openSqliteStorage({ data, clock });
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    await clock.turn();
    return work;
  };
  try {
    await settle(storage.log.append({ events: [sealEvent(SOURCE, { ...DRAFT, key: 'k' })] }));
    await storage.housekeep();
    expect(storage.walBytes()).toBeGreaterThan(0);
    await storage.housekeep({ checkpoint: true });
    expect(storage.walBytes()).toBe(0);
  } finally {
    storage.close();
    rmSync(data, { recursive: true, force: true });
  }
});
