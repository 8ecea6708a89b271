import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '#core/env.ts';
import type { GroupCommit } from './group-commit.ts';
import { numberAt, textAt } from './row.ts';

// Longer than any provider sends again: within it a known id is a duplicate, whatever was trimmed.
const DEDUPE_WINDOW_MS = 30 * 24 * 60 * 60 * 1000;

/** Walks the known ids a few hundred at a time, for ever in a circle, and forgets those older than the window. Needs no index on time. */
export class SeenSweep {
  readonly #writer: GroupCommit;
  readonly #clock: Clock;
  readonly #select: StatementSync;
  readonly #delete: StatementSync;
  #after: readonly [string, string] = ['', ''];

  constructor(db: DatabaseSync, writer: GroupCommit, clock: Clock) {
    this.#writer = writer;
    this.#clock = clock;
    this.#select = db.prepare(
      'SELECT tenant, event_id, at_ms FROM seen WHERE (tenant, event_id) > (?, ?) ORDER BY tenant, event_id LIMIT ?',
    );
    this.#delete = db.prepare('DELETE FROM seen WHERE tenant = ? AND event_id = ?');
  }

  step(rowsMax: number): Promise<number> {
    const rows = this.#select.all(...this.#after, rowsMax);
    const last = rows.at(-1);
    this.#after = last === undefined ? ['', ''] : [textAt(last, 'tenant'), textAt(last, 'event_id')];
    const oldestMs = this.#clock.now() - DEDUPE_WINDOW_MS;
    const old = rows.filter((row) => numberAt(row, 'at_ms') < oldestMs);
    if (old.length === 0) return Promise.resolve(0);
    return this.#writer.submit(() => {
      for (const row of old) this.#delete.run(textAt(row, 'tenant'), textAt(row, 'event_id'));
      return old.length;
    }, old.length);
  }
}
