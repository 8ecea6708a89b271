import type { Disk } from '#core/disk.ts';
import type { Clock } from '#core/env.ts';
import { toFault } from '#core/fault.ts';
import type { Logger } from '#telemetry/logger.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export const DISK_GUARD = {
  lookMs: 5000, // how old a look may be before another is taken
  ballastRetryMs: 600_000, // after a ballast that could not be written: a quota refuses it again, and each try writes all of it
  urgentLookMs: 1000, // between two looks that a full disk asks for
  // The larger of bytes and ratio, the latter at most so much: nobody expects 200 GiB of a large disk to be left alone.
  pause: { freeBytes: 512 * MIB, freeRatio: 0.1, ratioBytesMax: 4 * GIB },
  refuse: { freeBytes: 128 * MIB, freeRatio: 0.03, ratioBytesMax: GIB },
  recoverRatio: 1.125, // a mark is left at this much above it, so that noise around it toggles nothing
  ballastBytes: 64 * MIB, // the largest write-ahead log that is kept: its checkpoint copies all of it into the database
} as const;

/** `low`: pulls pause. `full`: intake refuses too, and everything that can be given back is. */
export const DISK_STATES = ['ok', 'low', 'full'] as const;
export type DiskState = (typeof DISK_STATES)[number];

export interface DiskLimits {
  /** Absent: the rule above. 0: never. */
  readonly pauseFreeBytes?: number | undefined;
  readonly refuseFreeBytes?: number | undefined;
  /** 0: no ballast. */
  readonly ballastBytes: number;
}

export interface DiskView {
  readonly state: DiskState;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly ballastBytes: number;
}

export interface DiskMarks {
  readonly pauseBytes: number;
  readonly refuseBytes: number;
}

/** Free bytes below which something happens. */
export function marksOf(limits: DiskLimits, totalBytes: number): DiskMarks {
  const byRule = ({ freeBytes, freeRatio, ratioBytesMax }: (typeof DISK_GUARD)['pause' | 'refuse']): number =>
    Math.max(freeBytes, Math.min(totalBytes * freeRatio, ratioBytesMax));
  return {
    pauseBytes: limits.pauseFreeBytes ?? byRule(DISK_GUARD.pause),
    refuseBytes: limits.refuseFreeBytes ?? byRule(DISK_GUARD.refuse),
  };
}

/** The whole table of transitions: a state is entered below its mark and left well above it. */
export function nextDiskState(
  current: DiskState,
  freeBytes: number,
  { pauseBytes, refuseBytes }: DiskMarks,
): DiskState {
  const below = (mark: number, held: boolean): boolean => freeBytes < (held ? mark * DISK_GUARD.recoverRatio : mark);
  if (below(refuseBytes, current === 'full')) return 'full';
  return below(pauseBytes, current !== 'ok') ? 'low' : 'ok';
}

export interface DiskGuardOptions {
  readonly disk: Disk;
  readonly limits: DiskLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Watches the room on the disk and keeps a ballast to give back: a full SQLite disk cannot even delete (ADR 0009). */
export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #log: Logger;
  #seen: DiskView | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The storage has said that it is full, and no look has yet found room for the ballast and as much again. */
  #struck = false;
  #holdAfterMs = Number.NEGATIVE_INFINITY;
  #holding: { readonly done: Promise<void>; readonly stop: AbortController } | undefined;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#log = options.logger.child({ component: 'disk' });
  }

  get place(): string {
    return this.#options.disk.place;
  }

  /** As of the last look. */
  get state(): DiskState {
    return this.#seen?.state ?? 'ok';
  }

  get view(): DiskView | undefined {
    return this.#seen && { ...this.#seen, ballastBytes: this.#options.disk.ballastBytes() };
  }

  /** Called when something could not be stored for want of room. True: tend to it at once. */
  noteFull(): boolean {
    this.#struck = true;
    return this.#options.clock.monotonic() - this.#lookedAtMs >= DISK_GUARD.urgentLookMs;
  }

  /** Looks when the last look is too old to go by. Touches nothing, and never throws: a disk that cannot be asked must not stop a pull. */
  async refresh(): Promise<void> {
    if (this.#options.clock.monotonic() - this.#lookedAtMs < DISK_GUARD.lookMs) return;
    await this.#look().catch(() => undefined); // `tend` tells
  }

  /** Called now and then by the process that runs for long: looks, then gives the ballast back or takes it. */
  async tend(): Promise<void> {
    const { disk, limits } = this.#options;
    const { freeBytes, totalBytes } = await this.#look();
    if (this.state === 'full' || limits.ballastBytes === 0) return this.#release();
    if (this.state !== 'ok') return this.#stopHolding();
    const missing = limits.ballastBytes - disk.ballastBytes();
    const { pauseBytes, refuseBytes } = marksOf(limits, totalBytes);
    // Above the marks even with the ballast in place, or taking it would be what brings the disk below them.
    if (missing !== 0 && freeBytes - missing >= Math.max(pauseBytes, refuseBytes, limits.ballastBytes)) this.#hold();
  }

  /** Ends what is being written; the next start goes on with it. */
  async close(): Promise<void> {
    await this.#stopHolding();
  }

  async #look(): Promise<DiskView> {
    const { disk, limits, clock } = this.#options;
    this.#lookedAtMs = clock.monotonic();
    const { freeBytes, totalBytes } = await disk.space();
    // Room for the ballast twice over: what was refused then was a quota or is over. Taken back earlier it would fill the disk again.
    if (freeBytes >= 2 * limits.ballastBytes) this.#struck = false;
    const before = this.state;
    const state = this.#struck ? 'full' : nextDiskState(before, freeBytes, marksOf(limits, totalBytes));
    this.#seen = { state, freeBytes, totalBytes, ballastBytes: disk.ballastBytes() };
    if (state !== before) this.#tell(this.#seen);
    return this.#seen;
  }

  #tell({ state, freeBytes, totalBytes }: DiskView): void {
    const extra = { free_bytes: freeBytes, total_bytes: totalBytes };
    const left = `${Math.floor(freeBytes / MIB)} MiB free`;
    if (state === 'ok') this.#log.info(`the disk of ${this.place} has room again, ${left}: pulls go on`, extra);
    else if (state === 'low') this.#log.warn(`the disk of ${this.place} is nearly full, ${left}: pulls pause`, extra);
    else
      this.#log.error(`the disk of ${this.place} is full, ${left}: nothing more is accepted; free some space`, extra);
  }

  /** In the background: it may take seconds, and nothing waits for it. */
  #hold(): void {
    const { disk, limits, clock } = this.#options;
    if (this.#holding !== undefined || clock.monotonic() < this.#holdAfterMs) return;
    const stop = new AbortController();
    const done = disk
      .holdBallast(limits.ballastBytes, stop.signal)
      .catch((error: unknown) => {
        this.#holdAfterMs = clock.monotonic() + DISK_GUARD.ballastRetryMs;
        this.#log.warn(`the ballast could not be written: ${toFault(error).message}`);
      })
      .finally(() => {
        this.#holding = undefined;
      });
    this.#holding = { done, stop };
  }

  async #release(): Promise<void> {
    await this.#stopHolding();
    const { disk } = this.#options;
    const bytes = disk.ballastBytes();
    if (bytes === 0) return;
    await disk.releaseBallast();
    this.#log.warn(`gave ${Math.round(bytes / MIB)} MiB of ballast back to the disk of ${this.place}`);
  }

  async #stopHolding(): Promise<void> {
    this.#holding?.stop.abort();
    await this.#holding?.done;
  }
}
