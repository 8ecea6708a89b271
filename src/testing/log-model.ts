// The reference that engines are compared with (P13): the event log and the leases as plain lists and maps, without
// durability, concurrency or speed. Short enough to be read as the definition of what an engine must do.

import type { SealedEvent } from '#core/event.ts';
import type {
  AppendBatch,
  AppendResult,
  DeadLetterDraft,
  Dispatch,
  LogEntry,
  LogStats,
  ReadFrom,
  TenantBacklog,
} from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import type { StreamRef } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { StreamState } from '#core/store.ts';
import { DeadLetterModel } from './dead-letter-model.ts';

interface Holding {
  readonly owner: string;
  readonly token: number;
  readonly untilMs: number;
  /** `carried`: held when the engine was restarted; an engine may end such leases at its start or let them run out. */
  readonly state: 'held' | 'carried' | 'released' | 'revoked';
}

/**
 * Leases as far as the contract decides them. Where it leaves the engine a choice (a lease that ran out or was released
 * and that nobody has taken since), the answer says so and the caller tells the model what the engine chose.
 */
export class LeaseModel {
  readonly #holdings = new Map<string, Holding>();

  /** `free` must be given, `taken` must not, to nobody; `carried` (held before a restart) may end with it. */
  availability(name: string, nowMs: number): 'free' | 'taken' | 'carried' {
    const holding = this.#holdings.get(name);
    if (holding === undefined || holding.untilMs < nowMs) return 'free';
    if (holding.state === 'released' || holding.state === 'revoked') return 'free';
    return holding.state === 'carried' ? 'carried' : 'taken';
  }

  /** `lapsed`: newest fence of its name but no longer running; nobody else owns it, so an engine may still accept it. */
  standing(fence: Fence, nowMs: number): 'valid' | 'lapsed' | 'outdated' {
    const holding = this.#holdings.get(fence.lease);
    if (holding?.token !== fence.token || holding.state === 'revoked') return 'outdated';
    return holding.state === 'held' && holding.untilMs >= nowMs ? 'valid' : 'lapsed';
  }

  newestToken(name: string): number {
    return this.#holdings.get(name)?.token ?? 0;
  }

  grant(fence: Fence, owner: string, untilMs: number): void {
    this.#holdings.set(fence.lease, { owner, token: fence.token, untilMs, state: 'held' });
  }

  extend(fence: Fence, untilMs: number): void {
    const holding = this.#holdings.get(fence.lease);
    if (holding?.token === fence.token) this.#holdings.set(fence.lease, { ...holding, untilMs, state: 'held' });
  }

  release(fence: Fence): void {
    const holding = this.#holdings.get(fence.lease);
    if (holding?.token === fence.token && holding.state !== 'revoked')
      this.#holdings.set(fence.lease, { ...holding, state: 'released' });
  }

  /** Ends the lease whoever owns it: from here on no fence of before is accepted. */
  revoke(name: string): void {
    const holding = this.#holdings.get(name);
    if (holding !== undefined) this.#holdings.set(name, { ...holding, state: 'revoked' });
  }

  restart(): void {
    for (const [name, holding] of this.#holdings)
      if (holding.state === 'held') this.#holdings.set(name, { ...holding, state: 'carried' });
  }
}

export interface StoredEntry extends LogEntry {
  readonly partition: number;
  readonly bytes: number;
  /** As it was sealed: a sink may change the event it is given. */
  readonly payload: string;
}

interface StoredEntity {
  readonly of: StreamRef;
  readonly key: string;
  readonly version: number;
  readonly deleted: boolean;
}

export function streamKeyOf(of: StreamRef): string {
  return `${of.tenant}/${of.connection}/${of.stream}`;
}

/** The log. Fences are judged by the caller with `LeaseModel` before anything is written here. */
export class LogModel {
  readonly #secret: string;
  readonly #ids = new Set<string>();
  readonly #positions = new Map<string, number[]>();
  readonly #dispatches = new Map<string, Dispatch>();
  #newest = 0;
  entries: StoredEntry[] = [];
  readonly deadLetters = new DeadLetterModel();
  readonly streams = new Map<string, StreamState>();
  readonly entities = new Map<string, StoredEntity>();

