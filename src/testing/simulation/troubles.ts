import type { Random } from '#core/env.ts';
import { between, chanceOf, oneOf, type Faults, type SimulationPlan } from './fault-plan.ts';
import type { Life } from './life.ts';
import type { ProcessWorld } from './process-world.ts';
import type { SinkModel } from './sink-models.ts';
import type { VirtualTime } from './virtual-time.ts';

const RESTART_MS_MAX = 15_000;
const PAUSE_MS_MAX = 95_000; // a lease lasts 60 s
const ZOMBIE_MS_MIN = 62_000;
const ZOMBIE_MS_MAX = 75_000;
const IN_HAND = /^[a-z]+\.(write|apply|commit|append)$/;
const OUTAGE_MS_MAX = 60_000;
const CLOCK_STEP_MS_MAX = 2 * 60_000;
const CLOCK_LEAP_MS_MAX = 12 * 60 * 60_000; // ids are remembered for 30 days of wall time
const GAP_AWAITS_MAX = 1_500; // busy awaits between two deaths or pauses
const LOOK_MS = 1_000;
/** Awaits that happen all the time whether or not there is work: a death there is seldom worth a run. */
const IDLE_SEAMS = new Set([
  'leases.acquire',
  'leases.renew',
  'log.wait',
  'log.stats',
  'log.register',
  'letters.count',
]);
const IDLE_WEIGHT = 0.02;

interface Seam {
  readonly weight: number;
  readonly inHand: boolean;
  readonly isWrite: boolean;
}
const SEAMS = new Map<string, Seam>();

/** What a seam's name says about it; asked at every await. */
function seamOf(name: string): Seam {
  let seam = SEAMS.get(name);
  if (seam === undefined) {
    const weight = IDLE_SEAMS.has(name) ? IDLE_WEIGHT : 1;
    SEAMS.set(name, (seam = { weight, inHand: IN_HAND.test(name), isWrite: name.endsWith('.write') }));
  }
  return seam;
}

/** What strikes the process from outside: deaths and pauses at awaits, and the disk, the clock and the sinks over time. */
export class Troubles {
  readonly #plan: SimulationPlan;
  readonly #time: VirtualTime;
  readonly #faults: Faults;
  readonly #chance: Random;
  readonly #sinks: readonly SinkModel[];
  #awaits = 0;
  #busyUntilNext: number;
  #world: ProcessWorld | undefined;
  #stopped = false;
  #turnsToDeath = 0;
  deaths = 0;

  constructor(options: { plan: SimulationPlan; time: VirtualTime; faults: Faults; sinks: readonly SinkModel[] }) {
    this.#plan = options.plan;
    this.#time = options.time;
    this.#faults = options.faults;
    this.#sinks = options.sinks;
    this.#chance = chanceOf(options.plan.seed, 'troubles');
    this.#busyUntilNext = this.#gap();
  }

  /** How many awaits at seams there have been. */
  get awaits(): number {
    return this.#awaits;
  }

  strike(world: ProcessWorld): void {
    this.#world = world;
  }

  /** Told of every await at a seam of a worker. */
  readonly crossing = (life: Life, seam: string): void => {
    this.#awaits += 1;
    if (seam === 'turn' && this.#turnsToDeath > 0 && (this.#turnsToDeath -= 1) === 0 && !this.#stopped) {
      this.#faults.count('process_crash');
      return this.killProcess();
    }
    if (this.#plan.crashAtAwait !== undefined) {
      if (this.#awaits === this.#plan.crashAtAwait) this.killProcess();
      return;
    }
    if (this.#stopped) return;
    const { weight, inHand, isWrite } = seamOf(seam);
    if (isWrite && this.#faults.strikes('process_crash_in_write', this.#chance, 0.01)) return this.killProcess();
    // Asleep with work in hand, and awake when somebody else owns it: what a fence is for.
    if (inHand && this.#faults.strikes('worker_pause', this.#chance, 0.04))
      life.pauseFor(between(this.#chance, ZOMBIE_MS_MIN, ZOMBIE_MS_MAX));
    this.#busyUntilNext -= weight;
    if (this.#busyUntilNext > 0) return;
    this.#busyUntilNext = this.#gap();
    this.#strikeAt(life);
  };

  /** Something is about to be committed that must be one with something else: a death between the two would show that it is not. */
  readonly atStake = (probability: number): void => {
    if (this.#chance.float() < probability && this.#faults.has('process_crash'))
      this.#turnsToDeath = between(this.#chance, 1, 4);
  };

  /** Runs beside the world: what comes with time and not with an await. */
  async run(): Promise<void> {
    const chance = this.#chance;
    const world = this.#world;
    if (world === undefined) return;
    for (;;) {
      await this.#time.wait(LOOK_MS);
      if (this.#stopped) return;
      if (this.#faults.strikes('clock_step', chance, 0.04)) this.#stepClock();
      if (world.alive && this.#faults.strikes('disk_full', chance, 0.02)) {
        world.disk.fill();
        this.#time.after(between(chance, 1_000, 20_000), () => world.disk.free());
      }
      if (this.#faults.has('disk_error') && chance.float() < 0.01) world.disk.failNextCommit();
      for (const sink of this.#sinks)
        if (this.#faults.strikes('sink_outage', chance, 0.03)) sink.goDown(between(chance, 500, OUTAGE_MS_MAX));
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#world?.disk.free();
    for (const sink of this.#sinks) sink.comeBack();
  }

  #stepClock(): void {
    const mostMs = this.#chance.float() < 0.4 ? CLOCK_LEAP_MS_MAX : CLOCK_STEP_MS_MAX;
    this.#time.stepWall((this.#chance.float() * 2 - 1) * mostMs);
  }

  #gap(): number {
    return between(this.#chance, 1, GAP_AWAITS_MAX);
  }

  #strikeAt(life: Life): void {
    const worker = this.#world?.workers.find((one) => one.life === life);
    // The storage itself, between two commits, ends only with everything else.
    const possible =
      worker === undefined
        ? (['process_crash'] as const)
        : (['process_crash', 'worker_death', 'worker_pause'] as const);
    const kind = oneOf(
      this.#chance,
      possible.filter((one) => this.#faults.has(one)),
    );
    if (kind === undefined) return;
    if (kind === 'worker_pause') {
      this.#faults.count(kind);
      life.pauseFor(between(this.#chance, 500, PAUSE_MS_MAX));
    } else if (kind === 'worker_death' && this.#plan.workers > 1 && worker !== undefined) {
      this.#faults.count(kind);
      this.#world?.replace(worker);
    } else if (kind === 'process_crash') {
      this.#faults.count(kind);
      this.killProcess();
    }
  }

  killProcess(): void {
    const world = this.#world;
    if (world?.alive !== true) return;
    this.deaths += 1;
    world.die();
    this.restart(this.#chance.float() * RESTART_MS_MAX);
  }

  /** Whoever supervises the process starts it again, and again when the start fails. */
  restart(afterMs: number): void {
    const world = this.#world;
    this.#time.after(afterMs, () => {
      world?.start().catch((error: unknown) => {
        world.note(`a start failed: ${String(error)}`);
        if (!world.alive) return;
        world.die();
        this.restart(5_000);
      });
    });
  }
}
