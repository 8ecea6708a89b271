import type { CheckFinding, ConnectorContext } from '#core/connector.ts';
import type { Env } from '#core/env.ts';
import type { Disk } from '#core/disk.ts';
import type { EventLog } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Run, Store } from '#core/store.ts';
import { createGuard, type Guard } from '#policies/guard.ts';
import type { HttpTransport } from '#sdk/http-transport.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { Activities } from './activity.ts';
import { AlertWatch, type AlertRecipient } from './alert-watch.ts';
import type { QueueLimits } from './backpressure.ts';
import { QueueWatch, type QueueView } from './backpressure-watch.ts';
import { CallRecorder } from './call-recorder.ts';
import { streamsOf, type Connection } from './connection.ts';
import { STORE_SINK_TYPE } from './delivery-target.ts';
import { DiskGuard, type DiskLimits, DISK_GUARD } from './disk-guard.ts';
import type { HealthThresholds } from './health-status.ts';
import { Housekeeping, type DeadLetterLimits, type HousekeepStorage } from './housekeeping.ts';
import { pullSlice, type PullerOptions } from './puller.ts';
import { redactedFault, redactedFinding, redactedSink } from './redacted.ts';
import { contextFor, noteRun, transportOf } from './run-context.ts';
import { Scheduler, type SchedulerLimits } from './scheduler.ts';
import { SharedPolicies } from './shared-policies.ts';
import type { SinkBinding } from './sink-binding.ts';
import type { SinkStatus } from './sink-status.ts';
import { Sinks } from './sinks.ts';
import { readStatus, type ConnectionStatus } from './status.ts';

export interface EngineOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
  readonly connections: readonly Connection[];
  readonly queue: QueueLimits;
  /** Absent: the data is in memory, or nobody minds. */
  readonly disk?: Disk | undefined;
  readonly diskLimits?: DiskLimits;
  /** Absent: dead letters are kept whatever their age and number. */
  readonly deadLetters?: DeadLetterLimits;
  /** External ones, besides timeline and library. */
  readonly sinks?: readonly SinkBinding[];
  readonly delivery?: { readonly attemptsMax: number };
  readonly scheduler: SchedulerLimits;
  readonly health: HealthThresholds;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly redact: (text: string) => string;
  readonly pid: number;
  readonly writeHeartbeat: (text: string) => Promise<void>;
  readonly housekeepStorage: HousekeepStorage;
  readonly walBytes: () => number;
  /** Told of alerts besides the log. */
  readonly alertRecipient?: AlertRecipient | undefined;
}

