import type { Random } from '#core/env.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { Event } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { Sink, WriteResult } from '#core/sink.ts';
import { between, type Faults, type SinkKind } from './fault-plan.ts';
import type { History } from './history.ts';
import type { Life } from './life.ts';
import type { SimulatedStore } from './receiver.ts';
import type { VirtualTime } from './virtual-time.ts';

const FLUKES_MAX = 2; // failures that a healthy model shows for one event alone: more would look like the event's own fault
const POISON_RATIO = 0.05;
const KILL_RATIO = 0.02;
const TIMEOUT_MS = 10_000;
/** An event that the sink refuses for good, that fails each time, or that ends the process which writes it. */
type Poison = 'reject' | 'fail' | 'kill';
const WRITTEN: WriteResult = { outcome: 'written' };

/**
 * An external sink with the weaknesses of its kind. `strict`: one transaction a batch. `graph`: a transaction may run twice, and a timeout
 * hides what became of it. `vector`: what timed out may be applied long after newer writes. `receiver`: one request an event.
 */
export class SinkModel {
  readonly name: string;
  readonly store: SimulatedStore;
  readonly #kind: SinkKind;
  readonly #time: VirtualTime;
  readonly #history: History;
  readonly #chance: Random;
  readonly #faults: Faults;
  readonly #poison = new Map<string, Poison | undefined>();
  readonly #kill: () => void;
  /** One such event is enough: each costs a handful of deaths. */
  #killed = false;
  readonly #flukes = new Map<string, number>();
  #downUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    name: string;
    kind: SinkKind;
    store: SimulatedStore;
    /** Ends the process that writes. */
    kill: () => void;
    time: VirtualTime;
    chance: Random;
    faults: Faults;
    history: History;
  }) {
    this.#kind = options.kind;
    this.name = options.name;
    this.#time = options.time;
    this.#chance = options.chance;
    this.#faults = options.faults;
    this.#history = options.history;
    this.#kill = options.kill;
    this.store = options.store;
  }

  goDown(ms: number): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, this.#time.monotonic() + ms);
  }

  comeBack(): void {
    this.#downUntilMs = Number.NEGATIVE_INFINITY;
  }

  isPoison(id: string): boolean {
    return this.#poison.get(id) !== undefined;
  }

  /** The sink as one process sees it: its calls end with the process, what they did does not. */
  seenBy(life: Life): Sink {
    return {
      name: this.name,
      open: () => life.cross(`${this.name}.open`, () => this.#answer()),
      write: (entries) => life.cross(`${this.name}.write`, () => this.#write(entries)),
      ping: () => life.cross(`${this.name}.ping`, () => this.#answer()),
      close: () => Promise.resolve(),
    };
  }

  async #answer(): Promise<void> {
    await this.#time.wait(between(this.#chance, 1, 20));
    if (this.#time.monotonic() < this.#downUntilMs) throw new Fault('sink_unavailable', `${this.name} is down`);
  }

  async #write(entries: readonly LogEntry[]): Promise<readonly WriteResult[]> {
    const slow = this.#faults.strikes('sink_slow', this.#chance, 0.05);
    if (slow) await this.#time.wait(between(this.#chance, 1_000, 8_000));
    await this.#answer();
    if (entries.some(({ event }) => this.#poisonOf(event) === 'kill')) {
      this.#kill();
      await new Promise(() => undefined); // nobody is left to answer
    }
    const first = entries[0]?.event.id ?? '';
    if (this.#mayFluke(first)) {
      if (this.#faults.strikes('sink_timeout', this.#chance, 0.1)) return await this.#timeOut(entries);
      if (entries.length > 1 && this.#faults.strikes('sink_partial_batch', this.#chance, 0.1))
        return await this.#applySome(entries, between(this.#chance, 0, entries.length - 1));
    }
    return await this.#applySome(entries, entries.length);
  }

  /** Nobody knows what became of it: it may be applied, in part, or later than what is written next (I12). */
  async #timeOut(entries: readonly LogEntry[]): Promise<never> {
    this.#noteFluke(entries[0]?.event.id ?? '');
    const late = this.#kind === 'vector' && this.#faults.strikes('sink_late_write', this.#chance, 0.8);
    if (late)
      this.#time.after(TIMEOUT_MS + this.#chance.float() * 30_000, () => void this.#applySome(entries, entries.length));
    else if (this.#chance.float() < 0.6) await this.#applySome(entries, entries.length);
    await this.#time.wait(TIMEOUT_MS);
    throw new Fault('upstream_timeout', `${this.name} gave no answer within ${TIMEOUT_MS} ms`);
  }

  /** At most the first `count` are taken; what is not comes again. */
  async #applySome(entries: readonly LogEntry[], count: number): Promise<readonly WriteResult[]> {
    const failing = entries.findIndex(({ event }) => this.#poisonOf(event) === 'fail');
    // One transaction: an event that makes it fail takes the whole batch with it. One request an event: those before it are done.
    if (failing >= 0 && this.#kind !== 'receiver')
      return entries.map(() => retry(`${this.name}: the transaction failed`));
    const taken = entries.slice(0, failing < 0 ? count : Math.min(count, failing));
    const fit = taken.filter(({ event }) => this.#poisonOf(event) === undefined);
    for (const { event } of taken)
      if (!fit.some((one) => one.event === event)) this.#history.refused(this.name, event.id);
    for (const { event, position } of fit) this.#history.arrived(this.name, event, position);
    if (this.#kind === 'graph' && this.#faults.strikes('sink_repeated_transaction', this.#chance, 0.1))
      await this.store.write(fit);
    const results = [...(await this.store.write(fit))];
    return entries.map(({ event }, index): WriteResult => {
      if (index >= taken.length) return retry(`${this.name} takes no more now`);
      if (this.#poisonOf(event) === undefined) return results.shift() ?? WRITTEN;
      return { outcome: 'reject', fault: new Fault('sink_rejected', `${this.name} cannot take ${event.key}`) };
    });
  }

  #poisonOf(event: Event): Poison | undefined {
    if (!this.#poison.has(event.id)) {
      const poisoned = this.#faults.strikes('sink_poison_event', this.#chance, POISON_RATIO);
      const kills = !this.#killed && this.#faults.strikes('sink_event_kills', this.#chance, KILL_RATIO);
      if (kills) this.#killed = true;
      const usual = poisoned ? (this.#chance.float() < 0.5 ? 'reject' : 'fail') : undefined;
      this.#poison.set(event.id, kills ? 'kill' : usual);
    }
    return this.#poison.get(event.id);
  }

  #mayFluke(id: string): boolean {
    return (this.#flukes.get(id) ?? 0) < FLUKES_MAX;
  }

  #noteFluke(id: string): void {
    this.#flukes.set(id, (this.#flukes.get(id) ?? 0) + 1);
  }
}

function retry(message: string): WriteResult {
  return { outcome: 'retry', fault: new Fault('sink_unavailable', message) };
}
