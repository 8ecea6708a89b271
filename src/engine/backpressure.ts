import type { LogStats } from '#core/event-log.ts';

export interface QueueLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

const PAUSE_RATIO = 0.8;
const RESUME_RATIO = 0.6; // well below: between the two nothing toggles, so load noise cannot make it flutter

export function usageOf(stats: LogStats, limits: QueueLimits): number {
  return Math.max(stats.size / limits.eventsMax, stats.bytes / limits.bytesMax);
}

/** Pulls pause at 80 % and resume at 60 %; webhooks are refused only at 100 %. Nothing is ever dropped. */
export class Backpressure {
  readonly #limits: QueueLimits;
  #paused = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Whether pulls must pause, given what the log holds now. */
  update(stats: LogStats): boolean {
    const usage = usageOf(stats, this.#limits);
    if (usage >= PAUSE_RATIO) this.#paused = true;
    else if (usage <= RESUME_RATIO) this.#paused = false;
    return this.#paused;
  }
}
