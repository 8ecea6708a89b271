import type { DatabaseSync } from 'node:sqlite';
import { partitionOf } from '#core/partition.ts';
import { numberAt, textAt } from './row.ts';

/** Once after the migration: letters of a Weir that kept no partition get theirs, so that they can be replayed. It needs the secret, which SQL cannot apply. */
export function placeOldLetters(db: DatabaseSync, partitionSecret: string): void {
  const old = db.prepare("SELECT id, tenant, key FROM dead_letter WHERE part IS NULL AND event_id <> ''").all();
  if (old.length === 0) return;
  const place = db.prepare('UPDATE dead_letter SET part = ? WHERE id = ?');
  // Killed in between, nothing is placed and the next start does it; so nothing is undone here.
  db.exec('BEGIN IMMEDIATE');
  for (const row of old)
    place.run(partitionOf(partitionSecret, textAt(row, 'tenant'), textAt(row, 'key')), numberAt(row, 'id'));
  db.exec('COMMIT');
}
