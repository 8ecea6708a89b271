// The reference that engines are compared with (P13): the event log and the leases as plain lists and maps, without
// durability, concurrency or speed. Short enough to be read as the definition of what an engine must do.

import type { SealedEvent } from '#core/event.ts';
import type { AppendBatch, AppendResult, DeadLetterDraft, LogEntry, LogStats } from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import type { StreamRef } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { DeadLetter, StreamState } from '#core/store.ts';

interface Holding {
  readonly owner: string;
  readonly token: number;
  readonly untilMs: number;
  /** `carried`: held when the engine was restarted; an engine may end such leases at its start or let them run out. */
  readonly state: 'held' | 'carried' | 'released';
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
    if (holding === undefined || holding.state === 'released' || holding.untilMs < nowMs) return 'free';
    return holding.state === 'carried' ? 'carried' : 'taken';
  }

  /** `lapsed`: newest fence of its name but no longer running; nobody else owns it, so an engine may still accept it. */
  standing(fence: Fence, nowMs: number): 'valid' | 'lapsed' | 'outdated' {
    const holding = this.#holdings.get(fence.lease);
    if (holding?.token !== fence.token) return 'outdated';
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
    if (holding?.token === fence.token) this.#holdings.set(fence.lease, { ...holding, state: 'released' });
  }

  restart(): void {
    for (const [name, holding] of this.#holdings)
      if (holding.state === 'held') this.#holdings.set(name, { ...holding, state: 'carried' });
  }
}

export interface StoredEntry extends LogEntry {
  readonly partition: number;
  readonly bytes: number;
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
  #newest = 0;
  entries: StoredEntry[] = [];
  readonly #letters = new Map<string, DeadLetter>();
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
      for (const failure of failures)
        this.#keep(failure.key, { ...checkpoint.stream, stage: 'pull', attempts: 1, ...failure }, nowMs);
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

  register(reader: string): void {
    // 0 is before every entry: a new reader begins at the oldest one that is still there.
    if (!this.#positions.has(reader))
      this.#positions.set(
        reader,
        Array.from({ length: PARTITIONS }, () => 0),
      );
  }

  get readers(): readonly string[] {
    return [...this.#positions.keys()];
  }

  read(reader: string, partition: number, limit: number): StoredEntry[] {
    const position = this.positionOf(reader, partition);
    return this.entries.filter((entry) => entry.partition === partition && entry.position > position).slice(0, limit);
  }

  commit(
    reader: string,
    partition: number,
    position: number,
    deadLetters: readonly DeadLetterDraft[],
    nowMs: number,
  ): void {
    const positions = this.#positions.get(reader) ?? [];
    positions[partition] = Math.max(position, positions[partition] ?? 0);
    for (const { entry, ...letter } of deadLetters) {
      const { tenant, connection, stream, key } = entry.event;
      this.#keep(entry.event.id, { tenant, connection, stream, key, stage: reader, ...letter }, nowMs);
    }
  }

  positionOf(reader: string, partition: number): number {
    return this.#positions.get(reader)?.[partition] ?? 0;
  }

  get deadLetters(): readonly DeadLetter[] {
    return [...this.#letters.values()];
  }

  /** Entries that at least one reader has not settled, oldest first. */
  unsettled(): StoredEntry[] {
    return this.entries.filter((entry) =>
      this.readers.some((reader) => entry.position > this.positionOf(reader, entry.partition)),
    );
  }

  stats(): LogStats {
    const open = this.unsettled();
    const lagOf = (reader: string) =>
      this.entries.filter((entry) => entry.position > this.positionOf(reader, entry.partition)).length;
    return {
      size: open.length,
      bytes: open.reduce((sum, entry) => sum + entry.bytes, 0),
      oldestAtMs: open[0]?.observedAtMs,
      readers: this.readers.map((reader) => ({ reader, lag: lagOf(reader) })),
    };
  }

  trim(rowsMax: number): number {
    if (this.readers.length === 0) return 0; // nobody has settled anything
    const open = new Set(this.unsettled());
    const settled = new Set(this.entries.filter((entry) => !open.has(entry)).slice(0, rowsMax));
    this.entries = this.entries.filter((entry) => !settled.has(entry));
    return settled.size;
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
      event: JSON.parse(payload) as typeof event,
    };
    this.entries.push(stored);
    const state = this.stateOf(event);
    this.streams.set(streamKeyOf(event), { ...state, eventsTotal: state.eventsTotal + 1 });
    const id = JSON.stringify([streamKeyOf(event), event.key]);
    const known = this.entities.get(id);
    if (known === undefined || event.version > known.version) {
      this.entities.set(id, { of: event, key: event.key, version: event.version, deleted: event.op === 'delete' });
    }
    return true;
  }

  // One letter per event and stage: a commit that is sent again after an unknown outcome (I12) adds nothing.
  #keep(identity: string, letter: Omit<DeadLetter, 'id' | 'firstAtMs' | 'lastAtMs'>, nowMs: number): void {
    const { tenant, connection, stream, stage, key, code, message, attempts } = letter;
    const id = JSON.stringify([streamKeyOf(letter), stage, identity]);
    const known = this.#letters.get(id);
    const row = { tenant, connection, stream, stage, key, code, message, lastAtMs: nowMs };
    const first = known ?? { id: this.#letters.size + 1, firstAtMs: nowMs, attempts };
    this.#letters.set(id, {
      ...row,
      id: first.id,
      firstAtMs: first.firstAtMs,
      attempts: Math.max(first.attempts, attempts),
    });
  }
}
