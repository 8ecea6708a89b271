import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StreamRef } from '#core/names.ts';
import type { Entity, EntityStore } from '#core/store.ts';
import { numberAt, textAt } from './row.ts';

export class SqliteEntities implements EntityStore {
  readonly #live: StatementSync;
  readonly #count: StatementSync;

  constructor(db: DatabaseSync) {
    this.#live = db.prepare(`
      SELECT key, version FROM entity
      WHERE tenant = ? AND connection = ? AND stream = ? AND key > ? AND deleted = 0 ORDER BY key LIMIT ?`);
    this.#count = db.prepare(
      'SELECT count(*) AS count FROM entity WHERE tenant = ? AND connection = ? AND stream = ? AND deleted = 0',
    );
  }

  live(of: StreamRef, afterKey: string | undefined, limit: number): Promise<readonly Entity[]> {
    const rows = this.#live.all(of.tenant, of.connection, of.stream, afterKey ?? '', limit);
    return Promise.resolve(rows.map((row) => ({ key: textAt(row, 'key'), version: numberAt(row, 'version') })));
  }

  countLive(of: StreamRef): Promise<number> {
    return Promise.resolve(numberAt(this.#count.get(of.tenant, of.connection, of.stream), 'count'));
  }
}
