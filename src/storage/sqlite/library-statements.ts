import type { DatabaseSync } from 'node:sqlite';
import { LIBRARY_LIMITS } from '#core/library.ts';

export type LibraryStatements = ReturnType<typeof prepareLibraryStatements>;

const HITS = `
  FROM doc_text JOIN doc ON doc.id = doc_text.rowid
  WHERE doc_text MATCH :expression
    AND doc.tenant IN (SELECT value FROM json_each(:tenants))
    AND (:connection IS NULL OR doc.connection = :connection)`;

const TITLE_WEIGHT = 8; // a word in the title says more about a document than the same word in its text

/** Every statement of the library, compiled once. All of them carry the tenant (I9), or an id read together with it. */
export function prepareLibraryStatements(db: DatabaseSync) {
  return {
    insertDoc: db.prepare(`
      INSERT INTO doc (tenant, connection, stream, key, version, deleted, title, url, text, time)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`),
    selectDoc: db.prepare(
      'SELECT id, version, deleted, title, text FROM doc WHERE tenant = ? AND connection = ? AND stream = ? AND key = ?',
    ),
    updateDoc: db.prepare(
      'UPDATE doc SET version = ?, deleted = ?, title = ?, url = ?, text = ?, time = ? WHERE tenant = ? AND id = ?',
    ),
    insertText: db.prepare('INSERT INTO doc_text (rowid, title, text) VALUES (?, ?, ?)'),
    deleteText: db.prepare("INSERT INTO doc_text (doc_text, rowid, title, text) VALUES ('delete', ?, ?, ?)"),
    insertLink: db.prepare('INSERT INTO link (tenant, doc_id, target, rel) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'),
    deleteLinks: db.prepare('DELETE FROM link WHERE tenant = ? AND doc_id = ?'),
    countHits: db.prepare(`SELECT count(*) AS total ${HITS}`),
    selectHits: db.prepare(`
      SELECT doc.tenant, doc.connection, doc.stream, doc.key, doc.title, doc.url, doc.time, bm25(doc_text, ${TITLE_WEIGHT}, 1) AS rank,
        snippet(doc_text, -1, :open, :close, '…', ${LIBRARY_LIMITS.snippetTokens}) AS snippet,
        highlight(doc_text, 1, :open, :close) AS marked
      ${HITS} ORDER BY rank LIMIT :limit`),
    selectLive: db.prepare('SELECT id, url FROM doc WHERE tenant = ? AND connection = ? AND key = ? AND deleted = 0'),
    selectOut: db.prepare(`
      SELECT link.rel, link.target, other.connection, other.key, other.title, other.url
      FROM link LEFT JOIN doc AS other
        ON other.tenant = link.tenant AND other.deleted = 0
        AND ((other.connection = :connection AND other.key = link.target) OR other.url = link.target OR other.url = link.target || '#L{line}')
      WHERE link.tenant = :tenant AND link.doc_id = :id ORDER BY link.target LIMIT :limit`),
    selectIn: db.prepare(`
      SELECT link.rel, link.target, other.connection, other.key, other.title, other.url
      FROM link JOIN doc AS other ON other.id = link.doc_id AND other.tenant = link.tenant AND other.deleted = 0
      WHERE link.tenant = :tenant
        AND ((link.target = :key AND other.connection = :connection) OR link.target = :url)
      ORDER BY other.key LIMIT :limit`),
    countDocs: db.prepare('SELECT count(*) AS count FROM doc WHERE tenant = ? AND connection = ? AND deleted = 0'),
  };
}
