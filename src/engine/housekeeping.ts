import type { Env } from '#core/env.ts';
import { toFault } from '#core/fault.ts';
import type { Store } from '#core/store.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import type { QueueLimits } from './backpressure.ts';
import type { CallRecorder } from './call-recorder.ts';
import { CALL_LIMITS } from './call-recorder.ts';
import type { DiskGuard } from './disk-guard.ts';
import type { Engine } from './engine.ts';
import { Gauges } from './gauges.ts';
import { formatHeartbeat, HEARTBEAT_INTERVAL_MS } from './heartbeat.ts';

/**
 * One step of what the storage trims and forgets; resolves with how many rows went, 0 when nothing is left. `beforeMs`: settled entries
 * appended from then on stay (absent: none stays). `checkpoint`: the write-ahead log is merged and given back, whatever its size.
 */
export type HousekeepStorage = (step: { readonly beforeMs?: number; readonly checkpoint?: boolean }) => Promise<number>;

export interface DeadLetterLimits {
  /** Since a letter was last tried. */
  readonly retentionMs: number;
  /** Of each tenant. */
  readonly countMax: number;
}

interface HousekeepingOptions {
  readonly env: Env;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly pid: number;
  readonly queue: QueueLimits;
  readonly deadLetters?: DeadLetterLimits;
  readonly writeHeartbeat: (text: string) => Promise<void>;
  readonly housekeepStorage: HousekeepStorage;
  readonly walBytes: () => number;
  readonly engine: Engine;
  readonly recorder: CallRecorder;
  readonly disk: DiskGuard | undefined;
}

const WORKER = 'main';
const STORAGE_STEPS_MAX = 200; // per cycle, each its own short transaction: the rest goes in the next one
const LETTER_STEPS_MAX = 20; // the same for dead letters
const FORGET_EVERY_CYCLES = 120;

/** What must happen now and then whether or not anything is pulled: heartbeat, measurements, gauges, room on the disk, trimming. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #gauges: Gauges;
  #cycle = 0;
  #woken = new AbortController();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#gauges = new Gauges(options);
  }

  async run(stop: AbortSignal): Promise<void> {
    const { env, recorder, engine, disk } = this.#options;
    // Unbounded on purpose: ends with the process; every pass waits, or has trimmed what a full disk needs.
    while (!stop.aborted) {
      this.#woken = new AbortController();
      // First what makes room: everything after it writes.
      await this.#attempt('looking after the disk', async () => disk?.tend());
      const trimmed = await this.#attempt('trimming', () => this.#trim());
      await this.#attempt('saving measurements', () => recorder.flush());
      await this.#attempt('updating gauges', () => this.#gauges.update());
      await this.#attempt('judging alerts', () => engine.alerts.evaluate());
      await this.#attempt('the heartbeat', () => this.beat());
      if (this.#cycle % FORGET_EVERY_CYCLES === 0)
        await this.#attempt('forgetting old measurements', () => recorder.forget());
      await this.#attempt('forgetting dead letters', () => this.#forgetLetters());
      if (disk?.state === 'full' && trimmed === STORAGE_STEPS_MAX) continue; // as long as there is something to give back
      await env.clock.sleep(
        Math.min(HEARTBEAT_INTERVAL_MS, CALL_LIMITS.flushMs),
        AbortSignal.any([stop, this.#woken.signal]),
      );
    }
  }

  /** Ends the wait between two cycles. */
  wake(): void {
    this.#woken.abort();
  }

  async beat(): Promise<void> {
    const { env, metrics, pid, writeHeartbeat, engine } = this.#options;
    this.#cycle += 1;
    const atMs = env.clock.now();
    await writeHeartbeat(formatHeartbeat({ pid, atMs, cycle: this.#cycle, runsInflight: engine.runsInflight }));
    engine.alerts.noteHeartbeat();
    metrics.set('worker_heartbeat_timestamp_seconds', { worker: WORKER }, atMs / 1000);
  }

  /** Nothing here is worth stopping for; the next cycle tries again. */
  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const { logger, disk } = this.#options;
    try {
      return await work();
    } catch (error) {
      const fault = toFault(error);
      if (fault.code === 'storage_full') disk?.noteFull();
      logger.child({ component: 'housekeeping' }).warn(`${what} failed: ${fault.message}`);
      return undefined;
    }
  }

  /** How many steps removed something. */
  async #trim(): Promise<number> {
    const { env, queue, housekeepStorage, disk } = this.#options;
    const { retainMs = 0 } = queue;
    const state = disk?.state ?? 'ok';
    // Kept entries are a convenience for sinks to come; room is what those that are there need (ADR 0008).
    const kept = state === 'ok' && retainMs > 0 ? { beforeMs: env.clock.now() - retainMs } : {};
    for (let step = 0; step < STORAGE_STEPS_MAX; step += 1)
      if ((await housekeepStorage({ ...kept, checkpoint: state === 'full' })) === 0) return step;
    return STORAGE_STEPS_MAX;
  }

  async #forgetLetters(): Promise<void> {
    const { env, store, deadLetters: limits } = this.#options;
    if (limits === undefined) return;
    for (let step = 0; step < LETTER_STEPS_MAX; step += 1) {
      const { expired, evicted } = await store.deadLetters.forget(
        env.clock.now() - limits.retentionMs,
        limits.countMax,
      );
      if (expired + evicted === 0) return;
    }
  }
}
