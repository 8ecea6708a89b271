import type { Clock } from '#core/env.ts';
import type { Event } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { ForecastPlan, ForecastReport } from '#core/forecast.ts';
import type { Store } from '#core/store.ts';
import type { AlertNotice } from '#engine/alert-watch.ts';
import type { Connection } from '#engine/connection.ts';
import type { Engine } from '#engine/engine.ts';
import { describeFault } from './planned-trouble.ts';

const HAPPENINGS_MAX = 2000; // a longer report is read by nobody; the figures go on
const RUNS_READ_MAX = 100_000;

interface Watched {
  circuit: string;
  circuitOpened: number;
  circuitOpenMs: number;
  pausedMs: number;
  delayMaxMs: number;
}

interface WatchedSink {
  state: string;
  backlogMax: number;
  delayMaxMs: number;
  readonly ids: Set<string>;
  readonly leftOut: Set<string>;
}

interface ReportSources {
  readonly seed: number;
  readonly engine: Engine;
  readonly store: Store;
  readonly counted: (key: string) => number;
  /** What the source had to give `lagMs` ago. */
  readonly recordsOf: (connection: string, lagMs: number) => number;
  readonly queueEventsMax: number;
}

/** Looks on while a forecast runs, and adds it up. */
export class ForecastWatch {
  readonly #plan: ForecastPlan;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #connections = new Map<string, Watched>();
  readonly #sinks = new Map<string, WatchedSink>();
  readonly #happenings: { at_seconds: number; what: string }[] = [];
  #usageMax = 0;
  #pausedMs = 0;
  #paused = false;

  constructor({ plan, clock, startMs }: { plan: ForecastPlan; clock: Clock; startMs: number }) {
    this.#plan = plan;
    this.#clock = clock;
    this.#startMs = startMs;
    for (const fault of plan.faults) {
      const name = 'connector' in fault ? `the API of ${fault.connector}` : `the sink ${fault.sink}`;
      this.#note(describeFault(fault), fault.from);
      this.#note(`${name}: that ends`, fault.from + fault.for);
    }
  }

  written(sink: string, entries: readonly LogEntry[]): void {
    const watched = this.#sink(sink);
    const nowMs = this.#clock.now();
    for (const { event, observedAtMs } of entries) {
      watched.ids.add(event.id);
      watched.delayMaxMs = Math.max(watched.delayMaxMs, nowMs - observedAtMs);
      const connection = this.#connection(event.connection);
      connection.delayMaxMs = Math.max(connection.delayMaxMs, observedAtMs - Date.parse(event.time));
    }
  }

  /** An event that the sink does not take. Always false. */
  leftOut(sink: string, event: Event): false {
    this.#sink(sink).leftOut.add(event.id);
    return false;
  }

  alerted({ change, summary }: AlertNotice): void {
    this.#note(`alert ${change}: ${summary}`);
  }

  async look(engine: Engine, sinceMs: number): Promise<void> {
    const queue = await engine.queue();
    this.#usageMax = Math.max(this.#usageMax, queue.usageRatio);
    if (queue.paused !== this.#paused)
      this.#note(queue.paused ? 'the queue is 80 % full: pulls pause' : 'the queue is below 60 % again: pulls go on');
    this.#paused = queue.paused;
    if (queue.paused) this.#pausedMs += sinceMs;
    for (const connection of engine.connections) this.#lookAt(engine, connection, queue.paused, sinceMs);
    for (const { reader, lag } of queue.stats.readers)
      this.#sink(reader).backlogMax = Math.max(this.#sink(reader).backlogMax, lag);
    for (const { name, state, fault } of await engine.sinks()) {
      const watched = this.#sink(name);
      if (state === watched.state) continue;
      this.#note(`sink ${name}: ${state}${fault === undefined ? '' : `, ${fault.message}`}`);
      watched.state = state;
    }
  }

  #lookAt(engine: Engine, connection: Connection, paused: boolean, sinceMs: number): void {
    const watched = this.#connection(connection.connection);
    const circuit = engine.circuitOf(connection);
    if (circuit === 'open' && watched.circuit === 'closed') {
      watched.circuitOpened += 1;
      this.#note(`the circuit of ${connection.connection} opens`);
    }
    if (circuit === 'closed' && watched.circuit !== 'closed')
      this.#note(`the circuit of ${connection.connection} closes`);
    watched.circuit = circuit;
    if (circuit !== 'closed') watched.circuitOpenMs += sinceMs;
    if (paused) watched.pausedMs += sinceMs;
  }

