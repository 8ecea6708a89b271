import type { Clock } from '#core/env.ts';
import type { Event } from '#core/event.ts';
import type { ForecastPlan, ForecastReport } from '#core/forecast.ts';
import { Fault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Connection } from '#engine/connection.ts';
import { Engine, type EngineOptions } from '#engine/engine.ts';
import type { SinkBinding } from '#engine/sink-binding.ts';
import { openSqliteStorage, type SqliteStorage } from '#storage/sqlite/storage.ts';
import { noLogger } from '#telemetry/logger.ts';
import { simulatedRandom } from '../simulated-random.ts';
import { CoarseClock } from './coarse-clock.ts';
import { CountingMetrics } from './counting-metrics.ts';
import { ForecastWatch } from './forecast-watch.ts';
import { recordsBy, syntheticConnector } from './synthetic-connector.ts';
import { syntheticSink, troubledBuiltIn } from './synthetic-sink.ts';
import type { SyntheticWorld } from './synthetic-world.ts';

const START_MS = Date.UTC(2026, 0, 1);
const LOOK_MS = 30_000; // how often states are looked at: what begins and ends between two looks is not told
const RECORDS_PER_HOUR = 60;
const RENEW_MS = 10 * 60_000;
const STOP_MS = RENEW_MS + 60_000; // simulated time in which what is in hand settles at the end, renewals included
const HEARTBEAT_MS = 28_000; // writing it takes so long: a cycle of the engine every half minute instead of every two seconds
const HOUSEKEEP_EVERY = 10; // such cycles: trimming matters to a forecast every five minutes

/** An external sink of the configuration, without its code. */
export interface ForecastSink extends Pick<SinkBinding, 'type' | 'from' | 'accepts'> {
  readonly name: string;
}

export interface ForecastOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly plan: ForecastPlan;
  /** Of the configuration, with its real connectors: they are replaced. */
  readonly connections: readonly Connection[];
  readonly sinks: readonly ForecastSink[];
  readonly engine: Pick<EngineOptions, 'queue' | 'scheduler' | 'health' | 'delivery'>;
  readonly signal: AbortSignal;
  readonly progress?: (simulatedMs: number) => void;
}

/**
 * Runs the real engine on data in memory and a clock that jumps, with sources and sinks that do what the plan says, and reports
 * what became of it. Same seed, same report.
 */
export async function forecast(options: ForecastOptions): Promise<ForecastReport> {
  const { plan, seed, signal, durationMs } = options;
  const clock = new CoarseClock(START_MS);
  const storage = openSqliteStorage({ data: ':memory:', clock, partitionSecret: 'forecast' });
  const counting = new CountingMetrics();
  const watch = new ForecastWatch({ plan, clock, startMs: START_MS });
  const world: SyntheticWorld = {
    plan,
    clock,
    random: simulatedRandom(seed),
    startMs: START_MS,
    recordsPerHour: (name) => plan.rates[name] ?? RECORDS_PER_HOUR,
    onWritten: (sink, entries) => watch.written(sink, entries),
  };
  const engine = engineOf(options, world, storage, counting, watch);
  try {
    await engine.start();
    while (clock.monotonic() < durationMs && !signal.aborted) {
      await clock.advance(Math.min(LOOK_MS, durationMs - clock.monotonic()));
      await watch.look(engine, LOOK_MS);
      options.progress?.(clock.monotonic());
    }
    if (signal.aborted) throw new Fault('cancelled', 'the simulation was stopped before its end');
    return await watch.report({
      seed,
      engine,
      store: storage.store,
      counted: (key) => counting.of(key),
      recordsOf: (name, lagMs) => recordsBy(clock.monotonic() - lagMs, world.recordsPerHour(name)),
      queueEventsMax: options.engine.queue.eventsMax,
    });
  } finally {
    const stopped = engine.stop();
    await clock.advance(STOP_MS);
    await stopped;
    storage.close();
  }
}

function engineOf(
  options: ForecastOptions,
  world: SyntheticWorld,
  storage: SqliteStorage,
  counting: CountingMetrics,
  watch: ForecastWatch,
): Engine {
  const { log, leases, store } = storage;
  let cycle = 0;
  let beats = 0;
  return new Engine({
    ...options.engine,
    env: world,
    log,
    leases: unhurried(leases, world.clock),
    store: {
      ...store,
      timeline: troubledBuiltIn(store.timeline, world),
      library: troubledBuiltIn(store.library, world),
    },
    connections: options.connections
      .filter(({ enabled }) => enabled)
      .map((connection) => ({ ...connection, connector: syntheticConnector(connection.connector, world) })),
    sinks: options.sinks.map(({ name, type, from, accepts }) => ({
      sink: syntheticSink(name, world),
      type,
      from,
      accepts: (event: Event) => accepts(event) || watch.leftOut(name, event),
    })),
    logger: noLogger,
    metrics: counting.metrics,
    redact: (text) => text,
    pid: 1,
    writeHeartbeat: () => ((beats += 1) === 1 ? Promise.resolve() : world.clock.sleep(HEARTBEAT_MS)), // the first belongs to the start
    housekeepStorage: (how) => (cycle++ % HOUSEKEEP_EVERY === 0 ? storage.housekeep(how) : Promise.resolve(0)),
    walBytes: () => 0,
    alertRecipient: { notify: (notice) => watch.alerted(notice), close: () => Promise.resolve() },
  });
}

/** Partitions have one owner here, so their leases may last: renewing them every twenty seconds costs more than all else in a quiet day. */
function unhurried(leases: Leases, clock: Clock): Leases {
  const ofPartition = (lease: string): boolean => lease.startsWith('deliver:');
  return {
    acquire: (name, owner, ttlMs) => leases.acquire(name, owner, ofPartition(name) ? 3 * RENEW_MS : ttlMs),
    async renew(fence, ttlMs) {
      if (!ofPartition(fence.lease)) return leases.renew(fence, ttlMs);
      await clock.sleep(RENEW_MS);
      return leases.renew(fence, 3 * RENEW_MS);
    },
    release: (fence) => leases.release(fence),
  };
}
