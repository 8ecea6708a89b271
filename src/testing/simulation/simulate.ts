import type { Connector } from '#core/connector.ts';
import { versionOfCounter } from '#core/event.ts';
import { checkHistory } from './check-history.ts';
import {
  between,
  chanceOf,
  Faults,
  oneOf,
  planOf,
  type FaultKind,
  type SimulationPlan,
  type SinkKind,
} from './fault-plan.ts';
import { History, type Violation } from './history.ts';
import { ProcessWorld } from './process-world.ts';
import { Receiver, type SimulatedStore } from './receiver.ts';
import { Sender } from './senders.ts';
import { SinkModel } from './sink-models.ts';
import { Trace } from './trace.ts';
import { Troubles } from './troubles.ts';
import { SECRET, STREAM, Upstream } from './upstream.ts';
import { VirtualTime } from './virtual-time.ts';

export const SIMULATION_LIMITS = {
  stepsMax: 1_000_000, // of one world: more is a world that spins
  settleMs: 10 * 60_000, // virtual time in which everything must arrive once faults have stopped
  lookMs: 2_000, // how often it is looked at whether everything has arrived
} as const;

const BURST_MAX = 12; // events of one moment

export interface SimulationResult {
  readonly plan: SimulationPlan;
  /** Empty: every promise was kept. */
  readonly violations: readonly Violation[];
  /** The same for every run of the same plan. */
  readonly traceHash: string;
  /** The newest lines of what happened. */
  readonly trace: readonly string[];
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Awaits at seams: what `crashAtAwait` counts. */
  readonly awaits: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly steps: number;
}

/** What a simulation runs besides its own systems: made anew for each run, for it holds what this run has done. */
export interface SimulationParts {
  /** Sinks by name, and with the weaknesses of which kind they are treated. */
  readonly sinks?: Readonly<Record<string, { readonly kind: SinkKind; readonly store: SimulatedStore }>>;
  /** Connectors that reach their system through `ctx.call` and not over a real network, by connection; each belongs to tenant `t1`. */
  readonly connectors?: Readonly<Record<string, Connector>>;
}

/** Runs one world from a seed, with the real engine on the real SQLite in memory, and judges what it did. Never throws for what it finds. */
export function simulate(
  seed: number,
  overrides: Partial<SimulationPlan> = {},
  parts: SimulationParts = {},
): Promise<SimulationResult> {
  return simulatePlan(planOf(seed, overrides), parts);
}

export async function simulatePlan(plan: SimulationPlan, parts: SimulationParts = {}): Promise<SimulationResult> {
  const world = new World(plan, parts);
  try {
    return await world.run();
  } finally {
    world.close();
  }
}

class World {
  readonly #plan: SimulationPlan;
  readonly #time: VirtualTime;
  readonly #trace = new Trace();
  readonly #history: History;
  readonly #faults: Faults;
  readonly #upstreams: readonly Upstream[];
  readonly #sinks: readonly SinkModel[];
  readonly #senders: readonly Sender[];
  readonly #troubles: Troubles;
  readonly #process: ProcessWorld;

