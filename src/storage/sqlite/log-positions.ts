import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PARTITIONS } from '#core/partition.ts';
import { numberAt, textAt, type Row } from './row.ts';

/** How far a partition or a reader has come: entries and payload bytes since the log was created. */
export interface Mark {
  readonly n: number;
  readonly bytesTotal: number;
}

const START: Mark = { n: 0, bytesTotal: 0 };

/** Heads and committed positions, remembered so that lag is a subtraction, whatever the backlog. SQL stays the truth: `reload` re-reads it. */
export class LogPositions {
  readonly #selectHeads: StatementSync;
  readonly #selectPositions: StatementSync;
  readonly #selectBefore: StatementSync;
  readonly #heads: Mark[] = [];
  readonly #readers = new Map<string, Mark[]>();

  constructor(db: DatabaseSync) {
    this.#selectHeads = db.prepare('SELECT part, n, bytes_total FROM head');
    this.#selectPositions = db.prepare('SELECT reader, part, n, bytes_total FROM position');
    this.#selectBefore = db.prepare(`
      SELECT n - 1 AS n, bytes_total - octet_length(payload) AS bytes_total FROM log
      WHERE part = ? AND n > ? AND n <= ? AND at_ms >= ? ORDER BY n LIMIT 1`);
    this.reload();
  }

  reload(): void {
    this.#readers.clear();
    for (let part = 0; part < PARTITIONS; part += 1) this.#heads[part] = START;
    for (const row of this.#selectHeads.all()) this.#heads[numberAt(row, 'part')] = markOf(row);
    for (const row of this.#selectPositions.all())
      this.moveReader(textAt(row, 'reader'), numberAt(row, 'part'), markOf(row));
  }

  head(part: number): Mark {
    return this.#heads[part] ?? START;
  }

  moveHead(part: number, mark: Mark): void {
    this.#heads[part] = mark;
  }

  get readers(): readonly string[] {
    return [...this.#readers.keys()];
  }

  knows(reader: string): boolean {
    return this.#readers.has(reader);
  }

  reader(reader: string, part: number): Mark {
    return this.#readers.get(reader)?.[part] ?? START;
  }

  moveReader(reader: string, part: number, mark: Mark): void {
    let marks = this.#readers.get(reader);
    if (marks === undefined) {
      marks = Array.from({ length: PARTITIONS }, () => START);
      this.#readers.set(reader, marks);
    }
    marks[part] = mark;
  }

  removeReader(reader: string): void {
    this.#readers.delete(reader);
  }

  /** How many entries the reader has not settled. */
  lag(reader: string): number {
    let lag = 0;
    for (let part = 0; part < PARTITIONS; part += 1) lag += this.head(part).n - this.reader(reader, part).n;
    return lag;
  }

  /**
   * Where the slowest reader stands in a partition; without any reader everything that is kept is still to be read. `supposed`: were
   * that reader there, or (without a mark) gone.
   */
  slowest(part: number, supposed?: { readonly reader: string; readonly mark: Mark | undefined }): Mark {
    let slowest = supposed?.mark;
    for (const [reader, marks] of this.#readers) {
      const mark = marks[part] ?? START;
      if (reader !== supposed?.reader && (slowest === undefined || mark.n < slowest.n)) slowest = mark;
    }
    return slowest ?? this.beforeOldest(part);
  }

  /** The mark just before the oldest entry that is kept. */
  beforeOldest(part: number): Mark {
    return this.before(part, 0, this.head(part).n) ?? this.head(part);
  }

  /** The mark just before the first entry, of those after `afterN` up to `toN`, that was appended at or after a wall time. */
  before(part: number, afterN: number, toN: number, sinceMs = Number.MIN_SAFE_INTEGER): Mark | undefined {
    const row = this.#selectBefore.get(part, afterN, toN, sinceMs);
    return row === undefined ? undefined : markOf(row);
  }
}

function markOf(row: Row): Mark {
  return { n: numberAt(row, 'n'), bytesTotal: numberAt(row, 'bytes_total') };
}
