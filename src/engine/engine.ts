import type { CheckFinding, ConnectorContext } from '#core/connector.ts';
import type { Env } from '#core/env.ts';
import type { EventLog, LogStats } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Run, Store } from '#core/store.ts';
import { createGuard, type Guard } from '#policies/guard.ts';
import type { HttpTransport } from '#sdk/http-transport.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { Activities } from './activity.ts';
import { AlertWatch, type AlertRecipient } from './alert-watch.ts';
import { Backpressure, usageOf, type QueueLimits } from './backpressure.ts';
import { CallRecorder } from './call-recorder.ts';
import { streamsOf, type Connection } from './connection.ts';
import { builtInTarget, deliverAll } from './delivery.ts';
import type { HealthThresholds } from './health-status.ts';
import { Housekeeping } from './housekeeping.ts';
import { pullSlice, type PullerOptions } from './puller.ts';
import { contextFor, noteRun, transportOf } from './run-context.ts';
import { Scheduler, type SchedulerLimits } from './scheduler.ts';
import { SharedPolicies } from './shared-policies.ts';
import { readStatus, type ConnectionStatus } from './status.ts';

export interface EngineOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
  readonly connections: readonly Connection[];
  readonly queue: QueueLimits;
  readonly scheduler: SchedulerLimits;
  readonly health: HealthThresholds;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly redact: (text: string) => string;
  readonly pid: number;
  readonly writeHeartbeat: (text: string) => Promise<void>;
  /** Trims and forgets in the storage; returns how many rows went. */
  readonly housekeepStorage: () => Promise<number>;
  readonly walBytes: () => number;
  /** Told of alerts besides the log. */
  readonly alertRecipient?: AlertRecipient | undefined;
}

interface PullToEndOptions {
  readonly signal: AbortSignal;
  readonly acceptDeletes: boolean;
  readonly progress: (line: string) => void;
}

export interface QueueView {
  readonly stats: LogStats;
  readonly limits: QueueLimits;
  /** 0 to 1, of whichever limit is nearer. */
  readonly usageRatio: number;
  readonly paused: boolean;
}

const SETTLE_LOOK_MS = 20; // how often a caller that waits for the sinks looks again
const BUSY_WAIT_MS = 250; // how often a caller that waits for another run of the same stream looks again
const BUSY_WAIT_MS_MAX = 60_000;

