import type { Event } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { WriteResult } from '#core/sink.ts';
import type { History } from './history.ts';

export interface HeldEntity {
  readonly version: number;
  readonly deleted: boolean;
}

/** Where a simulated sink writes to: it outlives the process, and shows at the end what it holds. */
export interface SimulatedStore {
  /** A healthy write, as `Sink.write`; the simulation adds what goes wrong around it. Must not depend on time passing. */
  write(entries: readonly LogEntry[]): Promise<readonly WriteResult[]>;
  /** By `entityOf` of their events, tombstones included. */
  held(): ReadonlyMap<string, HeldEntity>;
}

/** Which entity an event is about, over all tenants. */
export function entityOf(event: Event): string {
  return `${event.tenant}/${event.connection}/${event.stream}/${event.key}`;
}

/** An external store of our own: rows by entity, guarded by version. */
export class Receiver implements SimulatedStore {
  readonly #name: string;
  readonly #rows = new Map<string, HeldEntity & { readonly id: string }>();
  readonly #effects = new Set<string>();
  readonly #history: History;

  constructor(name: string, history: History) {
    this.#name = name;
    this.#history = history;
  }

  write(entries: readonly LogEntry[]): Promise<readonly WriteResult[]> {
    return Promise.resolve(entries.map(({ event }) => ({ outcome: this.#put(event) })));
  }

  held(): ReadonlyMap<string, HeldEntity> {
    return this.#rows;
  }

  /** I4: only a higher version changes anything. The check and the change are one step, as with a filter inside the write. */
  #put(event: Event): 'written' | 'stale' {
    const entity = entityOf(event);
    const known = this.#rows.get(entity);
    if (known !== undefined && known.version >= event.version) return known.id === event.id ? 'written' : 'stale';
    this.#rows.set(entity, { version: event.version, id: event.id, deleted: event.op === 'delete' });
    // Judged apart from the guard above, so that a guard that is gone shows.
    if (this.#effects.has(event.id))
      this.#history.violate('one effect per event', `${this.#name} was changed twice by ${event.id}`);
    if ((known?.version ?? -1) > event.version)
      this.#history.violate(
        'order',
        `${this.#name} went from version ${known?.version} of ${entity} back to ${event.version}`,
      );
    this.#effects.add(event.id);
    return 'written';
  }
}
