import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openDatabase } from './database.ts';
import { DATA_FILE, openSqliteStorage } from './storage.ts';

const STEPS = new URL('./migrations/', import.meta.url);
const HOUR_MS = 3_600_000;
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-streams-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A data file from before waits were kept: a stream per name, each with its runs, oldest first. */
function writeOldFile(streams: Readonly<Record<string, readonly (number | null)[]>>): void {
  const db = openDatabase(join(root, DATA_FILE));
  for (const file of readdirSync(STEPS).toSorted()) {
    if (file.endsWith('stated-wait.sql')) break;
    const [number = '', name = ''] = /^(\d+)-(.*)\.sql$/.exec(file)?.slice(1) ?? [];
    const sql = readFileSync(new URL(file, STEPS), 'utf8');
    db.exec(sql);
    db.prepare('INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)').run(
      Number(number),
      name,
      hash('sha256', sql, 'hex'),
    );
  }
  const insertStream = db.prepare(
    "INSERT INTO stream (tenant, connection, stream, due_at_ms) VALUES ('a', 'wiki', ?, 9)",
  );
  const insertRun = db.prepare(`
    INSERT INTO run (id, tenant, connection, stream, started_at_ms, ended_at_ms, outcome, counts, resume_at_ms)
    VALUES (?, 'a', 'wiki', ?, ?, ?, 'yielded', '{}', ?)`);
  for (const [stream, resumesInMs] of Object.entries(streams)) {
    insertStream.run(stream);
    for (const [at, inMs] of resumesInMs.entries())
      insertRun.run(
        `${stream}-${at}`,
        stream,
        at * 1000,
        at * 1000 + 500,
        inMs === null ? null : at * 1000 + 500 + inMs,
      );
  }
  db.close();
}

it('a wait that a source asked for before waits were kept is the one of its newest run', async () => {
  writeOldFile({ limited: [5, HOUR_MS], recovered: [HOUR_MS, null], stopped: [-3], quiet: [] });
  const storage = openSqliteStorage({ data: root, clock: new SimulatedClock() });
  const states = await storage.store.streams.list({ tenant: 'a', connection: 'wiki' });
  storage.close();
  expect(states.map(({ stream, statedWaitMs }) => [stream, statedWaitMs])).toEqual([
    ['limited', HOUR_MS],
    ['quiet', undefined],
    ['recovered', undefined],
    ['stopped', 0],
  ]);
});
