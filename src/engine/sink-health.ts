import type { Env } from '#core/env.ts';
import type { LogEntry } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { callWithin, endedOrAborted } from './bounded-call.ts';
import { DELIVERY_LIMITS, OUTAGE_BACKOFF } from './delivery-limits.ts';

/** Why something does not go on, and since when (wall time). */
export interface Trouble {
  readonly sinceMs: number;
  readonly fault: Fault;
}

export interface SuspectView {
  readonly partition: number;
  readonly position: number;
  readonly key: string;
  readonly tenant: string;
  readonly attempts: number;
}

export interface SinkHealthOptions {
  readonly name: string;
  readonly env: Env;
  /** Absent for a sink in the store: its failures say themselves whether the store is out. */
  readonly ping?: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly onFault?: ((sink: string, fault: Fault, nextInMs: number) => void) | undefined;
}

/**
 * What all partitions of one sink know of it together: whether it is out, whether it refuses everything, who is suspected (ADR 0007).
 * A closed gate holds every partition; it is opened by the one prober, after a wait, or by an operator.
 */
export class SinkHealth {
  readonly #options: SinkHealthOptions;
  #stop: AbortSignal = AbortSignal.abort();
  #outage: Trouble | undefined;
  #refusal: Trouble | undefined;
  #gate: Promise<void> | undefined;
  #waits = 0; // since an event was taken
  #hurry = new AbortController(); // ends the wait that is going on
  #pinging: Promise<unknown> = Promise.resolve();
  #nextPing: Promise<Fault | undefined> | undefined;
  #lettersInRow = 0;
  #acceptUntilMs = Number.NEGATIVE_INFINITY;
  readonly #held = new Map<number | 'open', Trouble>();
  readonly #suspects = new Map<number, SuspectView>();

  constructor(options: SinkHealthOptions) {
    this.#options = options;
  }

  /** Called once before anything else: waits and pings end with `stop`. */
  begin(stop: AbortSignal): void {
    this.#stop = stop;
  }

  get closed(): boolean {
    return this.#gate !== undefined;
  }

  get refusing(): boolean {
    return this.#refusal !== undefined;
  }

