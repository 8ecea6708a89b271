import type { DatabaseSync } from 'node:sqlite';

export type DeadLetterStatements = ReturnType<typeof prepareDeadLetterStatements>;

/** What a list shows: the letter without its content. */
export const LETTER_COLUMNS = `
  l.*, coalesce(octet_length(p.payload), 0) AS payload_bytes, p.edited IS NOT NULL AS is_edited
  FROM dead_letter AS l JOIN dead_letter_payload AS p ON p.letter = l.id`;

/** Every statement of the dead letters that no filter shapes, compiled once. */
export function prepareDeadLetterStatements(db: DatabaseSync) {
  return {
    // What was known first stays: identity, first time, payload. Attempts add up, so they never fall.
    upsert: db.prepare(`
      INSERT INTO dead_letter (tenant, connection, stage, stream, key, event_id, version, part, position, code, message, attempts, first_at_ms, last_at_ms, queued)
      VALUES (:tenant, :connection, :stage, :stream, :key, :eventId, :version, :part, :position, :code, :message, :attempts, :nowMs, :nowMs, 0)
      ON CONFLICT (tenant, connection, stage, stream, key, event_id) DO UPDATE SET part = excluded.part, position = excluded.position,
        code = excluded.code, message = excluded.message, attempts = attempts + excluded.attempts, last_at_ms = excluded.last_at_ms, queued = 0
      RETURNING id`),
    insertPayload: db.prepare(
      'INSERT INTO dead_letter_payload (letter, payload, cut) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    insertAttempt: db.prepare('INSERT INTO dead_letter_attempt (letter, at_ms, code, message) VALUES (?, ?, ?, ?)'),
    forgetAttempts: db.prepare(`
      DELETE FROM dead_letter_attempt WHERE letter = :id AND id <= (
        SELECT id FROM dead_letter_attempt WHERE letter = :id ORDER BY id DESC LIMIT 1 OFFSET :kept)`),
    selectLetter: db.prepare(`
      SELECT p.payload, p.cut, p.edited, ${LETTER_COLUMNS}
      WHERE l.id = :id AND l.tenant IN (SELECT value FROM json_each(:tenants))`),
    selectAttempts: db.prepare('SELECT at_ms, code, message FROM dead_letter_attempt WHERE letter = ? ORDER BY id'),
    selectEntry: db.prepare('SELECT payload FROM log WHERE part = ? AND n = ?'),
    selectRawStreams: db.prepare(
      'SELECT DISTINCT tenant, connection, stream FROM dead_letter WHERE stage = ? ORDER BY 1, 2, 3',
    ),
    deleteOfKey: db.prepare(
      'DELETE FROM dead_letter WHERE tenant = ? AND connection = ? AND stage = ? AND stream = ? AND key = ?',
    ),
    selectOfStream: db.prepare(
      'SELECT 1 FROM dead_letter WHERE tenant = ? AND connection = ? AND stage = ? AND stream = ? LIMIT 1',
    ),
    count: db.prepare('SELECT count(*) AS count FROM dead_letter WHERE tenant = ? AND connection = ?'),
    selectQueued: db.prepare(`
      SELECT l.id, l.position, l.first_at_ms, coalesce(p.edited, p.payload) AS payload, p.edited IS NOT NULL AS is_edited
      FROM dead_letter AS l JOIN dead_letter_payload AS p ON p.letter = l.id
      WHERE l.stage = ? AND l.part = ? AND l.queued = 1 ORDER BY l.position, l.id LIMIT ?`),
    hasQueued: db.prepare('SELECT 1 FROM dead_letter WHERE stage = ? AND part = ? AND queued = 1 LIMIT 1'),
    deleteDelivered: db.prepare('DELETE FROM dead_letter WHERE id = ? AND stage = ? AND part = ? AND queued = 1'),
    updateFailed: db.prepare(`
      UPDATE dead_letter SET queued = 0, code = :code, message = :message, attempts = attempts + 1, last_at_ms = :nowMs
      WHERE id = :id AND stage = :stage AND part = :part AND queued = 1`),
    edit: db.prepare(`
      UPDATE dead_letter_payload SET edited = :edited WHERE letter = (
        SELECT id FROM dead_letter WHERE id = :id AND queued = 0 AND tenant IN (SELECT value FROM json_each(:tenants)))`),
    countOfTenants: db.prepare('SELECT tenant, count(*) AS count FROM dead_letter GROUP BY tenant'),
    deleteExpired: db.prepare(`
      DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE tenant = ? AND last_at_ms < ? AND queued = 0 ORDER BY last_at_ms, id LIMIT ?)`),
    deleteOldest: db.prepare(`
      DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter WHERE tenant = ? AND queued = 0 ORDER BY last_at_ms, id LIMIT ?)`),
  };
}
