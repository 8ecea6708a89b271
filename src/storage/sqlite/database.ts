import { DatabaseSync } from 'node:sqlite';
import { Fault, type FaultCode } from '#core/fault.ts';
import { numberAt, textAt } from './row.ts';

const SQLITE_VERSION_MIN = [3, 51, 3] as const; // earlier ones can corrupt a WAL file when two connections write at once
const BUSY_TIMEOUT_MS = 5000;
const WAL_BYTES_KEPT_MAX = 64 * 1024 * 1024;
const CACHE_KIB = 16 * 1024;

/** Opens the file (or a database in memory) with the settings durability depends on, and proves them (I1). */
export function openDatabase(file: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true, defensive: true });
    claim(db, file);
    configure(db);
    proveSettings(db, file);
    return db;
  } catch (error) {
    db?.close();
    throw toStorageFault(error, file);
  }
}

function configure(db: DatabaseSync): void {
  db.exec(`
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA wal_autocheckpoint = 0; -- the writer merges: see GroupCommit
    PRAGMA journal_size_limit = ${WAL_BYTES_KEPT_MAX};
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
  `);
}

const APPLICATION_ID = 0x57454952; // 'WEIR', https://sqlite.org/pragma.html#pragma_application_id

/** A valid database of another program is left as it is. */
function claim(db: DatabaseSync, file: string): void {
  const id = numberAt(db.prepare('PRAGMA application_id').get(), 'application_id');
  if (id === APPLICATION_ID) return;
  const tables = numberAt(db.prepare('SELECT count(*) AS count FROM sqlite_schema').get(), 'count');
  if (id !== 0 || tables > 0)
    throw new Fault('storage_broken', `${file}: it is not a Weir database but another program's`, {
      details: { place: file },
    });
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
}

/** Asserted after a write: other builds of SQLite change `synchronous` silently at the first one. */
function proveSettings(db: DatabaseSync, file: string): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT',
  );
  const journal = pragma(db, 'journal_mode');
  const expected = file === ':memory:' || file.endsWith('vfs=memdb') ? 'memory' : 'wal';
  if (journal !== expected)
    throw new Fault(
      'storage_unreachable',
      `${file}: the file system refuses write-ahead logging (got ${String(journal)})`,
      { details: { place: file } },
    );
  if (pragma(db, 'synchronous') !== 2)
    throw new Fault('storage_unreachable', `${file}: synchronous=FULL could not be set`, { details: { place: file } });
  const version = textAt(db.prepare('SELECT sqlite_version() AS version').get(), 'version');
  if (isOlder(version))
    throw new Fault(
      'tool_missing',
      `SQLite ${version} is older than ${SQLITE_VERSION_MIN.join('.')}; it comes with Node, so a newer Node is needed`,
    );
}

function pragma(db: DatabaseSync, name: 'journal_mode' | 'synchronous'): unknown {
  return db.prepare(`PRAGMA ${name}`).get()?.[name];
}

function isOlder(version: string): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, least] of SQLITE_VERSION_MIN.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}

// Primary result codes, https://sqlite.org/rescode.html; extended codes carry them in their low byte.
const SQLITE_CODES: Readonly<Record<number, { readonly code: FaultCode; readonly what: string }>> = {
  5: { code: 'storage_locked', what: 'another process is using it' },
  8: { code: 'storage_unreachable', what: 'it cannot be written (read-only)' },
  10: { code: 'storage_broken', what: 'the disk reported an error' },
  11: { code: 'storage_broken', what: 'its content is damaged' },
  13: { code: 'storage_full', what: 'the disk is full' },
  14: { code: 'storage_unreachable', what: 'it cannot be opened' },
  26: { code: 'storage_broken', what: 'it is not a Weir database' },
};

/** What SQLite throws → Fault. `place` is the file, for the message; a Fault passes unchanged. */
export function toStorageFault(thrown: unknown, place: string): Fault {
  if (thrown instanceof Fault) return thrown;
  const extended =
    thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode : undefined;
  const known = extended === undefined ? undefined : SQLITE_CODES[extended & 0xff];
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (known === undefined) return new Fault('internal', `${place}: ${message}`, { cause: thrown, details: { place } });
  return new Fault(known.code, `${place}: ${known.what} (${message})`, { cause: thrown, details: { place } });
}