  /** Resolves when the sink may be written to, or `signal` aborts. */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#gate !== undefined && !signal.aborted) await endedOrAborted(this.#gate, signal);
  }

  /** A write has failed: are its events suspected, or is it the sink's doing? After `sink` the gate is closed. */
  async judge(fault: Fault): Promise<'events' | 'sink'> {
    if (this.#outage !== undefined) return 'sink';
    // 429 is no illness and no event's fault: waiting is all that helps.
    if (fault.row.retry === 'at') return this.#endure(fault);
    const pingFault = await this.#ping();
    if (pingFault !== undefined) return this.#endure(pingFault);
    if (this.#refusal === undefined) return 'events';
    this.refuse();
    return 'sink';
  }

  /** The sink took an event: what was held against it is forgotten. */
  taken(): void {
    this.#lettersInRow = 0;
    this.#refusal = undefined;
    this.#waits = 0;
  }

  /** How many of these events, from the first, may become dead letters now; they count until `returned`. */
  allow(entries: readonly LogEntry[]): number {
    let allowed = 0;
    for (const { observedAtMs } of entries) {
      const accepted = observedAtMs <= this.#acceptUntilMs;
      if (!accepted && this.#lettersInRow >= DELIVERY_LIMITS.lettersInRowMax) break;
      if (!accepted) this.#lettersInRow += 1;
      allowed += 1;
    }
    return allowed;
  }

  /** Letters that were allowed and could not be stored. */
  returned(letters: number): void {
    this.#lettersInRow = Math.max(0, this.#lettersInRow - letters);
  }

  /** More letters in a row than a healthy sink has: no partition goes on before a wait; then each tries a whole batch. */
  refuse(): void {
    const { name, env } = this.#options;
    this.#refusal ??= {
      sinceMs: env.clock.now(),
      fault: new Fault(
        'sink_refuses_all',
        `sink ${name} took none of the last events; ${DELIVERY_LIMITS.lettersInRowMax} are dead letters, the others wait`,
        { details: { sink: name } },
      ),
    };
    const { fault } = this.#refusal;
    if (this.#gate === undefined) this.#close(this.#pause(fault));
  }

  /** For an operator who has repaired something, or who says that the events that are there now are bad, not the sink. */
  resume(acceptRejects: boolean): void {
    if (acceptRejects) {
      this.#acceptUntilMs = this.#options.env.clock.now();
      this.#lettersInRow = 0;
      this.#refusal = undefined;
    }
    this.#waits = 0;
    this.#hurry.abort();
  }

  /** One partition (or the opening of the sink) cannot go on, for a reason of its own. */
  hold(part: number | 'open', fault: Fault): void {
    this.#held.set(part, { sinceMs: this.#held.get(part)?.sinceMs ?? this.#options.env.clock.now(), fault });
  }

  goesOn(part: number | 'open'): void {
    this.#held.delete(part);
  }

  suspect(partition: number, entry: LogEntry | undefined, attempts: number): void {
    if (entry === undefined) this.#suspects.delete(partition);
    else {
      const { key, tenant } = entry.event;
      this.#suspects.set(partition, { partition, position: entry.position, key, tenant, attempts });
    }
  }

  view(): {
    readonly state: 'delivering' | 'waiting' | 'refusing';
    readonly trouble?: Trouble;
    readonly suspects: readonly SuspectView[];
  } {
    const suspects = [...this.#suspects.values()].toSorted((a, b) => a.partition - b.partition);
    const waiting = this.#outage ?? [...this.#held.values()].toSorted((a, b) => a.sinceMs - b.sinceMs)[0];
    if (this.#outage === undefined && this.#refusal !== undefined)
      return { state: 'refusing', trouble: this.#refusal, suspects };
    return waiting === undefined ? { state: 'delivering', suspects } : { state: 'waiting', trouble: waiting, suspects };
  }

  #endure(fault: Fault): 'sink' {
    if (this.#outage === undefined) {
      this.#outage = { sinceMs: this.#options.env.clock.now(), fault };
      const waiting = this.#gate ?? Promise.resolve(); // of a refusal
      this.#close(waiting.then(() => this.#probe(fault)));
    }
    return 'sink';
  }

  /** I6: the one prober. Touches no event, uses up no attempt, lasts as long as the outage. */
  async #probe(first: Fault): Promise<void> {
    let fault: Fault | undefined = first;
    // Unbounded on purpose: ends with `stop` or the first ping that succeeds; every pass waits.
    while (fault !== undefined && !this.#stop.aborted) {
      await this.#pause(fault);
      if (!this.#stop.aborted) fault = await this.#ping();
      if (fault !== undefined && this.#outage !== undefined) this.#outage = { ...this.#outage, fault };
    }
    this.#outage = undefined;
  }

  /** Closes the gate until `work` has ended. */
  #close(work: Promise<void>): void {
    const open = (): void => {
      if (this.#gate === gate) this.#gate = undefined;
    };
    const gate: Promise<void> = work.then(open, open);
    this.#gate = gate;
  }

  async #pause(fault: Fault): Promise<void> {
    const { name, env, onFault } = this.#options;
    const retryAfterMs = fault.retryAtMs === undefined ? 0 : Math.max(0, fault.retryAtMs - env.clock.now());
    const nextInMs = computeBackoffMs({
      attempt: this.#waits,
      policy: OUTAGE_BACKOFF,
      random: env.random,
      // A sink may ask for a day; it is looked at again sooner than that.
      retryAfterMs: Math.min(retryAfterMs, OUTAGE_BACKOFF.capMs),
    });
    this.#waits += 1;
    this.#hurry = new AbortController();
    const hurry = this.#hurry;
    const wake = (): void => hurry.abort();
    this.#stop.addEventListener('abort', wake, { once: true });
    if (this.#stop.aborted) wake();
    onFault?.(name, fault, nextInMs);
    await env.clock.sleep(nextInMs, hurry.signal);
    this.#stop.removeEventListener('abort', wake);
  }

  /**
   * Why the sink is out, or undefined. A ping that began before a failure proves nothing of it, so the next one answers, for all who
   * have asked by then; never two at once.
   */
  #ping(): Promise<Fault | undefined> {
    if (this.#options.ping === undefined) return Promise.resolve(undefined);
    this.#nextPing ??= this.#pinging.then(() => {
      this.#nextPing = undefined;
      const result = this.#pingNow();
      this.#pinging = result;
      return result;
    });
    return this.#nextPing;
  }

  async #pingNow(): Promise<Fault | undefined> {
    const { name, env, ping } = this.#options;
    if (ping === undefined) return undefined;
    const { pingMs, graceMs } = DELIVERY_LIMITS;
    const ended = await callWithin(env.clock, {
      what: `the ping of sink ${name}`,
      timeoutMs: pingMs,
      graceMs,
      stop: this.#stop,
      call: ping,
    });
    if (ended.state === 'value') return undefined;
    if (ended.state === 'hanging') await endedOrAborted(ended.back, this.#stop);
    return ended.fault;
  }
}
