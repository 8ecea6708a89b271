import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { DATA_FILE, openSqliteStorage } from './storage.ts';

interface OldEntry {
  readonly part: number;
  readonly tenant: string;
  readonly payload: string;
}

/** A data file as the first version left it: entries, their heads, and readers that stand at some positions. */
function writeFirstVersion(
  file: string,
  entries: readonly OldEntry[],
  readers: Readonly<Record<string, number>>,
): void {
  const db = new DatabaseSync(file);
  const sql = readFileSync(new URL('./migrations/0001-initial.sql', import.meta.url), 'utf8');
  db.exec('PRAGMA application_id = 0x57454952');
  db.exec(
    'CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT; ' + sql,
  );
  db.prepare('INSERT INTO migration VALUES (1, ?, ?)').run('initial', hash('sha256', sql, 'hex'));
  const insert = db.prepare(
    'INSERT INTO log (part, n, tenant, at_ms, bytes_total, payload) VALUES (?, ?, ?, 1000, ?, ?)',
  );
  const position = db.prepare('INSERT INTO position VALUES (?, ?, ?, ?)');
  for (let part = 0; part < 16; part += 1) {
    let bytes = 0;
    const totals = [0];
    for (const { tenant, payload } of entries.filter((entry) => entry.part === part)) {
      bytes += Buffer.byteLength(payload);
      totals.push(bytes);
      insert.run(part, totals.length - 1, tenant, bytes, payload);
    }
    db.prepare('INSERT INTO head VALUES (?, ?, ?)').run(part, totals.length - 1, bytes);
    for (const [reader, n] of Object.entries(readers)) {
      const settled = Math.min(n, totals.length - 1);
      position.run(reader, part, settled, totals[settled] ?? 0);
    }
  }
  db.close();
}

describe('the backlog of a file that an earlier version wrote', () => {
  const entries = [3, 9].flatMap((part) =>
    ['a', 'b', 'a', 'c', 'a'].map((tenant, at) => ({
      part,
      tenant,
      payload: JSON.stringify({ text: 'é'.repeat(at) }),
    })),
  );

  for (const readers of [{}, { slow: 1 }, { slow: 1, fast: 4 }, { done: 5 }]) {
    it(`is counted per tenant from the slowest reader at the first opening: ${JSON.stringify(readers)}`, async () => {
      const root = mkdtempSync(join(tmpdir(), 'weir-backlog-'));
      writeFirstVersion(join(root, DATA_FILE), entries, readers);
      const from = Math.min(...Object.values(readers), Object.keys(readers).length === 0 ? 0 : 5);
      const open = [3, 9].flatMap((part) => entries.filter((entry) => entry.part === part).slice(from));
      const expected = [...Map.groupBy(open, ({ tenant }) => tenant)].map(([tenant, own]) => ({
        tenant,
        size: own.length,
        bytes: own.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0),
      }));
      const storage = openSqliteStorage({ data: root, clock: new SimulatedClock() });
      const stats = await storage.log.stats();
      expect(new Map(stats.tenants.map((one) => [one.tenant, one]))).toEqual(
        new Map(expected.map((one) => [one.tenant, one])),
      );
      expect(stats.size).toBe(open.length);
      storage.close();
      rmSync(root, { recursive: true });
    });
  }
});
