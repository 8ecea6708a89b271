import type { DatabaseSync } from 'node:sqlite';

export type LogStatements = ReturnType<typeof prepareLogStatements>;

/** Every statement of the event log, compiled once. */
export function prepareLogStatements(db: DatabaseSync) {
  return {
    insertSeen: db.prepare('INSERT INTO seen (tenant, event_id, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    insertEntry: db.prepare('INSERT INTO log (part, n, tenant, at_ms, bytes_total, payload) VALUES (?, ?, ?, ?, ?, ?)'),
    updateHead: db.prepare(`
      INSERT INTO head (part, n, bytes_total) VALUES (?, ?, ?)
      ON CONFLICT (part) DO UPDATE SET n = excluded.n, bytes_total = excluded.bytes_total`),
    upsertEntity: db.prepare(`
      INSERT INTO entity (tenant, connection, stream, key, version, deleted) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET version = excluded.version, deleted = excluded.deleted WHERE excluded.version > entity.version`),
    selectEntries: db.prepare('SELECT n, at_ms, payload FROM log WHERE part = ? AND n > ? ORDER BY n LIMIT ?'),
    selectOfTenants: db.prepare(`
      SELECT n, at_ms, payload FROM log
      WHERE part = ? AND n > ? AND tenant IN (SELECT value FROM json_each(?)) ORDER BY n LIMIT ?`),
    selectBytes: db.prepare('SELECT bytes_total FROM log WHERE part = ? AND n = ?'),
    selectTime: db.prepare('SELECT at_ms FROM log WHERE part = ? AND n = ?'),
    // Of the next entries to trim the first that is too young: everything after it stays as well.
    selectYoung: db.prepare(`
      SELECT n FROM (SELECT n, at_ms FROM log WHERE part = ? AND n <= ? ORDER BY n LIMIT ?) WHERE at_ms >= ? LIMIT 1`),
    deleteSettled: db.prepare(
      'DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE part = ? AND n <= ? ORDER BY n LIMIT ?)',
    ),
    upsertDispatch: db.prepare(`
      INSERT INTO dispatch (reader, part, n, events, attempts, open) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (reader, part) DO UPDATE SET
        n = excluded.n, events = excluded.events, attempts = excluded.attempts, open = excluded.open`),
    selectDispatch: db.prepare('SELECT n, events, attempts, open FROM dispatch WHERE reader = ? AND part = ?'),
    deleteDispatch: db.prepare('DELETE FROM dispatch WHERE reader = ? AND part = ? AND n <= ?'),
  };
}
