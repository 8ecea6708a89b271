import type { Random } from '#core/env.ts';
import { simulatedRandom } from '../simulated-random.ts';

/** Everything that can go wrong in a simulated world. A seed takes a random part of it; each kind is counted when it happens. */
export const FAULT_KINDS = [
  'process_crash', // between any two awaits; what is committed stays
  'process_crash_in_write', // while an external sink is being written
  'worker_death', // one of two workers on one store ends
  'worker_pause', // longer than a lease: it comes back as a zombie
  'clock_step', // of wall time, forwards or backwards
  'disk_full',
  'disk_error', // an I/O error at COMMIT, after or before it took effect: the process must end
  'storage_unknown', // the answer to an append or a commit is lost
  'upstream_rate_limit',
  'upstream_error',
  'upstream_timeout',
  'upstream_truncated',
  'upstream_cursor_expired',
  'upstream_late_row', // becomes visible after later ones
  'upstream_bad_record',
  'upstream_echoes_secret', // an error message that holds the credential
  'send_duplicate',
  'send_reordered',
  'sink_outage',
  'sink_timeout', // the write may have happened
  'sink_late_write', // what timed out is applied much later
  'sink_partial_batch',
  'sink_slow',
  'sink_poison_event', // refused for good, or failing each time
  'sink_event_kills', // ends the process each time it is written
  'sink_repeated_transaction',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const SINK_KINDS = ['strict', 'graph', 'vector', 'receiver'] as const;
export type SinkKind = (typeof SINK_KINDS)[number];

/** `safety`: faults until the end, only what must never happen is judged. `liveness`: faults stop, then all must arrive. */
export type SimulationMode = 'safety' | 'liveness';

/** Everything a seed decides before time begins; a smaller plan is a simpler story. */
export interface SimulationPlan {
  readonly seed: number;
  readonly mode: SimulationMode;
  readonly faults: readonly FaultKind[];
  /** Workers on one store, each with its own scheduler and delivery. */
  readonly workers: number;
  readonly tenants: number;
  /** Connections of each tenant. */
  readonly connections: number;
  /** Senders of webhooks over all tenants. */
  readonly senders: number;
  readonly sinks: readonly SinkKind[];
  /** Changes upstream and sent events, in all. */
  readonly events: number;
  /** Virtual time during which things change and fail. */
  readonly troubleMs: number;
  /** Ends the process at this await and at no other; counted from 1 over all seams. */
  readonly crashAtAwait?: number;
}

export function planOf(seed: number, overrides: Partial<SimulationPlan> = {}): SimulationPlan {
  const chance = chanceOf(seed, 'plan');
  const share = [0, 0.15, 0.4, 0.8][Math.floor(chance.float() * 4)] ?? 0.4;
  const faults = FAULT_KINDS.filter(() => chance.float() < share);
  const sinks = SINK_KINDS.filter(() => chance.float() < 0.25);
  const sleeps = faults.includes('worker_pause');
  return {
    seed,
    mode: chance.float() < 0.5 ? 'liveness' : 'safety',
    faults,
    // Only a second worker takes over what a sleeping one holds.
    workers: chance.float() < (sleeps ? 0.4 : 0.12) ? 2 : 1,
    tenants: between(chance, 1, 3),
    connections: chance.float() < 0.3 ? 2 : 1,
    senders: between(chance, 0, 3),
    sinks,
    events: between(chance, 6, 60),
    // Who sleeps for longer than a lease must wake up before the end, or it has done no harm.
    troubleMs: between(chance, 15_000, 45_000) + (sleeps ? 55_000 : 0),
    ...overrides,
  };
}

/** Chance of one part of the world: dropping another part leaves it as it was. */
export function chanceOf(seed: number, part: string): Random {
  let mixed = seed | 0;
  for (let index = 0; index < part.length; index += 1)
    mixed = Math.imul(mixed ^ part.charCodeAt(index), 0x9e3779b1) ^ (mixed >>> 15);
  return simulatedRandom(mixed);
}

export function between(chance: Random, least: number, most: number): number {
  return least + Math.floor(chance.float() * (most - least + 1));
}

export function oneOf<T>(chance: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(chance.float() * items.length)];
}

/** Which faults are switched on, how often each has happened, and whether they have stopped. */
export class Faults {
  readonly #on: ReadonlySet<FaultKind>;
  readonly counts = new Map<FaultKind, number>();
  readonly #tell: (kind: FaultKind) => void;
  #stopped = false;

  constructor(kinds: readonly FaultKind[], tell: (kind: FaultKind) => void) {
    this.#on = new Set(kinds);
    this.#tell = tell;
  }

  has(kind: FaultKind): boolean {
    return !this.#stopped && this.#on.has(kind);
  }

  /** True with the given chance when the kind is switched on; then it is counted: the caller makes it happen. */
  strikes(kind: FaultKind, chance: Random, probability: number): boolean {
    // Chance is drawn whether or not the kind is on, so that dropping it changes nothing else.
    const hit = chance.float() < probability;
    if (!hit || !this.has(kind)) return false;
    this.count(kind);
    return true;
  }

  count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#tell(kind);
  }

  stop(): void {
    this.#stopped = true;
  }
}
