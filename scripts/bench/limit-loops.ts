// What SQLite alone can do: bare loops over the product's own statements, schema and settings, every value prepared beforehand.
// No validation, no hashing, no promises, no leases, no group commit. Whatever Weir adds shows as the distance to these.

import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { eventOfPayload, type Event, type SealedEvent } from '../../src/core/event.ts';
import { LOG_LIMITS } from '../../src/core/event-log.ts';
import { PARTITIONS, partitionOf } from '../../src/core/partition.ts';
import { DELIVERY_LIMITS } from '../../src/engine/delivery.ts';
import { openDatabase } from '../../src/storage/sqlite/database.ts';
import { prepareLibraryStatements, type LibraryStatements } from '../../src/storage/sqlite/library-statements.ts';
import { prepareLogStatements, type LogStatements } from '../../src/storage/sqlite/log-statements.ts';
import { migrate } from '../../src/storage/sqlite/migrate.ts';
import { DATA_FILE } from '../../src/storage/sqlite/storage.ts';
import { SOURCE } from './synthetic-events.ts';

const READER = 'library';

/** Batches of several partitions that Weir's group commit puts into one transaction: each costs its events and one row more. */
const BATCHES_PER_COMMIT = Math.max(1, Math.floor(LOG_LIMITS.commitEventsMax / (DELIVERY_LIMITS.batchEventsMax + 1)));

/** One entry of the log with everything its rows need already computed. */
export interface PreparedEntry extends SealedEvent {
  readonly part: number;
  readonly n: number;
  readonly bytesTotal: number;
}

export function prepareEntries(events: readonly SealedEvent[], partitionSecret: string): PreparedEntry[] {
  const heads = Array.from({ length: PARTITIONS }, () => ({ n: 0, bytesTotal: 0 }));
  return events.map((sealed) => {
    const part = partitionOf(partitionSecret, sealed.event.tenant, sealed.event.key);
    const before = heads[part] ?? { n: 0, bytesTotal: 0 };
    const head = { n: before.n + 1, bytesTotal: before.bytesTotal + Buffer.byteLength(sealed.payload) };
    heads[part] = head;
    return { ...sealed, part, ...head };
  });
}

export class LimitLoops {
  readonly db: DatabaseSync;
  readonly #log: LogStatements;
  readonly #library: LibraryStatements;
  readonly #upsertStream: StatementSync;
  readonly #upsertPosition: StatementSync;
  readonly #upsertBacklog: StatementSync;

