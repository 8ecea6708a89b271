import type { Env } from '#core/env.ts';
import type { DeadLetterDraft, EventLog, LogEntry } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { Fence, Leases } from '#core/leases.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import type { BuiltInSink, Sink, WriteResult } from '#core/sink.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { keepLease } from './lease-keeper.ts';
import { Permits } from './permits.ts';

export const DELIVERY_LIMITS = {
  batchEventsMax: 256,
  batchesInFlightMax: 4, // of one sink: bounds the parsed events in memory, whatever the number of partitions
  leaseRetryMs: 1000, // how soon a partition that somebody else owns is asked for again
  backoff: {
    baseMs: 400,
    factor: 2,
    capMs: 60_000,
    jitter: 'proportional',
    jitterRatio: 0.2,
    attemptsMax: Number.POSITIVE_INFINITY,
  },
} as const;

export interface DeliveryOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly owner: string;
  readonly onBatch?: (
    sink: string,
    result: 'written' | 'stale' | 'retry' | 'reject',
    events: number,
    durationMs: number,
  ) => void;
  readonly onFault?: (sink: string, fault: Fault, nextInMs: number) => void;
}

/** What a delivery loop does with a batch; how the position is committed is the only difference between kinds of sinks. */
interface Target {
  readonly name: string;
  /** Called once before the first batch; tried again until it does not throw. */
  open(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  /** Positions settled so far. `fault`: the rest must be tried again later. */
  deliver(partition: number, entries: readonly LogEntry[], fence: Fence, signal: AbortSignal): Promise<Delivered>;
}

interface Delivered {
  readonly state: 'settled' | 'fenced' | 'retry';
  readonly fault?: Fault;
  /** A try that settled something begins its waits anew. */
  readonly moved?: boolean;
}

/** Rows and position in one transaction: exactly once. */
export function builtInTarget(sink: BuiltInSink): Target {
  return {
    name: sink.name,
    open: () => Promise.resolve(),
    close: () => Promise.resolve(),
    async deliver(partition, entries, fence) {
      const done = await sink.apply(partition, entries, fence);
      return { state: done === 'fenced' ? 'fenced' : 'settled' };
    },
  };
}

/** Write first, position after the sink has confirmed: at least once, and the version guard makes it once in effect (I4). */
export function externalTarget(sink: Sink, log: EventLog): Target {
  return {
    name: sink.name,
    open: (signal) => sink.open(signal),
    close: () => sink.close(),
    async deliver(partition, entries, fence, signal) {
      const results = await sink.write(entries, signal);
      // An answer that leaves events out says nothing of any of them: nothing is settled.
      if (results.length !== entries.length)
        throw new Fault(
          'sink_unavailable',
          `sink ${sink.name} gave ${results.length} results for ${entries.length} events`,
        );
      const settled = settledPrefix(entries, results);
      const last = settled.at(-1);
      if (last !== undefined) {
        const letters = deadLettersOf(settled, results);
        if ((await log.commit(sink.name, partition, last.position, fence, letters)) === 'fenced')
          return { state: 'fenced' };
      }
      const stuck = results[settled.length];
      return stuck?.outcome === 'retry'
        ? { state: 'retry', fault: stuck.fault, moved: settled.length > 0 }
        : { state: 'settled' };
    },
  };
}

// The position may only pass what is confirmed or a dead letter, so it stops before the first event to be tried again (I3, I5).
function settledPrefix(entries: readonly LogEntry[], results: readonly WriteResult[]): readonly LogEntry[] {
  const stuck = results.findIndex((result) => result.outcome === 'retry');
  return stuck < 0 ? entries : entries.slice(0, stuck);
}

function deadLettersOf(settled: readonly LogEntry[], results: readonly WriteResult[]): readonly DeadLetterDraft[] {
  return settled.flatMap((entry, index) => {
    const result = results[index];
    return result?.outcome === 'reject'
      ? [{ entry, code: result.fault.code, message: result.fault.message, attempts: 1 }]
      : [];
  });
}

/** What every loop of one sink shares. */
interface Loop extends DeliveryOptions {
  readonly target: Target;
  readonly permits: Permits;
}

/** One loop per partition of one sink, each under its own lease. Ends when `stop` aborts and the batches in hand have settled. */
export async function deliverAll(options: DeliveryOptions, target: Target, stop: AbortSignal): Promise<void> {
  const loop: Loop = { ...options, target, permits: new Permits(DELIVERY_LIMITS.batchesInFlightMax) };
  const ready = await untilDone(loop, stop, async () => {
    await options.log.register(target.name);
    await target.open(stop);
  });
  if (!ready) return;
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => deliverPartition(loop, partition, stop)));
  await target.close();
}