  async report(from: ReportSources): Promise<ForecastReport> {
    const { engine, seed, queueEventsMax } = from;
    const lags = new Map((await engine.queue()).stats.readers.map(({ reader, lag }) => [reader, lag]));
    const connectors = await Promise.all(engine.connections.map((connection) => this.#connector(connection, from)));
    const deadOf = new Map<string, number>();
    const tenants = [...new Set(engine.connections.map(({ tenant }) => tenant))];
    for (const { stage, count } of await from.store.deadLetters.groups({ tenants }))
      deadOf.set(stage, (deadOf.get(stage) ?? 0) + count);
    const inLog = connectors.reduce((sum, { in_log }) => sum + in_log, 0);
    const sinks = [...lags].map(([name, lag]) => {
      const watched = this.#sink(name);
      const dead = deadOf.get(name) ?? 0;
      return {
        line: {
          name,
          delivered: watched.ids.size,
          dead_letters: dead,
          failed_writes: from.counted(`sink_writes_total ${name} retry`),
          backlog_max: watched.backlogMax,
          delay_max_seconds: toSeconds(watched.delayMaxMs),
          caught_up: lag === 0,
        },
        lost: Math.max(0, inLog - watched.ids.size - watched.leftOut.size - dead - lag),
      };
    });
    const lost = sinks.reduce((sum, sink) => sum + sink.lost, 0);
    return {
      seed,
      simulated_seconds: toSeconds(this.#clock.monotonic()),
      faults: this.#plan.faults.map(describeFault),
      connectors,
      sinks: sinks.map(({ line }) => line),
      queue: {
        usage_max_pct: Math.round(this.#usageMax * 10_000) / 100,
        paused_seconds: toSeconds(this.#pausedMs),
        max_size: queueEventsMax,
      },
      happenings: this.#happenings
        .filter(({ at_seconds }) => at_seconds * 1000 <= this.#clock.monotonic())
        .toSorted((a, b) => a.at_seconds - b.at_seconds),
      lost,
      healthy_at_end:
        lost === 0 &&
        connectors.every(({ caught_up }) => caught_up) &&
        sinks.every(({ line }) => line.caught_up && line.dead_letters === 0),
    };
  }

  async #connector(
    connection: Connection,
    { store, counted, recordsOf }: ReportSources,
  ): Promise<ForecastReport['connectors'][number]> {
    const { tenant, connection: name, schedule } = connection;
    const watched = this.#connection(name);
    const streams = await store.streams.list({ tenant, connection: name });
    const runs = await store.runs.recent({ tenant, connection: name }, RUNS_READ_MAX);
    const inLog = streams.reduce((sum, { eventsTotal }) => sum + eventsTotal, 0);
    // What came in the last two polls may still be on its way.
    const lagMs = 2 * (schedule.kind === 'interval' ? schedule.pollIntervalMs : 3_600_000);
    const succeeded = counted(`connector_requests_total ${name} succeeded`);
    const failed = counted(`connector_requests_total ${name} failed`);
    return {
      name,
      tenant,
      records: recordsOf(name, 0),
      in_log: inLog,
      calls: succeeded + failed,
      failed_calls: failed,
      retries: counted(`connector_retries_total ${name}`),
      runs: runs.length,
      failed_runs: runs.filter(({ outcome }) => outcome === 'failed').length,
      circuit_opened: watched.circuitOpened,
      circuit_open_seconds: toSeconds(watched.circuitOpenMs),
      delay_max_seconds: toSeconds(watched.delayMaxMs),
      paused_seconds: toSeconds(watched.pausedMs),
      caught_up: inLog >= recordsOf(name, lagMs),
    };
  }

  #note(what: string, atMs = this.#clock.now() - this.#startMs): void {
    if (this.#happenings.length < HAPPENINGS_MAX) this.#happenings.push({ at_seconds: toSeconds(atMs), what });
  }

  #connection(name: string): Watched {
    let watched = this.#connections.get(name);
    if (watched === undefined) {
      watched = { circuit: 'closed', circuitOpened: 0, circuitOpenMs: 0, pausedMs: 0, delayMaxMs: 0 };
      this.#connections.set(name, watched);
    }
    return watched;
  }

  #sink(name: string): WatchedSink {
    let watched = this.#sinks.get(name);
    if (watched === undefined) {
      watched = { state: 'delivering', backlogMax: 0, delayMaxMs: 0, ids: new Set(), leftOut: new Set() };
      this.#sinks.set(name, watched);
    }
    return watched;
  }
}

function toSeconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
