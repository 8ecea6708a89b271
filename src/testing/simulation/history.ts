import type { Page } from '#core/connector.ts';
import { sealEvent, type Event, type SealedEvent } from '#core/event.ts';
import type { DeadLetterDraft, LogEntry } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import type { StreamRef } from '#core/names.ts';
import { partitionOf } from '#core/partition.ts';
import { entityOf } from './receiver.ts';
import { CONNECTOR_TYPE } from './upstream.ts';
import type { Trace } from './trace.ts';

export interface Violation {
  readonly rule: string;
  readonly what: string;
}

interface Place {
  readonly partition: number;
  readonly position: number;
}

export function pageKey({ tenant, connection, stream }: StreamRef, cursor: string): string {
  return `${tenant}/${connection}/${stream} ${cursor}`;
}

const VIOLATIONS_MAX = 20;

/**
 * What happened, written down outside of the system: what was offered and acknowledged, where it stood in the log, what reached whom and
 * what was given up. Judges at once what a single moment can break; the rest is judged at the end.
 */
export class History {
  readonly partitionSecret: string;
  readonly trace: Trace;
  readonly violations: Violation[] = [];
  readonly offered = new Map<string, SealedEvent>();
  readonly acknowledged = new Set<string>();
  readonly places = new Map<string, Place>();
  /** Ids by partition and position, once somebody has seen them there. */
  readonly #idsAt = new Map<string, string>();
  /** Versions of one entity in log order. */
  readonly #entriesOf = new Map<string, Map<number, string>>();
  readonly #received = new Map<string, Set<string>>();
  /** Ids of dead letters by sink. */
  readonly dead = new Map<string, Set<string>>();
  readonly #refused = new Set<string>();
  readonly #positions = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  /** Ids of the newest page that brought a cursor, by stream and cursor. */
  readonly pages = new Map<string, readonly string[]>();
  /** Everything that people could read. */
  readonly outputs: string[] = [];

  constructor(trace: Trace, partitionSecret: string) {
    this.trace = trace;
    this.partitionSecret = partitionSecret;
  }

  violate(rule: string, what: string): void {
    this.trace.add(`VIOLATION ${rule}: ${what}`);
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push({ rule, what });
  }

  offer(events: readonly SealedEvent[]): void {
    for (const sealed of events) this.offered.set(sealed.event.id, sealed);
  }

  /** A connector gave a page to its puller. */
  served(of: StreamRef, page: Page<JsonValue>): void {
    const sealed = page.events.map((draft) => sealEvent({ ...of, connector: CONNECTOR_TYPE }, draft).event.id);
    this.pages.set(pageKey(of, JSON.stringify(page.cursor)), sealed);
  }

  acknowledge(events: readonly SealedEvent[]): void {
    for (const { event } of events) this.acknowledged.add(event.id);
  }

  /** A lease was given: from now on only its token may move the partition. */
  granted(lease: string, token: number): void {
    const known = this.#tokens.get(lease) ?? 0;
    if (token <= known) this.violate('fences grow', `${lease} was given ${token} after ${known}`);
    this.#tokens.set(lease, token);
  }

  read(partition: number, entries: readonly LogEntry[]): void {
    for (const { event, position } of entries) {
      if (this.places.has(event.id)) continue;
      if (partitionOf(this.partitionSecret, event.tenant, event.key) !== partition)
        this.violate('order', `${event.id} stands in partition ${partition}, which is not its own`);
      this.#checkOffered('the log', event);
      this.places.set(event.id, { partition, position });
      this.#idsAt.set(`${partition}/${position}`, event.id);
      const entity = entityOf(event);
      const entries = this.#entriesOf.get(entity) ?? new Map<number, string>();
      entries.set(position, event.id);
      this.#entriesOf.set(entity, entries);
    }
  }

  arrived(sink: string, event: Event, position: number): void {
    const received = this.receivedBy(sink);
    this.#checkOffered(sink, event);
    if (!received.has(event.id)) {
      for (const [earlier, id] of this.#entriesOf.get(entityOf(event)) ?? [])
        if (earlier < position && !received.has(id) && !this.isDead(sink, id) && !this.#refused.has(`${sink} ${id}`))
          this.violate('order', `${sink} got entry ${position} of ${entityOf(event)} before entry ${earlier}`);
    }
    received.add(event.id);
  }

  receivedBy(sink: string): Set<string> {
    let received = this.#received.get(sink);
    if (received === undefined) this.#received.set(sink, (received = new Set()));
    return received;
  }

  /** A sink has said that it never takes the event: nothing has to wait for it. */
  refused(sink: string, id: string): void {
    this.#refused.add(`${sink} ${id}`);
  }

  gaveUp(sink: string, id: string): void {
    const dead = this.dead.get(sink) ?? new Set();
    this.dead.set(sink, dead.add(id));
  }

  isDead(sink: string, id: string): boolean {
    return this.dead.get(sink)?.has(id) === true;
  }

  /** A position moved. `token` proved the ownership. */
  committed(
    sink: string,
    partition: number,
    position: number,
    token: number,
    letters: readonly DeadLetterDraft[] | 'built-in',
  ): void {
    const lease = `deliver:${sink}/${partition}`;
    if (token < (this.#tokens.get(lease) ?? 0))
      this.violate('fence', `${lease} was committed by ${token}, an owner of the past`);
    const known = this.positionOf(sink, partition);
    if (letters !== 'built-in') {
      for (const letter of letters) this.gaveUp(sink, letter.entry.event.id);
      for (let at = known + 1; at <= position; at += 1) {
        const id = this.#idsAt.get(`${partition}/${at}`);
        if (id === undefined || (!this.receivedBy(sink).has(id) && !this.isDead(sink, id)))
          this.violate(
            'position',
            `${sink} passed entry ${at} of partition ${partition} (${id ?? 'never read'}), which it has not got`,
          );
      }
    }
    this.#positions.set(`${sink}/${partition}`, Math.max(known, position));
  }

  positionOf(sink: string, partition: number): number {
    return this.#positions.get(`${sink}/${partition}`) ?? 0;
  }

  #checkOffered(place: string, event: Event): void {
    const offered = this.offered.get(event.id);
    if (offered === undefined)
      this.violate('phantom', `${place} holds ${event.id} of ${entityOf(event)}, which nobody has offered`);
    else if (offered.payload !== JSON.stringify(event))
      this.violate('phantom', `${place} holds ${event.id} with another content`);
  }
}