  constructor(secret: string) {
    this.#secret = secret;
  }

  append({ events, failures = [], checkpoint }: AppendBatch, nowMs: number): AppendResult {
    let accepted = 0;
    // All are read before the first is stored: a batch with an unreadable event leaves nothing behind.
    const readable = events.map(({ event, payload }) => ({ event, payload }));
    for (const sealed of readable) if (this.#accept(sealed, nowMs)) accepted += 1;
    if (checkpoint !== undefined) {
      const state = this.stateOf(checkpoint.stream);
      const reconcileDue = checkpoint.reconcile === undefined ? state.reconcileDue : checkpoint.reconcile === 'due';
      const { cursor, connectorVersion } = checkpoint;
      const moved = cursor === undefined ? {} : { cursor, connectorVersion, cursorAtMs: nowMs };
      this.streams.set(streamKeyOf(state), { ...state, ...moved, reconcileDue });
      for (const failure of failures) this.deadLetters.putRaw(checkpoint.stream, failure, nowMs);
    }
    return { accepted, duplicates: events.length - accepted };
  }

  /** What is known of a stream; a stream nobody has written yet has an empty state. */
  stateOf({ tenant, connection, stream }: StreamRef): StreamState {
    const empty = {
      cursor: undefined,
      connectorVersion: undefined,
      cursorAtMs: undefined,
      reconcileDue: false,
      eventsTotal: 0,
    };
    const known = this.streams.get(streamKeyOf({ tenant, connection, stream }));
    return known ?? { tenant, connection, stream, ...empty, dueAtMs: undefined, failures: 0 };
  }

  register(reader: string, from: ReadFrom = 'oldest'): void {
    if (!this.#positions.has(reader)) this.#place(reader, from);
  }

  /** The only way back for a position. */
  rewind(reader: string, from: ReadFrom, dryRun = false): number {
    const before = this.#positions.get(reader);
    this.#place(reader, from);
    const unread = this.#unread(reader).length;
    if (dryRun && before !== undefined) this.#positions.set(reader, before);
    else this.#forgetDispatches(reader);
    return unread;
  }

  unregister(reader: string): boolean {
    this.#forgetDispatches(reader);
    return this.#positions.delete(reader);
  }

  #place(reader: string, from: ReadFrom): void {
    const beforeFirst = (partition: number): number => {
      if (from === 'oldest') return 0; // before every entry
      const first = this.entries.find(
        (entry) => entry.partition === partition && from !== 'newest' && entry.observedAtMs >= from.sinceMs,
      );
      return first === undefined ? this.#newest : first.position - 1;
    };
    const positions = Array.from({ length: PARTITIONS }, (_, partition) => beforeFirst(partition));
    this.#positions.set(reader, positions);
  }

  #forgetDispatches(reader: string): void {
    for (let partition = 0; partition < PARTITIONS; partition += 1) this.#dispatches.delete(`${reader}/${partition}`);
  }