  constructor(folder: string) {
    const file = join(folder, DATA_FILE);
    this.db = openDatabase(file);
    migrate(this.db, file);
    this.#log = prepareLogStatements(this.db);
    this.#library = prepareLibraryStatements(this.db);
    // Where readers stand, what waits for them, and a page's cursor: the product's statements are private to their classes.
    this.#upsertPosition = this.db.prepare(`
      INSERT INTO position (reader, part, n, bytes_total) VALUES (?, ?, ?, ?)
      ON CONFLICT (reader, part) DO UPDATE SET n = excluded.n, bytes_total = excluded.bytes_total`);
    this.#upsertBacklog = this.db.prepare(`
      INSERT INTO backlog (part, tenant, events, bytes) VALUES (?, ?, ?, ?)
      ON CONFLICT (part, tenant) DO UPDATE SET events = excluded.events, bytes = excluded.bytes`);
    this.#upsertStream = this.db.prepare(`
      INSERT INTO stream (tenant, connection, stream, cursor, connector_version, cursor_at_ms, reconcile_due, events_total)
      VALUES (?, ?, ?, ?, ?, ?, 0, ?)
      ON CONFLICT DO UPDATE SET cursor = excluded.cursor, connector_version = excluded.connector_version,
        cursor_at_ms = excluded.cursor_at_ms, events_total = events_total + excluded.events_total`);
  }

  close(): void {
    this.db.close();
  }

  append(entries: readonly PreparedEntry[], batch: number): void {
    for (let start = 0; start < entries.length; start += batch) {
      this.#transaction(() => this.#appendPage(entries.slice(start, start + batch), start));
    }
  }

  /** The same rows as pull → log → library, one transaction per page: inserts and upserts only. */
  endToEnd(entries: readonly PreparedEntry[], page: number): void {
    for (let start = 0; start < entries.length; start += page) {
      const slice = entries.slice(start, start + page);
      this.#transaction(() => {
        this.#appendPage(slice, start);
        const last = new Map<number, PreparedEntry>();
        for (const entry of slice) {
          this.#put(entry.event);
          last.set(entry.part, entry);
        }
        for (const { part, n, bytesTotal } of last.values()) this.#settle(part, n, bytesTotal, 0, 0);
      });
    }
  }

  /** Everything the log holds into the library, read in the product's batches. Returns how many events. */
  deliver(): number {
    return this.#drain((event) => this.#put(event));
  }

  /** The same without a sink: read, parsed, position committed. */
  discard(): number {
    return this.#drain(() => {});
  }

  #drain(put: (event: Event) => void): number {
    const positions = Array.from({ length: PARTITIONS }, () => 0);
    for (let part = 0; part < PARTITIONS; part += 1) this.#upsertPosition.run(READER, part, 0, 0);
    for (let moved = true; moved;) {
      moved = false;
      for (let first = 0; first < PARTITIONS; first += BATCHES_PER_COMMIT) {
        const parts = positions
          .keys()
          .toArray()
          .slice(first, first + BATCHES_PER_COMMIT);
        this.#transaction(() => {
          for (const part of parts) {
            const last = this.#drainBatch(part, positions[part] ?? 0, put);
            if (last === undefined) continue;
            positions[part] = last;
            moved = true;
          }
        });
      }
    }
    return positions.reduce((sum, position) => sum + position, 0);
  }

  #drainBatch(part: number, after: number, put: (event: Event) => void): number | undefined {
    const rows = this.#log.selectEntries.all(part, after, DELIVERY_LIMITS.batchEventsMax);
    const last = rows.at(-1)?.['n'];
    if (last === undefined) return undefined;
    for (const row of rows) put(eventOfPayload(String(row['payload'])));
    const bytes = Number(this.#log.selectBytes.get(part, Number(last))?.['bytes_total']);
    this.#settle(part, Number(last), bytes, rows.length, bytes);
    return Number(last);
  }

  #appendPage(page: readonly PreparedEntry[], start: number): void {
    const nowMs = Date.now();
    const heads = new Map<number, PreparedEntry>();
    for (const { event, payload, part, n, bytesTotal } of page) {
      this.#log.insertSeen.run(event.tenant, event.id, nowMs);
      this.#log.insertEntry.run(part, n, event.tenant, nowMs, bytesTotal, payload);
      this.#log.upsertEntity.run(event.tenant, event.connection, event.stream, event.key, event.version, 0);
    }
    for (const entry of page) heads.set(entry.part, entry);
    for (const { part, n, bytesTotal } of heads.values()) {
      this.#log.updateHead.run(part, n, bytesTotal);
      this.#upsertBacklog.run(part, SOURCE.tenant, n, bytesTotal);
    }
    const { tenant, connection, stream } = SOURCE;
    this.#upsertStream.run(
      tenant,
      connection,
      stream,
      JSON.stringify({ next: start + page.length }),
      '1.0.0',
      nowMs,
      page.length,
    );
  }

  #settle(part: number, n: number, bytesTotal: number, waiting: number, waitingBytes: number): void {
    this.#upsertPosition.run(READER, part, n, bytesTotal);
    this.#upsertBacklog.run(part, SOURCE.tenant, waiting, waitingBytes);
  }

  #put({ tenant, connection, stream, key, version, title = key, url, text = '', time, links = [] }: Event): void {
    const { lastInsertRowid } = this.#library.insertDoc.run(
      tenant,
      connection,
      stream,
      key,
      version,
      0,
      title,
      url ?? null,
      text,
      time,
    );
    const id = Number(lastInsertRowid);
    this.#library.insertText.run(id, title, text);
    for (const { rel, to } of links) this.#library.insertLink.run(tenant, id, to, rel);
  }

  #transaction(work: () => void): void {
    this.db.exec('BEGIN IMMEDIATE');
    work();
    this.db.exec('COMMIT');
  }
}
