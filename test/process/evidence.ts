// What the data of an append server holds, read with a plain SQLite connection and without touching the original.

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import type { FaultCode } from '#core/fault.ts';
import { eventOf, SENT } from './known-event.ts';
import type { Sender } from './sender.ts';
import { NotReady } from './server-process.ts';
import { numberKey, type World } from './world.ts';

const FILE = 'weir.sqlite';

/** Opens a copy of the data file and its write-ahead log, as a start after the end of the process would. */
export function withCopy<T>(data: string, use: (db: DatabaseSync) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'weir-copy-'));
  try {
    for (const name of [FILE, `${FILE}-wal`])
      if (existsSync(join(data, name))) copyFileSync(join(data, name), join(folder, name));
    const db = new DatabaseSync(join(folder, FILE));
    try {
      return use(db);
    } finally {
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Right after the end of a process: whole, and everything acknowledged is in it. */
export function expectAcknowledgedStored(data: string, sender: Sender): void {
  withCopy(data, (db) => {
    expect(integrity(db)).toBe('ok');
    expect(lostIn(db, sender)).toEqual([]);
  });
}

/** Ids that were acknowledged and are not in the log's memory. */
export function lostIn(db: DatabaseSync, sender: Sender): string[] {
  // A process that ended in its first start may not have come to its tables.
  const begun = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'seen'").get() !== undefined;
  const stored = begun ? db.prepare('SELECT event_id FROM seen').all() : [];
  return missing(sender.ledger(), new Set(stored.map((row) => String(row['event_id']))));
}

/** The start ended with 3 and named the fault; anything else is thrown. */
export function expectNotReady(error: unknown, code: FaultCode): void {
  if (!(error instanceof NotReady)) throw error;
  expect(error.message).toContain(`[${code}]`);
  expect(error.code).toBe(3);
}

/** After everything was acknowledged and delivered: each event once in each place, as it was sent, and nothing else. */
export function expectExactlyOnce(data: string, sender: Sender, world: World): void {
  const sent = sender.acknowledged().map(({ key, version }) => ({ connection: SENT, key, version }));
  withCopy(data, (db) => {
    expect(integrity(db)).toBe('ok');
    const expected = new Map<string, string>();
    for (const { connection, key, version } of [...sent, ...pulledBy(db)]) {
      const { event, payload } = eventOf(connection, key, version);
      expected.set(event.id, payload);
    }
    const rows = db.prepare('SELECT event_id, payload FROM timeline').all();
    expect(rows.length).toBe(expected.size);
    expect(rows.filter((row) => expected.get(String(row['event_id'])) !== row['payload'])).toEqual([]);
    expect(db.prepare('SELECT sum(n) AS n FROM head').get()?.['n']).toBe(expected.size);
    expectLibrary(db, sent);
    expect(world.changed).toEqual([]);
    expect(world.inversions).toEqual([]);
    expect(missing(new Set(expected.keys()), new Set(world.effects.keys()))).toEqual([]);
    expect(missing(new Set(world.effects.keys()), new Set(expected.keys()))).toEqual([]);
    expect([...world.effects.values()].filter((count) => count !== 1)).toEqual([]);
  });
}

/** Newest version of each key, with its text and its words in the index. */
function expectLibrary(db: DatabaseSync, sent: readonly { key: string; version: number }[]): void {
  const newest = new Map<string, number>();
  for (const { key, version } of sent) newest.set(key, Math.max(newest.get(key) ?? 0, version));
  const docs = db.prepare('SELECT key, version, text FROM doc WHERE connection = ?').all(SENT);
  expect(docs.length).toBe(newest.size);
  for (const { key, version, text } of docs) {
    expect({ key, version, text }).toEqual({
      key,
      version: newest.get(String(key)),
      text: eventOf(SENT, String(key), Number(version)).event.text,
    });
  }
  db.exec("INSERT INTO doc_text (doc_text) VALUES ('integrity-check')");
}

/** What the cursors say was pulled. I2: exactly that must be in the log. */
function pulledBy(db: DatabaseSync): { connection: string; key: string; version: number }[] {
  return db
    .prepare("SELECT connection, cursor ->> '$.next' AS next FROM stream WHERE cursor IS NOT NULL")
    .all()
    .flatMap(({ connection, next }) =>
      Array.from({ length: Number(next) }, (_, number) => ({
        connection: String(connection),
        key: numberKey(number),
        version: 1,
      })),
    );
}

export function integrity(db: DatabaseSync): string {
  return String(db.prepare('PRAGMA integrity_check').get()?.['integrity_check']);
}

function missing(wanted: ReadonlySet<string>, found: ReadonlySet<string>): string[] {
  return [...wanted].filter((id) => !found.has(id));
}
