import type { Env } from '#core/env.ts';
import type { FaultCode } from '#core/fault.ts';
import type { Store } from '#core/store.ts';
import { LABELS } from '#telemetry/metric-table.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import type { TenantPressure } from './backpressure.ts';
import type { QueueView } from './backpressure-watch.ts';
import { DISK_STATES, type DiskView } from './disk-guard.ts';
import type { Engine } from './engine.ts';

export const GAUGE_LIMITS = {
  tenantsMax: 20, // tenants that get a series in one look: those with the fullest share
  tenantSeriesMax: 100, // over all looks; a tenant keeps its series once it has one
  lettersEveryMs: 60_000, // grouping the dead letters reads all of them
} as const;

export interface GaugesOptions {
  readonly env: Env;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly engine: Engine;
  readonly walBytes: () => number;
}

/** What is measured by looking, not by counting. */
export class Gauges {
  readonly #options: GaugesOptions;
  readonly #tenants = new Set<string>();
  #letters: ReadonlyMap<string, Letters> = new Map();
  #lettersAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GaugesOptions) {
    this.#options = options;
  }

  async update(): Promise<void> {
    const { metrics, engine, walBytes } = this.#options;
    const queue = await engine.queue();
    this.#setQueue(queue);
    this.#setTenants(queue.tenants);
    if (queue.disk !== undefined) this.#setDisk(queue.disk);
    metrics.set('worker_jobs_inflight', {}, engine.runsInflight);
    metrics.set('storage_wal_bytes', {}, walBytes());
    for (const connection of engine.connections) {
      const state = engine.circuitOf(connection);
      for (const one of ['closed', 'open', 'half_open'] as const) {
        metrics.set('connector_circuit_state', { connector: connection.connection, state: one }, one === state ? 1 : 0);
      }
    }
    await this.#setSinks();
    await this.#setLetters();
  }

  #setQueue({ stats, limits, usageRatio, paused }: QueueView): void {
    const { env, metrics } = this.#options;
    metrics.set('queue_depth', {}, stats.size);
    metrics.set('queue_capacity', {}, limits.eventsMax);
    metrics.set('queue_usage_ratio', {}, usageRatio);
    metrics.set('queue_backpressure', {}, paused ? 1 : 0);
    metrics.set('queue_oldest_age_seconds', {}, ageMs(stats.oldestAtMs, env.clock.now()) / 1000);
    for (const { reader, lag } of stats.readers) metrics.set('sink_lag_events', { sink: reader }, lag);
  }

  #setTenants(tenants: readonly TenantPressure[]): void {
    if (tenants.length < 2) return; // one alone is the queue itself
    const fullest = tenants.toSorted((a, b) => b.usageRatio - a.usageRatio).slice(0, GAUGE_LIMITS.tenantsMax);
    for (const { tenant } of fullest) if (this.#tenants.size < GAUGE_LIMITS.tenantSeriesMax) this.#tenants.add(tenant);
    const usage = new Map(tenants.map(({ tenant, usageRatio }) => [tenant, usageRatio]));
    for (const tenant of this.#tenants)
      this.#options.metrics.set('queue_tenant_usage_ratio', { tenant }, usage.get(tenant) ?? 0);
  }

  #setDisk({ state, freeBytes, ballastBytes }: DiskView): void {
    const { metrics } = this.#options;
    metrics.set('disk_free_bytes', {}, freeBytes);
    metrics.set('disk_ballast_bytes', {}, ballastBytes);
    for (const one of DISK_STATES) metrics.set('disk_state', { level: one }, one === state ? 1 : 0);
  }

  async #setSinks(): Promise<void> {
    const { metrics, engine } = this.#options;
    for (const { name: sink, state, suspects } of await engine.sinks()) {
      for (const one of LABELS.condition) metrics.set('sink_state', { sink, condition: one }, one === state ? 1 : 0);
      metrics.set('sink_suspect_attempts', { sink }, Math.max(0, ...suspects.map(({ attempts }) => attempts)));
    }
  }

  async #setLetters(): Promise<void> {
    const { env, store, metrics, engine } = this.#options;
    if (env.clock.monotonic() - this.#lettersAtMs < GAUGE_LIMITS.lettersEveryMs) return;
    this.#lettersAtMs = env.clock.monotonic();
    const tenants = [...new Set(engine.connections.map(({ tenant }) => tenant))];
    const found = new Map<string, Letters>();
    for (const { stage: sink, code: reason, count } of await store.deadLetters.groups({ tenants })) {
      const key = `${sink}/${reason}`;
      found.set(key, { sink, reason, count: count + (found.get(key)?.count ?? 0) });
    }
    // What is gone is 0, or its last number would stand for ever.
    for (const [key, { sink, reason }] of this.#letters)
      if (!found.has(key)) metrics.set('dlq_depth', { sink, reason }, 0);
    for (const { sink, reason, count } of found.values()) metrics.set('dlq_depth', { sink, reason }, count);
    this.#letters = found;
  }
}

interface Letters {
  readonly sink: string;
  readonly reason: FaultCode;
  readonly count: number;
}

function ageMs(atMs: number | undefined, nowMs: number): number {
  return atMs === undefined ? 0 : Math.max(0, nowMs - atMs);
}
