import type { Random } from '#core/env.ts';

export const DRAIN_LIMITS = {
  windowMs: 60_000, // how far back the rate looks
  sampleEveryMs: 1000,
  waitMsMin: 5000,
  waitMsMax: 300_000, // also while nothing drains at all
  jitterRatio: 0.2, // on top of the bounds: all who were refused in one second come back apart
} as const;

/** How fast the backlog shrinks, seen from samples of its size on the monotonic clock (I10). What arrives meanwhile makes it look slower, never faster. */
export class DrainRate {
  #samples: readonly { readonly size: number; readonly atMs: number }[] = [];

  note(size: number, nowMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && nowMs - last.atMs < DRAIN_LIMITS.sampleEveryMs) return;
    const kept = this.#samples.filter(({ atMs }) => nowMs - atMs <= DRAIN_LIMITS.windowMs);
    this.#samples = [...kept, { size, atMs: nowMs }];
  }

  eventsPerMs(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    const drained = this.#samples.reduce(
      (sum, { size }, index) => sum + Math.max(0, (this.#samples[index - 1]?.size ?? size) - size),
      0,
    );
    return drained / (last.atMs - first.atMs);
  }
}

/** After how long it is worth sending again: when the backlog of now has drained. */
export function retryAfterMs(backlog: number, eventsPerMs: number, random: Pick<Random, 'float'>): number {
  const { waitMsMin, waitMsMax, jitterRatio } = DRAIN_LIMITS;
  const waitMs = eventsPerMs > 0 ? Math.min(waitMsMax, Math.max(waitMsMin, backlog / eventsPerMs)) : waitMsMax;
  return Math.round(waitMs * (1 + jitterRatio * (2 * random.float() - 1)));
}
