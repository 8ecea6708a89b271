import type { Env } from '#core/env.ts';
import { toFault } from '#core/fault.ts';
import type { StreamRef } from '#core/names.ts';
import type { Run, StreamStore } from '#core/store.ts';
import { streamsOf, type Connection } from './connection.ts';
import { FairQueue } from './fair-queue.ts';
import { nextDue, plannedMs } from './next-due.ts';

export interface SchedulerLimits {
  readonly runsMax: number;
  readonly runsPerTypeMax: number;
  readonly sliceMs: number;
}

interface Task {
  readonly connection: Connection;
  readonly of: StreamRef;
  /** On the monotonic clock: a stepped wall clock neither hastens nor delays a pull (I10). */
  dueMs: number;
  /** The same moment for people, as it was when it was planned. */
  dueAtMs: number;
  failures: number;
  running: boolean;
  /** Woken while it ran: due again as soon as the run has ended. */
  woken: boolean;
}

export interface SchedulerOptions {
  readonly env: Env;
  readonly streams: StreamStore;
  readonly limits: SchedulerLimits;
  readonly pull: (connection: Connection, stream: string, signal: AbortSignal) => Promise<Run>;
  readonly onError: (message: string) => void;
}

const IDLE_MS_MAX = 60_000;
const RETRY_AFTER_ERROR_MS = 5000;
const STATED_WAIT_MS_MAX = 24 * 60 * 60_000; // longest wait that a source's own word is believed for across a restart

/** Decides which due stream runs next: fair across tenants, at most so many at once per connector type and in all. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #fair: FairQueue;
  readonly #tasks: Task[] = [];
  readonly #runs = new Set<Promise<void>>();
  #changed = new AbortController();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#fair = new FairQueue(options.limits.sliceMs);
  }

  /** Reads when each stream was due. What is left of a wait is never more than the whole of it, however far the clock was set back. */
  async load(connections: readonly Connection[]): Promise<void> {
    const { clock } = this.#options.env;
    for (const connection of connections.filter(({ enabled }) => enabled)) {
      for (const stream of streamsOf(connection)) {
        const of: StreamRef = { tenant: connection.tenant, connection: connection.connection, stream };
        const state = await this.#options.streams.get(of);
        const nowMs = clock.now();
        const longestMs =
          state?.statedWaitMs === undefined
            ? plannedMs(connection.schedule, nowMs) - nowMs
            : Math.min(state.statedWaitMs, STATED_WAIT_MS_MAX);
        const task: Task = {
          connection,
          of,
          dueMs: 0,
          dueAtMs: nowMs,
          failures: state?.failures ?? 0,
          running: false,
          woken: false,
        };
        this.#plan(task, Math.min(Math.max(0, (state?.dueAtMs ?? nowMs) - nowMs), longestMs), nowMs);
        this.#tasks.push(task);
      }
    }
  }

  nextRunAtMs(of: StreamRef): number | undefined {
    return this.#find(of)?.dueAtMs;
  }

  /** Makes a stream due now. */
  wake(of: StreamRef): void {
    const task = this.#find(of);
    if (task === undefined) return;
    task.woken = task.running;
    this.#plan(task, 0);
    this.#changed.abort();
  }

  get inflight(): number {
    return this.#runs.size;
  }

  /** Runs until `stop` aborts, then until the slices that are going on have ended. */
  async run(stop: AbortSignal): Promise<void> {
    // Unbounded on purpose: ends with the process; every pass waits on the clock or on a run, so it cannot spin.
    while (!stop.aborted) {
      this.#startDue(stop);
      this.#changed = new AbortController();
      await this.#options.env.clock.sleep(this.#idleMs(), AbortSignal.any([stop, this.#changed.signal]));
    }
    await Promise.all(this.#runs);
  }

  #startDue(stop: AbortSignal): void {
    // Bounded by runsMax: each pass starts one run.
    for (;;) {
      const ready = this.#ready();
      const tenant = this.#fair.pick(new Set(ready.map((task) => task.of.tenant)));
      const task = ready.filter((one) => one.of.tenant === tenant).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (task === undefined) return;
      task.running = true;
      const run = this.#runTask(task, stop).finally(() => {
        this.#runs.delete(run);
        task.running = false;
        if (task.woken) this.#plan(task, 0);
        task.woken = false;
        this.#changed.abort();
      });
      this.#runs.add(run);
    }
  }

  #ready(): readonly Task[] {
    const { runsMax, runsPerTypeMax } = this.#options.limits;
    if (this.#runs.size >= runsMax) return [];
    const nowMs = this.#options.env.clock.monotonic();
    const running = new Map<string, number>();
    for (const { connection } of this.#tasks.filter((task) => task.running)) {
      running.set(connection.connector.type, (running.get(connection.connector.type) ?? 0) + 1);
    }
    return this.#tasks.filter(
      (task) =>
        !task.running && task.dueMs <= nowMs && (running.get(task.connection.connector.type) ?? 0) < runsPerTypeMax,
    );
  }

  async #runTask(task: Task, stop: AbortSignal): Promise<void> {
    const { env, pull, streams, onError } = this.#options;
    const startMs = env.clock.monotonic();
    try {
      const run = await pull(task.connection, task.of.stream, stop);
      task.failures = run.outcome === 'failed' ? task.failures + 1 : 0;
      const outcome = run.outcome === 'running' ? 'failed' : run.outcome;
      // Both ends of the wait by the clock of the run: one that was set since then changes nothing of its length (I10).
      const endedAtMs = run.endedAtMs ?? env.clock.now();
      const due = nextDue(
        { outcome, code: run.code, resumeAtMs: run.resumeAtMs, failures: task.failures },
        task.connection.schedule,
        endedAtMs,
        env.random,
      );
      const waitMs = Math.max(0, due.atMs - endedAtMs);
      this.#plan(task, waitMs);
      await streams.schedule(task.of, task.dueAtMs, task.failures, due.stated ? Math.ceil(waitMs) : undefined);
    } catch (error) {
      // A run reports the source's failures itself; what arrives here is ours: a store that cannot write, a second puller.
      const fault = toFault(error);
      if (fault.code !== 'already_running') onError(`${task.of.connection}/${task.of.stream}: ${fault.message}`);
      this.#plan(task, RETRY_AFTER_ERROR_MS);
    } finally {
      this.#fair.charge(task.of.tenant, env.clock.monotonic() - startMs);
    }
  }

  #plan(task: Task, waitMs: number, nowMs = this.#options.env.clock.now()): void {
    task.dueAtMs = Math.ceil(nowMs + waitMs);
    task.dueMs = this.#options.env.clock.monotonic() + waitMs;
  }

  #idleMs(): number {
    const nowMs = this.#options.env.clock.monotonic();
    const waits = this.#tasks.filter((task) => !task.running && task.dueMs > nowMs).map((task) => task.dueMs - nowMs);
    return Math.min(IDLE_MS_MAX, ...waits);
  }

  #find(of: StreamRef): Task | undefined {
    return this.#tasks.find(
      (task) => task.of.tenant === of.tenant && task.of.connection === of.connection && task.of.stream === of.stream,
    );
  }
}