  get readers(): readonly string[] {
    return [...this.#positions.keys()];
  }

  /** Everything the reader has not settled. */
  #unread(reader: string): StoredEntry[] {
    if (!this.#positions.has(reader)) return [];
    return this.entries.filter((entry) => entry.position > this.positionOf(reader, entry.partition));
  }

  read(reader: string, partition: number, limit: number): StoredEntry[] {
    const unread = this.#unread(reader).filter((entry) => entry.partition === partition);
    return unread.slice(0, limit);
  }

  dispatch(reader: string, partition: number, dispatch: Dispatch): void {
    this.#dispatches.set(`${reader}/${partition}`, dispatch);
  }

  dispatched(reader: string, partition: number): Dispatch | undefined {
    return this.#dispatches.get(`${reader}/${partition}`);
  }

  commit(
    reader: string,
    partition: number,
    position: number,
    deadLetters: readonly DeadLetterDraft[],
    nowMs: number,
  ): void {
    const positions = this.#positions.get(reader) ?? [];
    const dispatch = this.dispatched(reader, partition);
    if (dispatch !== undefined && dispatch.position <= position) this.#dispatches.delete(`${reader}/${partition}`);
    // A commit that is sent again after an unknown outcome (I12): what came with the first is stored.
    if (position <= (positions[partition] ?? 0)) return;
    positions[partition] = position;
    for (const letter of deadLetters) {
      const entry = this.entries.find(({ event }) => event.id === letter.entry.event.id);
      if (entry !== undefined)
        this.deadLetters.putRejected(reader, partition, { ...letter, entry }, entry.payload, nowMs);
    }
  }

  positionOf(reader: string, partition: number): number {
    return this.#positions.get(reader)?.[partition] ?? 0;
  }

  /** Entries that at least one reader has not settled, oldest first. Without a reader nobody has settled anything. */
  unsettled(): StoredEntry[] {
    if (this.readers.length === 0) return this.entries;
    const unread = new Set(this.readers.flatMap((reader) => this.#unread(reader)));
    return this.entries.filter((entry) => unread.has(entry));
  }

  stats(): LogStats {
    const open = this.unsettled();
    const readers = this.readers.map((reader) => {
      const unread = this.#unread(reader);
      return { reader, lag: unread.length, oldestAtMs: oldestAtMsOf(unread) };
    });
    return { ...sizeOf(open), oldestAtMs: oldestAtMsOf(open), readers, tenants: backlogsOf(open) };
  }

  /** From the front of each partition: an entry that stays keeps all that follow. */
  trim(rowsMax: number, beforeMs = Infinity): number {
    if (this.readers.length === 0) return 0; // nobody has settled anything
    const open = new Set(this.unsettled());
    const ended = new Set<number>();
    const trimmed = new Set<StoredEntry>();
    for (const entry of this.entries) {
      if (open.has(entry) || entry.observedAtMs >= beforeMs) ended.add(entry.partition);
      if (!ended.has(entry.partition) && trimmed.size < rowsMax) trimmed.add(entry);
    }
    this.entries = this.entries.filter((entry) => !trimmed.has(entry));
    return trimmed.size;
  }

  #accept({ event, payload }: SealedEvent, nowMs: number): boolean {
    if (this.#ids.has(event.id)) return false;
    this.#ids.add(event.id);
    this.#newest += 1; // never derived from what is left: a trimmed log would give out settled numbers again
    const partition = partitionOf(this.#secret, event.tenant, event.key);
    // Through JSON: what a reader gets is what was stored, not the caller's object.
    const stored = {
      position: this.#newest,
      observedAtMs: nowMs,
      partition,
      bytes: Buffer.byteLength(payload),
      payload,
      event: JSON.parse(payload) as typeof event,
    };
    this.entries.push(stored);
    this.deadLetters.resolveRaw(event, event.key);
    const state = this.stateOf(event);
    this.streams.set(streamKeyOf(event), { ...state, eventsTotal: state.eventsTotal + 1 });
    const id = JSON.stringify([streamKeyOf(event), event.key]);
    const known = this.entities.get(id);
    if (known === undefined || event.version > known.version) {
      this.entities.set(id, { of: event, key: event.key, version: event.version, deleted: event.op === 'delete' });
    }
    return true;
  }
}

/** Of the first entry of each partition the oldest: within a partition order counts, whatever a stepped clock has stamped. */
function oldestAtMsOf(entries: readonly StoredEntry[]): number | undefined {
  const first = new Map(entries.toReversed().map((entry) => [entry.partition, entry.observedAtMs]));
  return first.size === 0 ? undefined : Math.min(...first.values());
}

function sizeOf(entries: readonly StoredEntry[]): { readonly size: number; readonly bytes: number } {
  return { size: entries.length, bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0) };
}

function backlogsOf(entries: readonly StoredEntry[]): TenantBacklog[] {
  const byTenant = Map.groupBy(entries, ({ event }) => event.tenant);
  return [...byTenant].map(([tenant, own]) => ({ tenant, ...sizeOf(own) }));
}
