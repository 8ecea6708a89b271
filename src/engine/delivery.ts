import type { DeadLetterStore } from '#core/dead-letter.ts';
import type { Env } from '#core/env.ts';
import type { DeadLetterDraft, EventLog } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import { partitionLeaseName } from '#core/names.ts';
import { PARTITIONS } from '#core/partition.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { callWithin, endedOrAborted } from './bounded-call.ts';
import { DELIVERY_LIMITS, OUTAGE_BACKOFF } from './delivery-limits.ts';
import type { DeliveryLoop, OutcomeCounts } from './delivery-loop.ts';
import type { Target } from './delivery-target.ts';
import { keepLease } from './lease-keeper.ts';
import { PartitionDelivery } from './partition-delivery.ts';
import { Permits } from './permits.ts';
import { SinkHealth } from './sink-health.ts';

export { DELIVERY_LIMITS } from './delivery-limits.ts';
export { builtInTarget, externalTarget } from './delivery-target.ts';

export interface DeliveryOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly owner: string;
  /** Absent: no dead letter is put back. */
  readonly letters?: Pick<DeadLetterStore, 'queued' | 'settle'>;
  /** Counted tries of one event. */
  readonly attemptsMax?: number;
  /** Made by who wants to look at it; otherwise one of its own. */
  readonly health?: SinkHealth;
  readonly onBatch?: (sink: string, counts: OutcomeCounts, durationMs: number) => void;
  readonly onFault?: (sink: string, fault: Fault, nextInMs: number) => void;
  readonly onDeadLetter?: (sink: string, letter: DeadLetterDraft) => void;
}

interface Delivery extends DeliveryLoop {
  readonly leases: Leases;
  readonly owner: string;
}

export function healthOf(target: Target, { env, onFault }: Pick<DeliveryOptions, 'env' | 'onFault'>): SinkHealth {
  const ping = target.kind === 'external' ? (signal: AbortSignal) => target.sink.ping(signal) : undefined;
  return new SinkHealth({ name: target.name, env, ping, onFault });
}

/** One loop per partition of one sink, each under its own lease. Ends when `stop` aborts and the batches in hand have settled. */
export async function deliverAll(options: DeliveryOptions, target: Target, stop: AbortSignal): Promise<void> {
  const delivery: Delivery = {
    ...options,
    target,
    health: options.health ?? healthOf(target, options),
    permits: new Permits(DELIVERY_LIMITS.batchesInFlightMax),
    attemptsMax: options.attemptsMax ?? DELIVERY_LIMITS.attemptsMax,
  };
  delivery.health.begin(stop);
  const { log } = options;
  if (!(await untilDone(delivery, stop, () => log.register(target.name, target.from)))) return;
  if (!(await untilDone(delivery, stop, () => open(delivery, stop)))) return;
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => deliverPartition(delivery, partition, stop)));
  await close(delivery, stop);
}

/** Tries until it works, with growing waits; false when `stop` came first. */
async function untilDone(delivery: Delivery, stop: AbortSignal, work: () => Promise<void>): Promise<boolean> {
  const { env, health, target, onFault } = delivery;
  for (let attempt = 0; !stop.aborted; attempt += 1) {
    try {
      await work();
      health.goesOn('open');
      return true;
    } catch (error) {
      const fault = toFault(error);
      const nextInMs = computeBackoffMs({ attempt, policy: OUTAGE_BACKOFF, random: env.random });
      health.hold('open', fault);
      onFault?.(target.name, fault, nextInMs);
      await env.clock.sleep(nextInMs, stop);
    }
  }
  return false;
}

async function open({ env, health, target }: Delivery, stop: AbortSignal): Promise<void> {
  if (target.kind === 'built_in') return;
  const { openMs, graceMs } = DELIVERY_LIMITS;
  const what = `opening sink ${target.name}`;
  const call = (signal: AbortSignal): Promise<void> => target.sink.open(signal);
  const ended = await callWithin(env.clock, { what, timeoutMs: openMs, graceMs, stop, call });
  if (ended.state === 'value') return;
  if (ended.state === 'hanging') {
    health.hold('open', ended.fault);
    await endedOrAborted(ended.back, stop);
  }
  throw ended.fault;
}

async function close({ env, target }: Delivery, stop: AbortSignal): Promise<void> {
  if (target.kind === 'built_in') return;
  // `stop` has aborted by now: the sink has the grace to close, and no failure of it keeps Weir from ending.
  const call = (): Promise<void> => target.sink.close();
  await callWithin(env.clock, {
    what: `closing sink ${target.name}`,
    timeoutMs: 0,
    graceMs: DELIVERY_LIMITS.graceMs,
    stop,
    call,
  });
}

async function deliverPartition(delivery: Delivery, partition: number, stop: AbortSignal): Promise<void> {
  const { env, health, leases, owner, target } = delivery;
  let hanging: Promise<unknown> | undefined;
  // Unbounded on purpose: ends with `stop`; every pass waits for a lease, for entries or for a backoff.
  while (!stop.aborted) {
    // A write of an ownership that was lost meanwhile: two at once never, not even under two leases.
    if (hanging !== undefined) {
      health.hold(partition, new Fault('sink_unavailable', `a write to sink ${target.name} has not come back`));
      await endedOrAborted(hanging, stop);
      health.goesOn(partition);
    }
    // A lease that cannot be asked for is like one that another holds: look again.
    const lease = await keepLease(leases, env.clock, partitionLeaseName(target.name, partition), owner).catch(
      () => undefined,
    );
    if (lease === undefined) {
      await env.clock.sleep(DELIVERY_LIMITS.leaseRetryMs, stop);
      continue;
    }
    try {
      const signal = AbortSignal.any([stop, lease.lost]);
      ({ hanging } = await new PartitionDelivery(delivery, { partition, fence: lease.fence, signal }).run());
    } finally {
      await lease.release();
    }
  }
}
