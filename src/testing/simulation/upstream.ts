import type { Random } from '#core/env.ts';
import { sealEvent, versionOfCounter, type EventDraft, type SealedEvent } from '#core/event.ts';
import type { StreamRef } from '#core/names.ts';
import { Fault } from '#core/fault.ts';
import { between, oneOf, type Faults } from './fault-plan.ts';
import type { VirtualTime } from './virtual-time.ts';

export const STREAM = 'items';
export const CONNECTOR_TYPE = 'simulated';
/** The credential of every connection. */
export const SECRET = 'canary-4d1f7a90-52c8-4e63-a0b7-93e6d5c81f24';
const LATE_MS_MAX = 8_000; // a row becomes visible at most this long after its time
const EPOCH_MS = Date.UTC(2026, 0, 1);
const TICK_MS = 2_000; // the system's own times are this coarse, so that many rows share one

/** One entity of the external system, in its newest state. */
interface Row {
  readonly key: string;
  readonly revision: number;
  readonly tick: number;
  readonly visibleAtMs: number;
  readonly deleted: boolean;
  /** Cannot be read by the connector. */
  readonly bad: boolean;
}

/** A place in the feed: rows after (tick, key) follow. */
export interface FeedPlace {
  readonly tick: number;
  readonly key: string;
  /** Grows when the system forgets where its readers were. */
  readonly epoch: number;
}

export interface FeedPage {
  readonly drafts: readonly EventDraft[];
  readonly bad: readonly { readonly key: string; readonly revision: number }[];
  readonly place: FeedPlace;
  readonly more: boolean;
  readonly tickNow: number;
}

/**
 * An external system with a feed of changes ordered by coarse time, in pages, and a listing of its keys: rows share their times, move to
 * the end while somebody reads, appear late, vanish during a listing. Its clock is its own.
 */
