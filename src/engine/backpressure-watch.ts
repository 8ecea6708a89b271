import type { Env } from '#core/env.ts';
import type { EventLog, LogStats } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import { Backpressure, BACKPRESSURE_RATIOS, type QueueLimits, type TenantPressure } from './backpressure.ts';
import { DrainRate, retryAfterMs } from './backpressure-drain.ts';
import type { DiskGuard, DiskView } from './disk-guard.ts';

export interface QueueView {
  readonly stats: LogStats;
  readonly limits: QueueLimits;
  /** 0 to 1, of whichever limit is nearer. */
  readonly usageRatio: number;
  /** Whether every pull pauses because of the log as a whole. */
  readonly paused: boolean;
  /** Each against its share. */
  readonly tenants: readonly TenantPressure[];
  /** Whether everybody is refused; a tenant alone is at a usage of 1. */
  readonly intake: 'open' | 'refusing';
  /** Absent: the data is in memory. */
  readonly disk?: DiskView;
}

export interface QueueWatchOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly limits: QueueLimits;
  /** Those of the configuration. */
  readonly tenants: readonly string[];
  readonly disk: DiskGuard | undefined;
}

/** How full the log and its disk are, and what follows from it for pulls and for intake. */
export class QueueWatch {
  readonly #options: QueueWatchOptions;
  readonly #backpressure: Backpressure;
  readonly #drain = new DrainRate();
  #size = 0;

  constructor(options: QueueWatchOptions) {
    this.#options = options;
    this.#backpressure = new Backpressure(options.limits, options.tenants);
  }

  async look(): Promise<QueueView> {
    const { log, limits, disk, env } = this.#options;
    await disk?.refresh();
    const stats = await log.stats();
    this.#size = stats.size;
    this.#drain.note(stats.size, env.clock.monotonic());
    const paused = this.#backpressure.update(stats);
    const { usageRatio, tenants } = this.#backpressure;
    const refusing = usageRatio >= BACKPRESSURE_RATIOS.refuse || disk?.state === 'full';
    return {
      stats,
      limits,
      usageRatio,
      paused,
      tenants,
      intake: refusing ? 'refusing' : 'open',
      ...(disk?.view && { disk: disk.view }),
    };
  }

  /** Asked by the puller between pages. */
  async mustPause(tenant: string): Promise<boolean> {
    await this.look();
    return this.#backpressure.mustPause(tenant) || (this.#options.disk?.state ?? 'ok') !== 'ok';
  }

  /** Why nothing more is taken in for this tenant, and when to come back; as of the last look. */
  refusal(tenant: string): Fault | undefined {
    const { disk } = this.#options;
    if (disk?.state === 'full')
      return new Fault('storage_full', `the disk of ${disk.place} is full`, {
        details: { place: disk.place },
        retryAtMs: this.#retryAtMs(),
      });
    const usedUp = this.#backpressure.usedUp(tenant);
    if (usedUp === undefined) return undefined;
    const what =
      usedUp === 'queue' ? 'the event log is full' : `tenant ${tenant} has used up its share of the event log`;
    return new Fault('log_full', what, { retryAtMs: this.#retryAtMs() });
  }

  // Order holds, so a tenant's newest event waits for the whole backlog, not only for its own.
  #retryAtMs(): number {
    const { clock, random } = this.#options.env;
    return clock.now() + retryAfterMs(this.#size, this.#drain.eventsPerMs(), random);
  }
}