/** Tries until it works, with growing waits; false when `stop` came first. */
async function untilDone(
  { env, target, onFault }: Loop,
  stop: AbortSignal,
  work: () => Promise<void>,
): Promise<boolean> {
  for (let attempt = 0; !stop.aborted; attempt += 1) {
    try {
      await work();
      return true;
    } catch (error) {
      const nextInMs = computeBackoffMs({ attempt, policy: DELIVERY_LIMITS.backoff, random: env.random });
      onFault?.(target.name, toFault(error), nextInMs);
      await env.clock.sleep(nextInMs, stop);
    }
  }
  return false;
}

async function deliverPartition(loop: Loop, partition: number, stop: AbortSignal): Promise<void> {
  const { env, leases, owner, target } = loop;
  // Unbounded on purpose: ends with `stop`; every pass waits for a lease, for entries or for a backoff.
  while (!stop.aborted) {
    // A lease that cannot be asked for is like one that another holds: look again.
    const lease = await keepLease(leases, env.clock, partitionLeaseName(target.name, partition), owner).catch(
      () => undefined,
    );
    if (lease === undefined) {
      await env.clock.sleep(DELIVERY_LIMITS.leaseRetryMs, stop);
      continue;
    }
    try {
      await deliverOwned(loop, partition, lease.fence, AbortSignal.any([stop, lease.lost]));
    } finally {
      await lease.release();
    }
  }
}

async function deliverOwned(loop: Loop, partition: number, fence: Fence, signal: AbortSignal): Promise<void> {
  const { env, log, target } = loop;
  let failures = 0;
  while (!signal.aborted) {
    await log.wait(target.name, partition, signal).catch(() => env.clock.sleep(DELIVERY_LIMITS.leaseRetryMs, signal));
    if (signal.aborted) return;
    const delivered = await loop.permits.run(() => deliverBatch(loop, partition, fence, signal));
    if (delivered.state === 'fenced') return;
    if (delivered.fault === undefined) {
      failures = 0;
      continue;
    }
    if (delivered.moved === true) failures = 0;
    // I6: the sink's failure uses up nothing and drops nothing; the partition waits in place, so order holds (I5).
    const nextInMs = computeBackoffMs({ attempt: failures, policy: DELIVERY_LIMITS.backoff, random: env.random });
    failures += 1;
    loop.onFault?.(target.name, delivered.fault, nextInMs);
    await env.clock.sleep(nextInMs, signal);
  }
}

async function deliverBatch(loop: Loop, partition: number, fence: Fence, signal: AbortSignal): Promise<Delivered> {
  const { env, log, target, onBatch } = loop;
  const startMs = env.clock.monotonic();
  let entries: readonly LogEntry[] = [];
  try {
    entries = await log.read(target.name, partition, DELIVERY_LIMITS.batchEventsMax);
    if (entries.length === 0) return { state: 'settled' };
    const delivered = await target.deliver(partition, entries, fence, signal);
    onBatch?.(
      target.name,
      delivered.fault === undefined ? 'written' : 'retry',
      entries.length,
      env.clock.monotonic() - startMs,
    );
    return delivered;
  } catch (error) {
    onBatch?.(target.name, 'retry', entries.length, env.clock.monotonic() - startMs);
    return { state: 'retry', fault: toFault(error) };
  }
}
