import type { Connector } from '#core/connector.ts';
import type { Random } from '#core/env.ts';
import type { AppendBatch, DeadLetterDraft, EventLog, LogEntry } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence, Leases } from '#core/leases.ts';
import type { ConnectionRef } from '#core/names.ts';
import type { BuiltInSink } from '#core/sink.ts';
import type { Connection } from '#engine/connection.ts';
import { Engine, type EngineOptions } from '#engine/engine.ts';
import type { Store } from '#core/store.ts';
import { openSqliteStorage, type SqliteStorage } from '#storage/sqlite/storage.ts';
import { createLogger } from '#telemetry/logger.ts';
import { noMetrics } from '#telemetry/metrics.ts';
import { createRedactor } from '#telemetry/redaction.ts';
import { checkCursors } from './check-history.ts';
import { SimulatedDisk } from './disk.ts';
import { chanceOf, type Faults, type SimulationPlan } from './fault-plan.ts';
import type { History } from './history.ts';
import { Life } from './life.ts';
import { deadLettersOf } from './stored-letters.ts';
import { withSchema } from './schema-image.ts';
import { throughSeam, withOverrides } from './seams.ts';
import type { SinkModel } from './sink-models.ts';
import { upstreamConnector } from './upstream-connector.ts';
import { SECRET, type Upstream } from './upstream.ts';
import type { VirtualTime } from './virtual-time.ts';

const POLL_MS = 15_000;
const HOUSEKEEP_EVERY = 2; // cycles: each costs some transactions
const HEARTBEAT_MS = 8_000; // writing it takes so long: what the engine looks after comes round less often, and costs less
const LEASE_REFUSED_MS = 5_000; // until a lease is refused: asking every second for what is held for a minute costs more than all else
const RESTART_MS = 5_000; // until a worker that could not start is tried again
const UNKNOWN_RATIO = 0.02;
const REDACTOR = createRedactor({ secrets: [SECRET] });
let worlds = 0;

export interface Worker {
  readonly life: Life;
  readonly engine: Engine;
  /** The log as this worker's senders see it. */
  readonly log: EventLog;
}

interface WorldParts {
  readonly plan: SimulationPlan;
  readonly time: VirtualTime;
  readonly faults: Faults;
  readonly history: History;
  readonly upstreams: readonly Upstream[];
  readonly sinks: readonly SinkModel[];
  /** Further connectors, by connection. */
  readonly connectors: Readonly<Record<string, Connector>>;
  readonly onCrossing: (life: Life, seam: string) => void;
  /** Called before a commit that binds two things together. */
  readonly atStake: (probability: number) => void;
}

/** The process under test: the real storage, and workers that run the real engine on it. It dies and comes back; its data stays. */
export class ProcessWorld {
  readonly disk: SimulatedDisk;
  workers: Worker[] = [];
  storage: SqliteStorage | undefined;
  #storageLife: Life | undefined;
  #lives = 0;
  readonly #parts: WorldParts;
  readonly #chance: Random;
  readonly #queueEventsMax: number;
  /** Of this world alone, also among worlds of the same seed that run at the same time. */
  readonly #database = `weir-simulation-${(worlds += 1)}`;

  constructor(parts: WorldParts) {
    this.#parts = parts;
    this.#chance = chanceOf(parts.plan.seed, 'process');
    this.disk = new SimulatedDisk(chanceOf(parts.plan.seed, 'disk'), parts.faults);
    // In some worlds the queue is so short that pulls pause whenever a sink is out.
    this.#queueEventsMax = chanceOf(parts.plan.seed, 'queue').float() < 0.2 ? 40 : 10_000;
  }

