import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '#core/env.ts';
import type { ReadFrom } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ProcessLeases } from './leases.ts';
import { addCount, type Counts, type LogBacklog } from './log-backlog.ts';
import type { LogPositions, Mark } from './log-positions.ts';

const SEARCH_ROWS_MAX = 500; // looked at in one go, outside any transaction; a longer look would hold up everybody else

export interface LogReadersOptions {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  readonly writer: GroupCommit;
  readonly leases: ProcessLeases;
  readonly positions: LogPositions;
  readonly backlog: LogBacklog;
}

/** What a search found out about one partition, before the transaction that uses it. */
interface Plan {
  /** Undefined: no entry up to `searchedTo` is recent enough. */
  readonly mark: Mark | undefined;
  readonly searchedTo: number;
  /** What lies between the slowest reader as it was and as it will be. */
  readonly from: Mark;
  readonly to: Mark;
  readonly between: Counts;
}

/**
 * Who reads the log and where each stands. A move by an operator may jump over the whole log: its entries are looked at before the
 * transaction, a few at a time, and only what changed meanwhile is looked at in it.
 */
export class LogReaders {
  readonly #options: LogReadersOptions;
  readonly #upsertPosition: StatementSync;
  readonly #deletePositions: StatementSync;
  readonly #deleteDispatches: StatementSync;
  #searches = 0;

  constructor(options: LogReadersOptions) {
    this.#options = options;
    this.#upsertPosition = options.db.prepare(`
      INSERT INTO position (reader, part, n, bytes_total) VALUES (?, ?, ?, ?)
      ON CONFLICT (reader, part) DO UPDATE SET n = excluded.n, bytes_total = excluded.bytes_total`);
    this.#deletePositions = options.db.prepare('DELETE FROM position WHERE reader = ?');
    this.#deleteDispatches = options.db.prepare('DELETE FROM dispatch WHERE reader = ?');
  }

  /** While it is true nothing may be trimmed: a plan counts on the entries it has seen. */
  get searching(): boolean {
    return this.#searches > 0;
  }

  async register(reader: string, from: ReadFrom): Promise<void> {
    const { positions } = this.#options;
    if (positions.knows(reader)) return;
    await this.#change(reader, from, (plans) => {
      if (!positions.knows(reader)) this.#place(reader, from, plans);
    });
  }

  async rewind(reader: string, from: ReadFrom, dryRun = false): Promise<number> {
    const { positions } = this.#options;
    this.#mustKnow(reader);
    return this.#change(reader, from, (plans) => {
      this.#mustKnow(reader);
      if (dryRun)
        return plans.reduce((sum, plan, part) => sum + positions.head(part).n - this.#target(part, from, plan).n, 0);
      this.#endWork(reader);
      this.#place(reader, from, plans);
      return positions.lag(reader);
    });
  }

  async unregister(reader: string): Promise<boolean> {
    const { positions } = this.#options;
    if (!positions.knows(reader)) return false;
    return this.#change(reader, undefined, () => {
      if (!positions.knows(reader)) return false;
      this.#endWork(reader);
      this.#deletePositions.run(reader);
      positions.removeReader(reader);
      return true;
    });
  }

  /** Inside a transaction: the reader has settled everything up to `mark`. */
  move(reader: string, part: number, mark: Mark): void {
    const { positions, backlog } = this.#options;
    const before = positions.slowest(part);
    this.#set(reader, part, mark);
    backlog.slowestMoved(part, before, positions.slowest(part));
  }

  #set(reader: string, part: number, mark: Mark): void {
    this.#upsertPosition.run(reader, part, mark.n, mark.bytesTotal);
    this.#options.positions.moveReader(reader, part, mark);
  }

  /** `from` undefined: the reader is going to be removed. */
  async #change<T>(reader: string, from: ReadFrom | undefined, run: (plans: readonly Plan[]) => T): Promise<T> {
    this.#searches += 1;
    try {
      const plans: Plan[] = [];
      for (let part = 0; part < PARTITIONS; part += 1) plans.push(await this.#plan(reader, part, from));
      return await this.#options.writer.submit(() => {
        const before = plans.map((_, part) => this.#options.positions.slowest(part));
        const result = run(plans);
        for (const [part, plan] of plans.entries()) this.#recount(part, before[part] ?? plan.from, plan);
        return result;
      }, PARTITIONS);
    } finally {
      this.#searches -= 1;
    }
  }

  async #plan(reader: string, part: number, from: ReadFrom | undefined): Promise<Plan> {
    const { clock, positions } = this.#options;
    const head = positions.head(part);
    let mark = from === 'oldest' ? positions.beforeOldest(part) : undefined;
    let searchedTo = positions.beforeOldest(part).n;
    while (typeof from === 'object' && mark === undefined && searchedTo < head.n) {
      const upTo = Math.min(searchedTo + SEARCH_ROWS_MAX, head.n);
      mark = positions.before(part, searchedTo, upTo, from.sinceMs);
      searchedTo = upTo;
      if (upTo < head.n) await clock.turn();
    }
    const slowest = positions.slowest(part);
    const planned = positions.slowest(part, { reader, mark: from === undefined ? undefined : (mark ?? head) });
    return { mark, searchedTo, from: slowest, to: planned, between: await this.#count(part, slowest.n, planned.n) };
  }

  async #count(part: number, oneN: number, otherN: number): Promise<Counts> {
    const { backlog, clock } = this.#options;
    const counts: Counts = new Map();
    const end = Math.max(oneN, otherN);
    for (let after = Math.min(oneN, otherN); after < end; after += SEARCH_ROWS_MAX) {
      if (after > Math.min(oneN, otherN)) await clock.turn();
      const found = backlog.count(part, after, Math.min(after + SEARCH_ROWS_MAX, end));
      for (const [tenant, count] of found) addCount(counts, tenant, count);
    }
    return counts;
  }

  #place(reader: string, from: ReadFrom, plans: readonly Plan[]): void {
    for (const [part, plan] of plans.entries()) this.#set(reader, part, this.#target(part, from, plan));
  }

  #target(part: number, from: ReadFrom, { mark, searchedTo }: Plan): Mark {
    const { positions } = this.#options;
    const head = positions.head(part);
    // What was appended since the search is looked at here.
    const late = typeof from === 'object' ? positions.before(part, searchedTo, head.n, from.sinceMs) : undefined;
    return mark ?? late ?? head;
  }

  /** In three steps that add up, so that only what changed since the search is counted here. */
  #recount(part: number, before: Mark, { from, to, between }: Plan): void {
    const { positions, backlog } = this.#options;
    backlog.slowestMoved(part, before, from);
    if (from.n < to.n) backlog.remove(part, between);
    else backlog.add(part, between);
    backlog.slowestMoved(part, to, positions.slowest(part));
  }

  #mustKnow(reader: string): void {
    if (!this.#options.positions.knows(reader)) throw new Fault('not_found', `no sink called ${reader} reads the log`);
  }

  /** I5: whoever has a batch of this reader in hand can neither commit it nor record it any more. */
  #endWork(reader: string): void {
    this.#deleteDispatches.run(reader);
    for (let part = 0; part < PARTITIONS; part += 1) this.#options.leases.revoke(partitionLeaseName(reader, part));
  }
}
