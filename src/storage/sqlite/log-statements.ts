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
    upsertPosition: db.prepare(`
      INSERT INTO position (reader, part, n, bytes_total) VALUES (?, ?, ?, ?)
      ON CONFLICT (reader, part) DO UPDATE SET n = excluded.n, bytes_total = excluded.bytes_total`),
    selectEntries: db.prepare('SELECT n, at_ms, payload FROM log WHERE part = ? AND n > ? ORDER BY n LIMIT ?'),
    selectOfTenants: db.prepare(`
      SELECT n, at_ms, payload FROM log
      WHERE part = ? AND n > ? AND tenant IN (SELECT value FROM json_each(?)) ORDER BY n LIMIT ?`),
    selectOldest: db.prepare('SELECT n, bytes_total, payload FROM log WHERE part = ? ORDER BY n LIMIT 1'),
    selectBytes: db.prepare('SELECT bytes_total FROM log WHERE part = ? AND n = ?'),
    selectTime: db.prepare('SELECT at_ms FROM log WHERE part = ? AND n = ?'),
    deleteSettled: db.prepare(
      'DELETE FROM log WHERE seq IN (SELECT seq FROM log WHERE part = ? AND n <= ? ORDER BY n LIMIT ?)',
    ),
  };
}