  /** Opens the data and starts the workers. Throws what a start on a failing disk throws. */
  async start(): Promise<void> {
    const { plan, time, history } = this.#parts;
    this.#lives += 1;
    history.trace.add(`${time.monotonic()} life ${this.#lives}`);
    const life = new Life(`storage of life ${this.#lives}`, time, this.#parts.onCrossing);
    this.#storageLife = life;
    const opened = this.#lives === 1 ? withSchema(this.#database, time) : undefined;
    let storage: SqliteStorage;
    try {
      storage = this.#open(life);
    } finally {
      opened?.();
    }
    checkCursors({ history, disk: this.disk });
    // What was committed although its answer was lost is known from now on.
    const tenants = [...new Set(this.#parts.upstreams.map(({ of }) => of.tenant))];
    for (const { stage, eventId } of await deadLettersOf(storage.store.deadLetters, tenants))
      if (eventId !== undefined) history.gaveUp(stage, eventId);
    this.workers = Array.from({ length: plan.workers }, (_, index) => this.#workerOf(storage, index));
    await Promise.all(this.workers.map((worker) => worker.engine.start()));
  }

  #open({ clock }: Life): SqliteStorage {
    return (this.storage = openSqliteStorage({
      data: `memory:${this.#database}`,
      clock,
      partitionSecret: this.#parts.history.partitionSecret,
      onConnection: (db) => this.disk.attach(db),
    }));
  }

  /** What is held once everything has ended; undefined when nothing ever began. A storage whose disk failed answers nobody: it is opened anew. */
  storeAfterwards(): Store | undefined {
    if (this.storage?.broken() === undefined) return this.storage?.store;
    this.disk.free();
    return this.#open(new Life('the judge', this.#parts.time)).store;
  }

  /** kill -9: nothing of it ever goes on, what was committed stays. */
  die(): void {
    this.#storageLife?.end();
    for (const { life } of this.workers) life.end();
    this.workers = [];
  }

  note(what: string): void {
    this.#parts.history.trace.add(`${this.#parts.time.monotonic()} ${what}`);
  }

  get alive(): boolean {
    return this.workers.length > 0;
  }

  /** One worker ends; another takes its place when its leases have run out. */
  replace(worker: Worker): void {
    worker.life.end();
    const { storage } = this;
    const index = this.workers.indexOf(worker);
    if (storage === undefined || index < 0) return;
    const fresh = this.#workerOf(storage, index);
    this.workers = this.workers.with(index, fresh);
    fresh.engine.start().catch(() => void this.#parts.time.after(RESTART_MS, () => this.replace(fresh)));
  }

  close(): void {
    this.die();
    this.disk.close();
  }

  #workerOf(storage: SqliteStorage, index: number): Worker {
    const { time, onCrossing, plan, history, sinks } = this.#parts;
    const life = new Life(`worker ${index + 1} of life ${this.#lives}`, time, onCrossing);
    const log = throughSeam(life, 'log', this.#observedLog(storage.log));
    const { store } = storage;
    let beats = 0;
    const options: EngineOptions = {
      env: { clock: life.clock, random: chanceOf(plan.seed, life.name) },
      log,
      leases: throughSeam(life, 'leases', this.#observedLeases(storage.leases)),
      store: {
        runs: throughSeam(life, 'runs', store.runs),
        streams: throughSeam(life, 'streams', store.streams),
        entities: throughSeam(life, 'entities', store.entities),
        calls: throughSeam(life, 'calls', store.calls),
        deadLetters: throughSeam(life, 'letters', store.deadLetters),
        timeline: throughSeam(life, 'timeline', this.#observedSink(store.timeline)),
        library: throughSeam(life, 'library', this.#observedSink(store.library)),
      },
      connections: this.#connectionsOf(life),
      queue: { eventsMax: this.#queueEventsMax, bytesMax: 1024 ** 3 },
      scheduler: { runsMax: 4, runsPerTypeMax: 4, sliceMs: 10_000 },
      health: { p95MsMax: 2000, errorRatioMax: 0.1, callsMin: 10, windowMs: 3_600_000 },
      logger: createLogger({
        level: 'warn', // cheaper, and what goes wrong is where secrets are
        // The number of the world is of this process; the trace must be the same in every one.
        streams: [{ write: (line) => history.outputs.push(line.replaceAll(this.#database, 'the-data')) }],
        redactor: REDACTOR,
        clock: life.clock,
      }),
      metrics: noMetrics,
      redact: (text) => REDACTOR.redactText(text),
      pid: 1,
      writeHeartbeat: () => ((beats += 1) === 1 ? Promise.resolve() : time.wait(HEARTBEAT_MS)), // the first one belongs to the start
      housekeepStorage: (step) =>
        beats % HOUSEKEEP_EVERY === 0
          ? life.cross('storage.housekeep', () => storage.housekeep(step))
          : Promise.resolve(0),
      walBytes: () => 0,
      sinks: sinks.map((sink) => ({
        sink: sink.seenBy(life),
        type: 'simulated',
        from: 'oldest' as const,
        accepts: () => true,
      })),
    };
    return { life, log, engine: new Engine(options) };
  }

  #connectionsOf(life: Life): readonly Connection[] {
    const { upstreams, connectors, history, faults } = this.#parts;
    const own = upstreams.map((upstream) => {
      const connector = upstreamConnector(upstream, life, (page) => history.served(upstream.of, page));
      return connectionOf(upstream.of, connector, faults.has('upstream_echoes_secret'));
    });
    const given = Object.entries(connectors).map(([connection, connector]) =>
      connectionOf({ tenant: 't1', connection }, connector, true),
    );
    return [...own, ...given];
  }

  #observedLog(log: EventLog): EventLog {
    const { history, faults, atStake } = this.#parts;
    const chance = this.#chance;
    return withOverrides(log, {
      append: async (batch: AppendBatch) => {
        history.offer(batch.events);
        if (batch.checkpoint !== undefined && batch.events.length > 0) atStake(0.05);
        const lost = faults.strikes('storage_unknown', chance, UNKNOWN_RATIO);
        if (lost && chance.float() < 0.5) throw answerLost();
        const result = await log.append(batch);
        history.acknowledge(batch.events);
        if (lost) throw answerLost();
        return result;
      },
      read: async (reader: string, partition: number, limit: number) => {
        const entries = await log.read(reader, partition, limit);
        history.read(partition, entries);
        return entries;
      },
      commit: async (
        reader: string,
        partition: number,
        position: number,
        fence: Fence,
        letters: readonly DeadLetterDraft[] = [],
      ) => {
        if (letters.length > 0) atStake(0.9);
        const lost = faults.strikes('storage_unknown', chance, UNKNOWN_RATIO);
        if (lost && chance.float() < 0.5) throw answerLost();
        const result = await log.commit(reader, partition, position, fence, letters);
        if (result === 'committed') history.committed(reader, partition, position, fence.token, letters);
        if (lost) throw answerLost();
        return result;
      },
    });
  }

  #observedLeases(leases: Leases): Leases {
    const { history, time } = this.#parts;
    return withOverrides(leases, {
      acquire: async (name: string, owner: string, ttlMs: number) => {
        const fence = await leases.acquire(name, owner, ttlMs);
        if (fence === undefined) await time.wait(LEASE_REFUSED_MS);
        else history.granted(name, fence.token);
        return fence;
      },
    });
  }

  #observedSink<T extends BuiltInSink>(sink: T): T {
    const { history } = this.#parts;
    const apply = async (
      partition: number,
      entries: readonly LogEntry[],
      fence: Fence,
    ): Promise<'committed' | 'fenced'> => {
      const result = await sink.apply(partition, entries, fence);
      const last = entries.at(-1);
      if (result === 'committed' && last !== undefined)
        history.committed(sink.name, partition, last.position, fence.token, 'built-in');
      return result;
    };
    return withOverrides<T>(sink, { apply } as Partial<T>); // `apply` is a BuiltInSink's
  }
}

function answerLost(): Fault {
  return new Fault('storage_unknown', 'the answer of the storage was lost');
}

function connectionOf({ tenant, connection }: ConnectionRef, connector: Connector, secret: boolean): Connection {
  return {
    tenant,
    connection,
    connector,
    enabled: true,
    config: connector.config.parse({}),
    schedule: { kind: 'interval', pollIntervalMs: POLL_MS },
    batchSize: 8,
    allowedPaths: [],
    credentials: secret ? { token: SECRET } : {}, // each makes a redactor of its own
    guard: { attemptTimeoutMs: 5_000 },
  };
}
