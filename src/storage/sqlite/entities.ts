import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StreamRef } from '#core/names.ts';
import type { Entity, EntityStore } from '#core/store.ts';

export class SqliteEntities implements EntityStore {
  readonly #live: StatementSync;
  readonly #count: StatementSync;

  constructor(db: DatabaseSync) {
    this.#live = db.prepare(`
      SELECT key, version FROM entity
      WHERE tenant = ? AND connection = ? AND stream = ? AND key > ? AND deleted = 0 ORDER BY key LIMIT ?`);
    this.#count = db.prepare('SELECT count(*) AS count FROM entity WHERE tenant = ? AND connection = ? AND stream = ? AND deleted = 0');
  }

  live(of: StreamRef, afterKey: string | undefined, limit: number): Promise<readonly Entity[]> {
    const rows = this.#live.all(of.tenant, of.connection, of.stream, afterKey ?? '', limit);
    return Promise.resolve(rows.map((row) => ({ key: String(row['key']), version: Number(row['version']) })));
  }

  countLive(of: StreamRef): Promise<number> {
    return Promise.resolve(Number(this.#count.get(of.tenant, of.connection, of.stream)?.['count']));
  }
}