  constructor(plan: SimulationPlan, parts: SimulationParts) {
    const { seed } = plan;
    this.#plan = plan;
    const time = new VirtualTime(chanceOf(seed, 'time'));
    const history = new History(this.#trace, `secret of ${seed}`);
    const faults = new Faults(plan.faults, (kind) => this.#trace.add(`${time.monotonic()} ${kind}`));
    const refs = Array.from({ length: plan.tenants * plan.connections }, (_, index) => ({
      tenant: `t${(index % plan.tenants) + 1}`,
      connection: `c${Math.floor(index / plan.tenants) + 1}`,
      stream: STREAM,
    }));
    this.#upstreams = refs.map(
      (of) => new Upstream({ of, time, faults, chance: chanceOf(seed, `upstream ${of.tenant} ${of.connection}`) }),
    );
    const kinds = Object.fromEntries(plan.sinks.map((kind) => [kind, { kind, store: new Receiver(kind, history) }]));
    this.#sinks = Object.entries({ ...kinds, ...parts.sinks }).map(
      ([name, { kind, store }]) =>
        new SinkModel({
          name,
          kind,
          store,
          time,
          faults,
          history,
          kill: () => this.#troubles.killProcess(),
          chance: chanceOf(seed, `sink ${name}`),
        }),
    );
    this.#troubles = new Troubles({ plan, time, faults, sinks: this.#sinks });
    this.#process = new ProcessWorld({
      plan,
      time,
      faults,
      history,
      upstreams: this.#upstreams,
      sinks: this.#sinks,
      connectors: parts.connectors ?? {},
      onCrossing: this.#troubles.crossing,
      atStake: this.#troubles.atStake,
    });
    this.#senders = this.#upstreams.slice(0, plan.senders).map(
      (upstream, index) =>
        new Sender({
          time,
          faults,
          history,
          upstream,
          chance: chanceOf(seed, `sender ${index}`),
          workers: () => this.#process.workers,
        }),
    );
    this.#time = time;
    this.#history = history;
    this.#faults = faults;
  }

  async run(): Promise<SimulationResult> {
    const { troubleMs, mode } = this.#plan;
    this.#troubles.strike(this.#process);
    this.#troubles.restart(0);
    void this.#troubles.run();
    for (const sender of this.#senders) void sender.run();
    this.#planChanges();
    await this.#runUntil(troubleMs);
    let drained = false;
    if (mode === 'liveness') {
      this.#faults.stop();
      this.#troubles.stop();
      drained = await this.#settle();
    }
    this.#process.die();
    const { disk } = this.#process;
    const store = this.#process.storeAfterwards();
    if (store !== undefined)
      await checkHistory({
        history: this.#history,
        disk,
        store,
        tenants: [...new Set(this.#upstreams.map(({ of }) => of.tenant))],
        sinks: this.#sinks,
        secret: SECRET,
        deaths: this.#troubles.deaths,
        drained,
      });
    return this.#result();
  }

  close(): void {
    this.#process.close();
  }

  #result(): SimulationResult {
    for (const line of this.#history.outputs) this.#trace.add(line);
    return {
      plan: this.#plan,
      violations: this.#history.violations,
      traceHash: this.#trace.hash,
      trace: this.#trace.lines,
      faults: Object.fromEntries(this.#faults.counts),
      awaits: this.#troubles.awaits,
      events: this.#history.places.size,
      virtualMs: this.#time.monotonic(),
      steps: this.#time.steps,
    };
  }

  /** What happens upstream is decided before anything fails, so that dropping a fault leaves it as it is. */
  #planChanges(): void {
    const chance = chanceOf(this.#plan.seed, 'changes');
    for (let left = this.#plan.events; left > 0;) {
      const atMs = between(chance, 0, Math.floor(this.#plan.troubleMs * 0.9));
      const upstream = oneOf(chance, this.#upstreams);
      const sender = chance.float() < 0.2 ? oneOf(chance, this.#senders) : undefined;
      const burst = Math.min(left, between(chance, 1, BURST_MAX));
      left -= burst;
      this.#time.at(atMs, () => (sender === undefined ? upstream?.change(burst) : sender.signal(burst)));
    }
  }

  /** False: the world spins without time passing. */
  async #runUntil(untilMs: number): Promise<boolean> {
    const { stepsMax } = SIMULATION_LIMITS;
    while (await this.#time.step(untilMs)) {
      // A disk that cannot be trusted ends the process, as main does.
      if (this.#process.alive && this.#process.storage?.broken() !== undefined) this.#troubles.killProcess();
      if (this.#time.steps < stepsMax) continue;
      this.#history.violate('no hang', `${stepsMax} steps in ${this.#time.monotonic()} ms of virtual time`);
      return false;
    }
    return true;
  }

  async #settle(): Promise<boolean> {
    const endMs = this.#time.monotonic() + SIMULATION_LIMITS.settleMs;
    for (let waitsFor: string | undefined = 'the first look'; ;) {
      if (this.#time.monotonic() >= endMs) {
        this.#history.violate(
          'everything arrives',
          `${SIMULATION_LIMITS.settleMs / 60_000} minutes after the last fault: ${waitsFor}`,
        );
        return false;
      }
      if (!(await this.#runUntil(this.#time.monotonic() + SIMULATION_LIMITS.lookMs))) return false;
      waitsFor = this.#unsettled();
      if (waitsFor === undefined) return true;
    }
  }

  /** What has not arrived yet, in words. */
  #unsettled(): string | undefined {
    if (!this.#process.alive) return 'the process does not run';
    const waiting = this.#senders.reduce((sum, sender) => sum + sender.waiting, 0);
    if (waiting > 0) return `${waiting} deliveries are not acknowledged`;
    const behind = this.#process.disk.rows(
      'SELECT reader, position.part AS part, head.n - position.n AS lag FROM position JOIN head USING (part) WHERE position.n < head.n',
    )[0];
    if (behind !== undefined)
      return `${String(behind['reader'])} lacks ${String(behind['lag'])} entries of partition ${String(behind['part'])}`;
    const readers = Number(
      this.#process.disk.rows('SELECT count(DISTINCT reader) AS readers FROM position')[0]?.['readers'],
    );
    if (readers < 2 + this.#sinks.length) return `${readers} readers are registered`;
    return this.#notPulled();
  }

  #notPulled(): string | undefined {
    const entities = new Map(
      this.#process.disk
        .rows('SELECT tenant, connection, key, version, deleted FROM entity')
        .map((row) => [`${String(row['tenant'])}/${String(row['connection'])}/${String(row['key'])}`, row]),
    );
    for (const { of, rows } of this.#upstreams) {
      for (const row of rows.values()) {
        const entity = entities.get(`${of.tenant}/${of.connection}/${row.key}`);
        const gone = entity === undefined || entity['deleted'] === 1;
        const right = row.bad || (row.deleted ? gone : !gone && entity['version'] === versionOfCounter(row.revision));
        if (!right)
          return `${of.tenant}/${of.connection} ${row.key} is ${row.deleted ? 'deleted' : `at ${versionOfCounter(row.revision)}`} upstream`;
      }
    }
    return undefined;
  }
}
