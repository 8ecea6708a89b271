import type { LogStats, TenantBacklog } from '#core/event-log.ts';

export interface QueueLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
  /** 0 to 1: what one tenant may hold of both when there are several. */
  readonly tenantShareRatio?: number;
  /** How long settled entries stay, for sinks that begin later. Absent or 0: they go at once. */
  readonly retainMs?: number;
}

/** Of the limits, or of a tenant's share of them. */
export const BACKPRESSURE_RATIOS = {
  pause: 0.8,
  resume: 0.6, // well below: between the two nothing toggles, so load noise cannot make it flutter
  refuse: 1,
} as const;

const TENANT_SHARE_RATIO = 0.5;

/** A tenant's backlog against its share. `paused`: its own pulls pause, whatever the others do. */
export interface TenantPressure extends TenantBacklog {
  readonly usageRatio: number;
  readonly paused: boolean;
}

export function usageOf({ size, bytes }: Pick<LogStats, 'size' | 'bytes'>, limits: QueueLimits): number {
  return Math.max(size / limits.eventsMax, bytes / limits.bytesMax);
}

/** Pulls pause at 80 % and resume at 60 %; webhooks are refused only at 100 %, of the whole or of a tenant's share. Nothing is ever dropped. */
export class Backpressure {
  readonly #limits: QueueLimits;
  readonly #share: QueueLimits;
  readonly #configured: readonly string[];
  #usageRatio = 0;
  #paused = false;
  #tenants: ReadonlyMap<string, TenantPressure> = new Map();

  /** `tenants`: those of the configuration. One alone has the whole queue. */
  constructor(limits: QueueLimits, tenants: readonly string[] = []) {
    const ratio = tenants.length > 1 ? (limits.tenantShareRatio ?? TENANT_SHARE_RATIO) : 1;
    this.#limits = limits;
    this.#share = { eventsMax: limits.eventsMax * ratio, bytesMax: limits.bytesMax * ratio };
    this.#configured = tenants;
  }

  /** Whether all pulls must pause, given what the log holds now. */
  update(stats: LogStats): boolean {
    this.#usageRatio = usageOf(stats, this.#limits);
    this.#paused = isPaused(this.#paused, this.#usageRatio);
    const backlogs = new Map(this.#configured.map((tenant) => [tenant, { tenant, size: 0, bytes: 0 }]));
    for (const backlog of stats.tenants) backlogs.set(backlog.tenant, backlog);
    this.#tenants = new Map([...backlogs].map(([tenant, backlog]) => [tenant, this.#pressureOf(backlog)]));
    return this.#paused;
  }

  /** As of the last update, like everything below. */
  mustPause(tenant: string): boolean {
    return this.#paused || this.#tenants.get(tenant)?.paused === true;
  }

  /** What is used up, if anything is: the whole queue, or the share of this tenant. */
  usedUp(tenant: string): 'queue' | 'share' | undefined {
    if (this.#usageRatio >= BACKPRESSURE_RATIOS.refuse) return 'queue';
    return (this.#tenants.get(tenant)?.usageRatio ?? 0) >= BACKPRESSURE_RATIOS.refuse ? 'share' : undefined;
  }

  get usageRatio(): number {
    return this.#usageRatio;
  }

  /** Those of the configuration and those that have a backlog. */
  get tenants(): readonly TenantPressure[] {
    return [...this.#tenants.values()];
  }

  #pressureOf(backlog: TenantBacklog): TenantPressure {
    const usageRatio = usageOf(backlog, this.#share);
    return { ...backlog, usageRatio, paused: isPaused(this.#tenants.get(backlog.tenant)?.paused === true, usageRatio) };
  }
}

function isPaused(paused: boolean, usageRatio: number): boolean {
  return usageRatio >= BACKPRESSURE_RATIOS.pause || (paused && usageRatio > BACKPRESSURE_RATIOS.resume);
}