export class Upstream {
  readonly of: StreamRef;
  readonly kind: 'document' | 'record';
  /** Deletes come in the feed; without, only a listing shows them. */
  readonly tellsDeletes: boolean;
  readonly rows = new Map<string, Row>();
  /** Called with the changes of a moment that a webhook would tell. */
  readonly listeners: ((told: readonly SealedEvent[]) => void)[] = [];
  readonly #time: VirtualTime;
  readonly #chance: Random;
  readonly #faults: Faults;
  #revision = 0;
  #epoch = 0;
  #limitedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: { of: StreamRef; time: VirtualTime; chance: Random; faults: Faults }) {
    this.of = options.of;
    this.#time = options.time;
    this.#chance = options.chance;
    this.#faults = options.faults;
    this.tellsDeletes = options.chance.float() < 0.5;
    this.kind = !this.tellsDeletes || options.chance.float() < 0.7 ? 'document' : 'record';
  }

  /** So many changes at one moment: something is created, changed, or deleted. */
  change(count: number): void {
    const told = Array.from({ length: count }, () => this.#changeOne()).filter((sealed) => sealed !== undefined);
    for (const listener of this.listeners) listener(told);
  }

  #changeOne(): SealedEvent | undefined {
    const known = oneOf(this.#chance, [...this.rows.values()]);
    const dice = this.#chance.float();
    const fresh = `item-${this.rows.size + 1}`;
    const key = known === undefined || dice < 0.35 ? fresh : known.key;
    const deleted = key !== fresh && known?.deleted === false && dice > 0.85;
    const lateMs = this.#faults.strikes('upstream_late_row', this.#chance, 0.15)
      ? this.#chance.float() * LATE_MS_MAX
      : 0;
    this.#revision += 1;
    const row: Row = {
      key,
      revision: this.#revision,
      tick: this.#tick(),
      visibleAtMs: this.#time.monotonic() + lateMs,
      deleted,
      bad: !deleted && this.#faults.strikes('upstream_bad_record', this.#chance, 0.04),
    };
    this.rows.set(key, row);
    const told = !row.bad && (this.tellsDeletes || !deleted) && this.listeners.length > 0;
    return told ? sealEvent({ ...this.of, connector: CONNECTOR_TYPE }, this.#draftOf(row)) : undefined;
  }

  /** A page of changes after `place`, oldest first. Throws Faults as a client of the system would. */
  async feed(place: FeedPlace | undefined, limit: number): Promise<FeedPage> {
    await this.#answer('feed');
    if (place !== undefined && place.epoch !== this.#epoch)
      throw new Fault('source_invalid', 'the place in the feed has expired', { details: { expired: 'yes' } });
    const nowMs = this.#time.monotonic();
    const rows = [...this.rows.values()]
      .filter((row) => row.visibleAtMs <= nowMs && (this.tellsDeletes || !row.deleted) && isAfter(row, place))
      .sort((a, b) => a.tick - b.tick || (a.key < b.key ? -1 : 1));
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const at = last ?? place ?? { tick: 0, key: '' };
    return {
      drafts: page.filter(({ bad }) => !bad).map((row) => this.#draftOf(row)),
      bad: page.filter(({ bad }) => bad),
      place: { tick: at.tick, key: at.key, epoch: this.#epoch },
      more: rows.length > limit,
      tickNow: this.#tick(),
    };
  }

  /** Keys after `after` that exist now. */
  async list(after: string, limit: number): Promise<readonly string[]> {
    await this.#answer('list');
    return [...this.rows.values()]
      .filter((row) => !row.deleted && row.key > after)
      .map(({ key }) => key)
      .sort()
      .slice(0, limit);
  }

  /** How far back a reader must look so that it misses no row that appeared late, in ticks. */
  static readonly lookBackTicks = Math.ceil(LATE_MS_MAX / TICK_MS) + 1;

  #tick(): number {
    return Math.floor(this.#time.monotonic() / TICK_MS);
  }

  #draftOf(row: Row): EventDraft {
    const marker = `of${this.of.tenant}`;
    return {
      kind: this.kind,
      op: row.deleted ? 'delete' : 'upsert',
      key: row.key,
      version: versionOfCounter(row.revision),
      time: new Date(EPOCH_MS + row.tick * TICK_MS).toISOString(),
      ...(row.deleted ? {} : { title: `${row.key} ${marker}`, text: `revision ${row.revision} ${marker}` }),
      data: { revision: row.revision },
    };
  }

  /** Time passes, and then the system fails in its own ways. */
  async #answer(what: string): Promise<void> {
    const chance = this.#chance;
    await this.#time.wait(between(chance, 5, 300));
    if (this.#faults.strikes('upstream_timeout', chance, 0.04)) await new Promise(() => undefined); // never answers
    const address = `https://${this.of.connection}.example/${what}`;
    const nowMs = this.#time.monotonic();
    if (nowMs < this.#limitedUntilMs || this.#faults.strikes('upstream_rate_limit', chance, 0.05)) {
      if (nowMs >= this.#limitedUntilMs) this.#limitedUntilMs = nowMs + between(chance, 1, 30) * 1000;
      throw new Fault('rate_limited', `${address} answered 429`, {
        retryAtMs: this.#time.now() + (this.#limitedUntilMs - nowMs),
      });
    }
    if (this.#faults.strikes('upstream_error', chance, 0.08))
      throw new Fault('upstream_unavailable', `${address} answered 502`);
    if (this.#faults.strikes('upstream_echoes_secret', chance, 0.05))
      throw new Fault('upstream_unavailable', `${address}?token=${SECRET} answered 500`);
    if (this.#faults.strikes('upstream_truncated', chance, 0.05))
      throw new Fault('bad_upstream', `${address} ended in the middle`);
    if (this.#faults.strikes('upstream_cursor_expired', chance, 0.02)) this.#epoch += 1;
  }
}

function isAfter(row: Row, place: FeedPlace | undefined): boolean {
  return place === undefined || row.tick > place.tick || (row.tick === place.tick && row.key > place.key);
}
