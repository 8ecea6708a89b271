import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { TenantBacklog } from '#core/event-log.ts';
import { PARTITIONS } from '#core/partition.ts';
import type { Mark } from './log-positions.ts';
import { numberAt, textAt } from './row.ts';

export interface Count {
  readonly events: number;
  readonly bytes: number;
}

/** Entries by tenant. */
export type Counts = Map<string, Count>;

const NONE: Count = { events: 0, bytes: 0 };

export function addCount(counts: Counts, tenant: string, { events, bytes }: Count): void {
  const known = counts.get(tenant) ?? NONE;
  counts.set(tenant, { events: known.events + events, bytes: known.bytes + bytes });
}

/**
 * What each tenant has after the slowest reader of each partition, so that nobody counts a backlog to know it. Every method that
 * changes it is called inside the transaction that appends, or that moves a reader; SQL stays the truth: `reload` re-reads it.
 */
export class LogBacklog {
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #selectCounts: StatementSync;
  readonly #parts: Counts[] = [];
  readonly #totals: Counts = new Map();

  constructor(db: DatabaseSync) {
    this.#select = db.prepare('SELECT part, tenant, events, bytes FROM backlog');
    this.#upsert = db.prepare(`
      INSERT INTO backlog (part, tenant, events, bytes) VALUES (?, ?, ?, ?)
      ON CONFLICT (part, tenant) DO UPDATE SET events = excluded.events, bytes = excluded.bytes`);
    this.#delete = db.prepare('DELETE FROM backlog WHERE part = ? AND tenant = ?');
    this.#selectCounts = db.prepare(`
      SELECT tenant, count(*) AS events, sum(octet_length(payload)) AS bytes FROM log
      WHERE part = ? AND n > ? AND n <= ? GROUP BY tenant`);
    this.reload();
  }

  reload(): void {
    this.#totals.clear();
    for (let part = 0; part < PARTITIONS; part += 1) this.#parts[part] = new Map();
    for (const row of this.#select.all()) {
      const count = { events: numberAt(row, 'events'), bytes: numberAt(row, 'bytes') };
      this.#remember(numberAt(row, 'part'), textAt(row, 'tenant'), count);
    }
  }

  get tenants(): readonly TenantBacklog[] {
    return [...this.#totals].map(([tenant, { events, bytes }]) => ({ tenant, size: events, bytes }));
  }

  add(part: number, counts: Counts): void {
    for (const [tenant, count] of counts) this.#change(part, tenant, count);
  }

  remove(part: number, counts: Counts): void {
    for (const [tenant, { events, bytes }] of counts) this.#change(part, tenant, { events: -events, bytes: -bytes });
  }

  /** The slowest reader of a partition went from one mark to another: what lies between leaves the backlog or comes back to it. */
  slowestMoved(part: number, from: Mark, to: Mark): void {
    if (from.n > to.n) return this.add(part, this.count(part, to.n, from.n));
    if (from.n === to.n) return;
    const [only, ...others] = this.#parts[part]?.keys() ?? [];
    // All of it is of one tenant, as in most installations: no row is looked at.
    if (only !== undefined && others.length === 0)
      this.#change(part, only, { events: from.n - to.n, bytes: from.bytesTotal - to.bytesTotal });
    else this.remove(part, this.count(part, from.n, to.n));
  }

  /** Entries after `afterN` up to `toN`. Reads each of them: callers keep the range short. */
  count(part: number, afterN: number, toN: number): Counts {
    const rows = this.#selectCounts.all(part, afterN, toN);
    return new Map(
      rows.map((row) => [textAt(row, 'tenant'), { events: numberAt(row, 'events'), bytes: numberAt(row, 'bytes') }]),
    );
  }

  #change(part: number, tenant: string, by: Count): void {
    this.#remember(part, tenant, by);
    const count = this.#parts[part]?.get(tenant);
    if (count === undefined) this.#delete.run(part, tenant);
    else this.#upsert.run(part, tenant, count.events, count.bytes);
  }

  #remember(part: number, tenant: string, by: Count): void {
    for (const counts of [this.#parts[part] ?? new Map<string, Count>(), this.#totals]) {
      addCount(counts, tenant, by);
      if (counts.get(tenant)?.events === 0) counts.delete(tenant);
    }
  }
}
