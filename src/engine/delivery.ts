import type { Env } from '#core/env.ts';
import type { DeadLetterDraft, EventLog, LogEntry } from '#core/event-log.ts';
import { toFault, type Fault } from '#core/fault.ts';
import type { Fence, Leases } from '#core/leases.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import type { BuiltInSink, Sink, WriteResult } from '#core/sink.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { keepLease } from './lease-keeper.ts';
import { Permits } from './permits.ts';

export const DELIVERY_LIMITS = {
  batchEventsMax: 256,
  batchesInFlightMax: 8, // of one sink: bounds the parsed events in memory, whatever the number of partitions
  leaseRetryMs: 1000, // how soon a partition that somebody else owns is asked for again
  backoff: { baseMs: 400, factor: 2, capMs: 60_000, jitter: 'proportional', jitterRatio: 0.2, attemptsMax: Number.POSITIVE_INFINITY },
} as const;

export interface DeliveryOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly owner: string;
  readonly onBatch?: (sink: string, result: 'written' | 'stale' | 'retry' | 'reject', events: number, durationMs: number) => void;
  readonly onFault?: (sink: string, fault: Fault, nextInMs: number) => void;
}

/** What a delivery loop does with a batch; how the position is committed is the only difference between kinds of sinks. */
interface Target {
  readonly name: string;
  /** Positions settled so far. `fault`: the rest must be tried again later. */
  deliver(partition: number, entries: readonly LogEntry[], fence: Fence, signal: AbortSignal): Promise<Delivered>;
}

interface Delivered {
  readonly state: 'settled' | 'fenced' | 'retry';
  readonly fault?: Fault;
}

/** Rows and position in one transaction: exactly once. */
export function builtInTarget(sink: BuiltInSink): Target {
  return {
    name: sink.name,
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
    async deliver(partition, entries, fence, signal) {
      const results = await sink.write(entries, signal);
      const settled = settledPrefix(entries, results);
      const last = settled.at(-1);
      if (last !== undefined) {
        const letters = deadLettersOf(settled, results);
        if ((await log.commit(sink.name, partition, last.position, fence, letters)) === 'fenced') return { state: 'fenced' };
      }
      const stuck = results[settled.length];
      return stuck?.outcome === 'retry' ? { state: 'retry', fault: stuck.fault } : { state: 'settled' };
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
    return result?.outcome === 'reject' ? [{ entry, code: result.fault.code, message: result.fault.message, attempts: 1 }] : [];
  });
}

/** What every loop of one sink shares. */
interface Loop extends DeliveryOptions {
  readonly target: Target;
  readonly permits: Permits;
}

/** One loop per partition of one sink, each under its own lease. Ends when `stop` aborts and the batches in hand have settled. */
export async function deliverAll(options: DeliveryOptions, target: Target, stop: AbortSignal): Promise<void> {
  await options.log.register(target.name);
  const loop: Loop = { ...options, target, permits: new Permits(DELIVERY_LIMITS.batchesInFlightMax) };
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => deliverPartition(loop, partition, stop)));
}

async function deliverPartition(loop: Loop, partition: number, stop: AbortSignal): Promise<void> {
  const { env, leases, owner, target } = loop;
  // Unbounded on purpose: ends with `stop`; every pass waits for a lease, for entries or for a backoff.
  while (!stop.aborted) {
    const lease = await keepLease(leases, env.clock, partitionLeaseName(target.name, partition), owner);
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
    await log.wait(target.name, partition, signal);
    if (signal.aborted) return;
    const delivered = await loop.permits.run(() => deliverBatch(loop, partition, fence, signal));
    if (delivered.state === 'fenced') return;
    if (delivered.fault === undefined) {
      failures = 0;
      continue;
    }
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
    onBatch?.(target.name, delivered.fault === undefined ? 'written' : 'retry', entries.length, env.clock.monotonic() - startMs);
    return delivered;
  } catch (error) {
    onBatch?.(target.name, 'retry', entries.length, env.clock.monotonic() - startMs);
    return { state: 'retry', fault: toFault(error) };
  }
}
