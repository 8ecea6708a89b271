import type { Env } from '#core/env.ts';
import { toFault } from '#core/fault.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import type { CallRecorder } from './call-recorder.ts';
import { CALL_LIMITS } from './call-recorder.ts';
import type { Engine } from './engine.ts';
import { formatHeartbeat, HEARTBEAT_INTERVAL_MS } from './heartbeat.ts';

interface HousekeepingOptions {
  readonly env: Env;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly pid: number;
  readonly writeHeartbeat: (text: string) => Promise<void>;
  readonly housekeepStorage: () => Promise<number>;
  readonly walBytes: () => number;
  readonly engine: Engine;
  readonly recorder: CallRecorder;
}

const WORKER = 'main';
const STORAGE_STEPS_MAX = 200; // per cycle, each its own short transaction: the rest goes in the next one
const FORGET_EVERY_CYCLES = 120;

/** What must happen now and then whether or not anything is pulled: heartbeat, measurements, gauges, trimming. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #cycle = 0;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  async run(stop: AbortSignal): Promise<void> {
    const { env, logger, recorder, housekeepStorage } = this.#options;
    const log = logger.child({ component: 'housekeeping' });
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        // Nothing here is worth stopping for; the next cycle tries again.
        log.warn(`${what} failed: ${toFault(error).message}`);
      }
    };
    // Unbounded on purpose: ends with the process; every pass waits.
    while (!stop.aborted) {
      await attempt('saving measurements', () => recorder.flush());
      await attempt('updating gauges', () => this.#updateGauges());
      await attempt('judging alerts', () => this.#options.engine.alerts.evaluate());
      await attempt('trimming', async () => {
        for (let step = 0; step < STORAGE_STEPS_MAX && (await housekeepStorage()) > 0; step += 1);
      });
      await attempt('the heartbeat', () => this.beat());
      if (this.#cycle % FORGET_EVERY_CYCLES === 0)
        await attempt('forgetting old measurements', () => recorder.forget());
      await env.clock.sleep(Math.min(HEARTBEAT_INTERVAL_MS, CALL_LIMITS.flushMs), stop);
    }
  }

  async beat(): Promise<void> {
    const { env, metrics, pid, writeHeartbeat, engine } = this.#options;
    this.#cycle += 1;
    const atMs = env.clock.now();
    await writeHeartbeat(formatHeartbeat({ pid, atMs, cycle: this.#cycle, runsInflight: engine.runsInflight }));
    engine.alerts.noteHeartbeat();
    metrics.set('worker_heartbeat_timestamp_seconds', { worker: WORKER }, atMs / 1000);
  }

  async #updateGauges(): Promise<void> {
    const { env, metrics, engine, walBytes } = this.#options;
    const { stats, limits, usageRatio, paused } = await engine.queue();
    metrics.set('queue_depth', {}, stats.size);
    metrics.set('queue_capacity', {}, limits.eventsMax);
    metrics.set('queue_usage_ratio', {}, usageRatio);
    metrics.set('queue_backpressure', {}, paused ? 1 : 0);
    metrics.set(
      'queue_oldest_age_seconds',
      {},
      stats.oldestAtMs === undefined ? 0 : Math.max(0, env.clock.now() - stats.oldestAtMs) / 1000,
    );
    for (const { reader, lag } of stats.readers) metrics.set('sink_lag_events', { sink: reader }, lag);
    metrics.set('worker_jobs_inflight', {}, engine.runsInflight);
    metrics.set('storage_wal_bytes', {}, walBytes());
    for (const connection of engine.connections) {
      const state = engine.circuitOf(connection);
      for (const one of ['closed', 'open', 'half_open'] as const) {
        metrics.set('connector_circuit_state', { connector: connection.connection, state: one }, one === state ? 1 : 0);
      }
    }
  }
}