interface PullToEndOptions {
  readonly signal: AbortSignal;
  readonly acceptDeletes: boolean;
  readonly progress: (line: string) => void;
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
  readonly #disk: DiskGuard | undefined;
  readonly #queue: QueueWatch;
  readonly #recorder: CallRecorder;
  readonly #scheduler: Scheduler;
  readonly #sinks: Sinks;
  readonly #stopPulling = new AbortController();
  readonly #stopDelivery = new AbortController();
  #housekeeping: Housekeeping | undefined;
  #pulling: Promise<unknown> = Promise.resolve();
  #delivering: Promise<unknown> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.connections = options.connections;
    const { env, store, logger, redact } = options;
    const { disk, diskLimits: limits = { ballastBytes: DISK_GUARD.ballastBytes } } = options;
    this.#disk = disk && new DiskGuard({ disk, limits, clock: env.clock, logger });
    const tenants = [...new Set(this.connections.map(({ tenant }) => tenant))];
    this.#queue = new QueueWatch({ env, log: options.log, limits: options.queue, tenants, disk: this.#disk });
    this.#recorder = new CallRecorder({ clock: env.clock, store: store.calls, redact });
    this.#scheduler = new Scheduler({
      env,
      streams: store.streams,
      limits: options.scheduler,
      pull: (connection, stream, signal) => this.#pull(connection, stream, signal, false),
      onError: (message) => logger.child({ component: 'scheduler' }).error(message),
    });
    const sinks = (options.sinks ?? []).map((binding) => ({ ...binding, sink: redactedSink(binding.sink, redact) }));
    this.#sinks = new Sinks({ ...options, sinks, onFault: (fault) => this.noteFault(fault) });
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
      queue: () => this.queue(),
      sinks: () => this.sinks(),
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
    const parts = { engine: this, recorder: this.#recorder, disk: this.#disk };
    const housekeeping = new Housekeeping({ ...this.#options, ...parts });
    this.#housekeeping = housekeeping;
    await housekeeping.beat();
    this.#pulling = Promise.all([
      this.#scheduler.run(this.#stopPulling.signal),
      housekeeping.run(this.#stopPulling.signal),
    ]);
  }

  /** Delivery alone, for one-shot commands that pull and wait. */
  startDelivery(): void {
    this.#delivering ??= this.#sinks.deliver(this.#stopDelivery.signal);
  }

  /** Every sink, also those that are only registered: how far it is behind and what holds it up. */
  sinks(): Promise<readonly SinkStatus[]> {
    return this.#sinks.statuses();
  }

  /** For an operator: a sink that waits or refuses is tried at once. Throws `not_found` for one that is not delivered to. */
  resumeSink(name: string, how: { readonly acceptRejects: boolean }): Promise<void> {
    return this.#sinks.resume(name, how);
  }

  /** Drains: no new pulls, those going on end at their next page, the batches in hand settle, measurements are saved (I11). */
  async stop(): Promise<void> {
    this.#stopPulling.abort();
    await this.#pulling;
    await this.#disk?.close();
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

  queue(): Promise<QueueView> {
    return this.#queue.look();
  }

  /** Called by intake before it takes anything: why it must refuse this tenant now, with the time to come back. As of the last look at the queue. */
  intakeRefusal(tenant: string): Fault | undefined {
    return this.#queue.refusal(tenant);
  }

  /** Called by whoever meets a fault of the storage: a full disk is tended to at once. */
  noteFault(fault: Fault): void {
    if (fault.code === 'storage_full' && this.#disk?.noteFull() === true) this.#housekeeping?.wake();
  }

  async check(connection: Connection, signal: AbortSignal): Promise<readonly CheckFinding[]> {
    const { env, redact } = this.#options;
    try {
      const findings = await connection.connector.check(this.#contextOf(connection, env.random.id(), signal));
      return findings.map((finding) => redactedFinding(finding, redact));
    } catch (error) {
      const fault = redactedFault(toFault(error), redact);
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

  /**
   * Resolves when the store's own sinks, and the external ones that take events, have settled what was in the log when it was asked, or
   * `signal` aborts. An external sink that is out, or that nobody delivers to, is not waited for: it may take days.
   */
  async settled(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.env;
    const askedMs = clock.now();
    while (!signal.aborted && (await this.#behind(askedMs))) await clock.sleep(SETTLE_LOOK_MS, signal);
  }

  async #behind(askedMs: number): Promise<boolean> {
    const { size, readers } = await this.#options.log.stats();
    if (size === 0) return false;
    const known = new Set(readers.map(({ reader }) => reader));
    return (await this.sinks()).some(
      ({ name, type, state, oldestAtMs = Number.POSITIVE_INFINITY }) =>
        (type === STORE_SINK_TYPE || state === 'delivering') && (!known.has(name) || oldestAtMs <= askedMs),
    );
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
    try {
      const run = await pullSlice(this.#pullerOptions(), {
        connection,
        stream,
        acceptDeletes,
        signal: AbortSignal.any([signal, this.#stopPulling.signal]),
      });
      if (run.code !== undefined) this.noteFault(new Fault(run.code, run.message ?? ''));
      noteRun(this.#options, run, clock.monotonic() - startMs);
      return run;
    } catch (error) {
      this.noteFault(toFault(error));
      throw error;
    }
  }

  #pullerOptions(): PullerOptions {
    const { env, log, leases, store, scheduler, redact } = this.#options;
    return {
      env,
      log,
      leases,
      store,
      redact,
      activities: this.#activities,
      mustPause: (tenant) => this.#queue.mustPause(tenant),
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
    const settings = { ...connection.guard, ...this.#shared.of(connection) };
    return createGuard(
      {
        ...settings,
        retry: {
          ...settings.retry,
          onRetry: ({ fault }) => metrics.add('connector_retries_total', { connector: name, fault: fault.code }),
        },
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
