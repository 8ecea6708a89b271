import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ReaderLag } from '#core/event-log.ts';
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
  readonly #heads: Mark[] = [];
  readonly #readers = new Map<string, Mark[]>();

  constructor(db: DatabaseSync) {
    this.#selectHeads = db.prepare('SELECT part, n, bytes_total FROM head');
    this.#selectPositions = db.prepare('SELECT reader, part, n, bytes_total FROM position');
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

  knows(reader: string): boolean {
    return this.#readers.has(reader);
  }

  /** Where the slowest reader stands in a partition. Before the first reader is registered everything is still to be read. */
  slowest(part: number): Mark {
    if (this.#readers.size === 0) return START;
    let slowest = this.head(part);
    for (const marks of this.#readers.values()) {
      const mark = marks[part] ?? START;
      if (mark.n < slowest.n) slowest = mark;
    }
    return slowest;
  }

  lags(): readonly ReaderLag[] {
    return [...this.#readers].map(([reader, marks]) => ({
      reader,
      lag: marks.reduce((sum, mark, part) => sum + this.head(part).n - mark.n, 0),
    }));
  }
}

function markOf(row: Row): Mark {
  return { n: numberAt(row, 'n'), bytesTotal: numberAt(row, 'bytes_total') };
}