/** Everything that runs: pulls on their schedule, delivery to the built-in sinks, health, heartbeat, housekeeping. */
export class Engine {
  readonly connections: readonly Connection[];
  readonly alerts: AlertWatch;
  readonly #options: EngineOptions;
  readonly #guards = new Map<Connection, Guard>();
  readonly #shared: SharedPolicies;
  readonly #transports = new Map<Connection, HttpTransport>();
  readonly #activities = new Activities();
  readonly #backpressure: Backpressure;
  readonly #recorder: CallRecorder;
  readonly #scheduler: Scheduler;
  readonly #stopPulling = new AbortController();
  readonly #stopDelivery = new AbortController();
  #pulling: Promise<unknown> = Promise.resolve();
  #delivering: Promise<unknown> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.connections = options.connections;
    const { env, store, logger, redact } = options;
    this.#backpressure = new Backpressure(options.queue);
    this.#recorder = new CallRecorder({ clock: env.clock, store: store.calls, redact });
    this.#scheduler = new Scheduler({
      env,
      streams: store.streams,
      limits: options.scheduler,
      pull: (connection, stream, signal) => this.#pull(connection, stream, signal, false),
      onError: (message) => logger.child({ component: 'scheduler' }).error(message),
    });
    this.#shared = new SharedPolicies(env);
    for (const connection of this.connections) {
      this.#guards.set(connection, this.#guardOf(connection));
      this.#transports.set(connection, transportOf(connection, env.clock));
    }
    this.alerts = new AlertWatch({
      env,
      deadLetters: store.deadLetters,
      connections: this.connections,
      circuitOf: (connection) => this.circuitOf(connection),
      queueUsageRatio: async () => (await this.queue()).usageRatio,
      logger,
      recipient: options.alertRecipient,
    });
  }

  /** Starts delivery, then pulls: what an earlier process left in the log reaches the sinks first. */
  async start(): Promise<void> {
    const { env, store, logger, metrics } = this.#options;
    const abandoned = await store.runs.closeAbandoned(env.clock.now());
    if (abandoned > 0)
      logger
        .child({ component: 'engine' })
        .warn(`${abandoned} runs of an earlier process were cut off; their streams resume at the last durable cursor`);
    for (const connection of this.connections) {
      await this.#recorder.load(connection);
      metrics.seedConnection(connection.connection, streamsOf(connection));
    }
    this.startDelivery();
    await this.#scheduler.load(this.connections);
    const housekeeping = new Housekeeping({ ...this.#options, engine: this, recorder: this.#recorder });
    await housekeeping.beat();
    this.#pulling = Promise.all([
      this.#scheduler.run(this.#stopPulling.signal),
      housekeeping.run(this.#stopPulling.signal),
    ]);
  }

  /** Delivery alone, for one-shot commands that pull and wait. */
  startDelivery(): void {
    if (this.#delivering !== undefined) return;
    const { env, log, leases, store, logger, metrics } = this.#options;
    const deliveryLog = logger.child({ component: 'delivery' });
    const options = {
      env,
      log,
      leases,
      owner: env.random.id(),
      onBatch: (sink: string, result: 'written' | 'stale' | 'retry' | 'reject', events: number, durationMs: number) => {
        metrics.add('sink_writes_total', { sink, result }, events);
        metrics.observe('sink_write_duration_seconds', { sink }, durationMs / 1000);
      },
      onFault: (sink: string, fault: Fault, nextInMs: number) =>
        deliveryLog.warn(`sink ${sink} failed; trying again in ${Math.ceil(nextInMs / 1000)} s`, {
          code: fault.code,
          detail: fault.message,
        }),
    };
    this.#delivering = Promise.all(
      [store.timeline, store.library].map((sink) => {
        metrics.seedSink(sink.name);
        return deliverAll(options, builtInTarget(sink), this.#stopDelivery.signal);
      }),
    );
  }

  /** Drains: no new pulls, those going on end at their next page, the batches in hand settle, measurements are saved (I11). */
  async stop(): Promise<void> {
    this.#stopPulling.abort();
    await this.#pulling;
    await this.alerts.close();
    this.#stopDelivery.abort();
    await this.#delivering;
    for (const guard of this.#guards.values()) guard.close();
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
    await this.#saveCalls();
  }

  async status(connection: Connection): Promise<ConnectionStatus> {
    const { store, health } = this.#options;
    return readStatus(connection, {
      store,
      recorder: this.#recorder,
      activities: this.#activities,
      thresholds: health,
      guard: this.#guardFor(connection),
      nextRunAtMs: (stream) => this.nextRunAtMs(connection, stream),
    });
  }

  nextRunAtMs({ tenant, connection }: Connection, stream: string): number | undefined {
    return this.#scheduler.nextRunAtMs({ tenant, connection, stream });
  }

  get runsInflight(): number {
    return this.#scheduler.inflight;
  }

  async queue(): Promise<QueueView> {
    const stats = await this.#options.log.stats();
    const paused = this.#backpressure.update(stats);
    return { stats, limits: this.#options.queue, usageRatio: usageOf(stats, this.#options.queue), paused };
  }

  async check(connection: Connection, signal: AbortSignal): Promise<readonly CheckFinding[]> {
    try {
      return await connection.connector.check(this.#contextOf(connection, this.#options.env.random.id(), signal));
    } catch (error) {
      const fault = toFault(error);
      return [{ ok: false, message: fault.message, fault }];
    }
  }

  /** Slices until the stream has no more, or one fails. A run that is going on is waited for, then pulled again. */
  async pullToEnd(connection: Connection, stream: string, options: PullToEndOptions): Promise<readonly Run[]> {
    this.startDelivery();
    const { clock } = this.#options.env;
    const runs: Run[] = [];
    // Ends when the source says so: every slice moves the cursor or ends the loop.
    for (;;) {
      const run = await this.#pullWhenFree(connection, stream, options);
      runs.push(run);
      const { pages, appended, unchanged } = run.counts;
      options.progress(
        `${connection.connection}/${stream}: ${run.outcome}, ${appended} new, ${unchanged} known, ${pages} pages${run.message === undefined ? '' : ` (${run.message})`}`,
      );
      const stop = AbortSignal.any([options.signal, this.#stopPulling.signal]);
      if (run.outcome !== 'yielded' || stop.aborted || run.code !== undefined) break;
      await clock.sleep(Math.max(0, (run.resumeAtMs ?? 0) - clock.now()), stop);
    }
    await this.#saveCalls(); // who asked for the run looks next at what failed in it
    return runs;
  }

  async #pullWhenFree(connection: Connection, stream: string, options: PullToEndOptions): Promise<Run> {
    const { clock } = this.#options.env;
    const deadlineMs = clock.monotonic() + BUSY_WAIT_MS_MAX;
    for (;;) {
      try {
        return await this.#pull(connection, stream, options.signal, options.acceptDeletes);
      } catch (error) {
        const fault = toFault(error);
        if (fault.code !== 'already_running' || clock.monotonic() >= deadlineMs || options.signal.aborted) throw fault;
        options.progress(`${connection.connection}/${stream}: waiting for the run that is going on`);
        await clock.sleep(BUSY_WAIT_MS, options.signal);
      }
    }
  }

  /** Resolves when every sink has settled what was in the log when it was asked, or `signal` aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.env;
    const askedMs = clock.now();
    const waiting = async (): Promise<boolean> =>
      ((await this.#options.log.stats()).oldestAtMs ?? Number.POSITIVE_INFINITY) <= askedMs;
    while (!signal.aborted && (await waiting())) await clock.sleep(SETTLE_LOOK_MS, signal);
  }

  /** A store that cannot write must neither cost the answer of a run nor keep the process from closing it. */
  async #saveCalls(): Promise<void> {
    try {
      await this.#recorder.flush();
    } catch (error) {
      this.#options.logger.warn(`measurements could not be saved: ${toFault(error).message}`);
    }
  }

  async #pull(connection: Connection, stream: string, signal: AbortSignal, acceptDeletes: boolean): Promise<Run> {
    const { clock } = this.#options.env;
    const startMs = clock.monotonic();
    const run = await pullSlice(this.#pullerOptions(), {
      connection,
      stream,
      acceptDeletes,
      signal: AbortSignal.any([signal, this.#stopPulling.signal]),
    });
    noteRun(this.#options, run, clock.monotonic() - startMs);
    return run;
  }

  #pullerOptions(): PullerOptions {
    const { env, log, leases, store, scheduler } = this.#options;
    return {
      env,
      log,
      leases,
      store,
      activities: this.#activities,
      mustPause: async () => this.#backpressure.update(await log.stats()),
      contextOf: (connection, runId, signal) => this.#contextOf(connection, runId, signal),
      sliceMs: scheduler.sliceMs,
    };
  }

  #contextOf(connection: Connection, runId: string, signal: AbortSignal): ConnectorContext {
    const transport = this.#transports.get(connection);
    if (transport === undefined) throw new Fault('internal', `connection ${connection.connection} has no transport`);
    return contextFor(this.#options, connection, { guard: this.#guardFor(connection), transport }, runId, signal);
  }

  #guardFor(connection: Connection): Guard {
    const guard = this.#guards.get(connection);
    if (guard === undefined) throw new Fault('internal', `connection ${connection.connection} has no guard`);
    return guard;
  }

  #guardOf(connection: Connection): Guard {
    const { env, metrics } = this.#options;
    const { tenant, connection: name } = connection;
    return createGuard(
      {
        ...connection.guard,
        ...this.#shared.of(connection),
        connection: name,
        onCall: (call) => {
          this.#recorder.record({ tenant, connection: name }, call);
          this.alerts.noteCall(connection, call.fault !== undefined);
          const labels = {
            connector: name,
            operation: call.operation,
            outcome: call.fault === undefined ? 'succeeded' : 'failed',
          } as const;
          metrics.add('connector_requests_total', labels);
          metrics.observe('connector_request_duration_seconds', labels, call.durationMs / 1000);
        },
      },
      env,
    );
  }

  circuitOf(connection: Connection): 'closed' | 'open' | 'half_open' {
    return this.#guardFor(connection).stats().circuit;
  }

  /** For an operator who has repaired something: calls go out at once instead of after the cooldown. */
  resetCircuit(connection: Connection): void {
    this.#guardFor(connection).reset();
    this.#options.logger
      .child({ component: 'engine', connector: connection.connection })
      .info(`the circuit of ${connection.connection} was closed by an operator`);
  }
}
