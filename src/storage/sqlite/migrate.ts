import { hash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#core/fault.ts';
import { textAt } from './row.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/**
 * Brings the file up to this version, one transaction per step, so that a process killed in between resumes at the step it was on.
 * Throws `storage_newer` for a file of a later Weir and `storage_broken` when a step that was applied differs from ours.
 */
export function migrate(db: DatabaseSync, place: string): void {
  const ours = readMigrations();
  const applied = db.prepare('SELECT number, checksum FROM migration ORDER BY number').all();
  for (const row of applied) {
    const migration = ours.find((candidate) => candidate.number === row['number']);
    if (migration === undefined)
      throw new Fault('storage_newer', `${place} was written by a newer Weir (step ${textAt(row, 'number')})`);
    if (migration.checksum !== row['checksum']) {
      throw new Fault(
        'storage_broken',
        `${place}: step ${migration.number} of its schema is not the one this Weir knows`,
        { details: { place } },
      );
    }
  }
  for (const migration of ours.slice(applied.length)) apply(db, migration);
}

function apply(db: DatabaseSync, { number, name, sql, checksum }: Migration): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(sql);
    db.prepare('INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)').run(number, name, checksum);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function readMigrations(): readonly Migration[] {
  const files = readdirSync(FOLDER).filter((file) => FILE_NAME.test(file));
  return files.sort().map((file) => {
    const sql = readFileSync(new URL(file, FOLDER), 'utf8');
    const [, number = '', name = ''] = FILE_NAME.exec(file) ?? [];
    return { number: Number(number), name, sql, checksum: hash('sha256', sql, 'hex') };
  });
}
