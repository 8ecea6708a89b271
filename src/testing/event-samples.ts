// Events, batches and deliveries for the contract suites. Every value is fixed or given: the same call gives the same event.

import { sealEvent, type EventDraft, type SealedEvent } from '#core/event.ts';
import type { AppendResult, Checkpoint, LogEntry } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName, type StreamRef } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { BuiltInSink } from '#core/sink.ts';
import type { StorageSession } from './engine-harness.ts';

/** Longer than any test lets pass, so that only tests about leases see them end. */
export const LEASE_TTL_MS = 1e9;
export const ALL_PARTITIONS: readonly number[] = Array.from({ length: PARTITIONS }, (_, partition) => partition);
export const SAMPLE_STREAM: StreamRef = { tenant: 'a', connection: 'wiki', stream: 'pages' };
export const SAMPLE_TIME = '2026-01-01T10:00:00.000Z';

export interface SampleOptions extends Partial<EventDraft> {
  readonly of?: StreamRef;
}

/** One sealed event: a document of `SAMPLE_STREAM` unless told otherwise. */
export function sample({ of = SAMPLE_STREAM, ...draft }: SampleOptions = {}): SealedEvent {
  const defaults = {
    kind: 'document',
    op: 'upsert',
    key: 'page-1',
    version: 1,
    time: SAMPLE_TIME,
    data: null,
  } as const;
  return sealEvent({ ...of, connector: 'sample' }, { ...defaults, ...draft });
}

/** `count` events with keys `prefix-0`, `prefix-1`, …: over many keys every partition gets its share. */
export function samples(count: number, prefix = 'page', options: SampleOptions = {}): SealedEvent[] {
  return Array.from({ length: count }, (_, index) => sample({ ...options, key: `${prefix}-${index}` }));
}

export function idsOf(of: readonly (LogEntry | SealedEvent)[]): string[] {
  return of.map((one) => one.event.id);
}

export function partitionOfEvent(
  session: StorageSession,
  sealed: { readonly event: { readonly tenant: string; readonly key: string } },
): number {
  return partitionOf(session.harness.partitionSecret, sealed.event.tenant, sealed.event.key);
}

export function partitionsOfEvents(session: StorageSession, events: readonly SealedEvent[]): number[] {
  return [...new Set(events.map((sealed) => partitionOfEvent(session, sealed)))];
}

/** The owner's fence: the one it has when that can be renewed, else a new one. */
export async function hold(
  session: StorageSession,
  lease: string,
  owner = 'owner',
  ttlMs = LEASE_TTL_MS,
): Promise<Fence> {
  const id = `${lease} ${owner}`;
  const known = session.fences.get(id);
  if (known !== undefined && (await session.leases.renew(known, ttlMs))) return known;
  const fence = await session.leases.acquire(lease, owner, ttlMs);
  if (fence === undefined) throw new Error(`the lease ${lease} is held by someone else`);
  session.fences.set(id, fence);
  return fence;
}

export function holdPartition(
  session: StorageSession,
  reader: string,
  partition: number,
  owner?: string,
): Promise<Fence> {
  return hold(session, partitionLeaseName(reader, partition), owner);
}

export async function checkpointOf(
  session: StorageSession,
  cursor: JsonValue,
  of: StreamRef = SAMPLE_STREAM,
): Promise<Checkpoint> {
  return { stream: of, connectorVersion: '1.0.0', cursor, fence: await hold(session, streamLeaseName(of)) };
}

export function append(session: StorageSession, ...events: readonly SealedEvent[]): Promise<AppendResult> {
  return session.log.append({ events });
}

/** Everything a reader has not settled in one partition, page by page would be the same: at most `limit`. */
export async function readAll(
  session: StorageSession,
  reader: string,
  partitions: Iterable<number>,
  limit = 512,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (const partition of partitions) entries.push(...(await session.log.read(reader, partition, limit)));
  return entries;
}

/** Settles everything the reader has in `partition`, as a delivery loop with a healthy sink would. Returns how many entries. */
export async function settlePartition(session: StorageSession, reader: string, partition: number): Promise<number> {
  return (await takePartition(session, reader, partition)).length;
}

/** The same, with what was there: a read is bounded, so all of a partition may take several. */
export async function takePartition(session: StorageSession, reader: string, partition: number): Promise<LogEntry[]> {
  const fence = await holdPartition(session, reader, partition);
  const taken: LogEntry[] = [];
  for (;;) {
    const entries = await session.log.read(reader, partition, 512);
    const last = entries.at(-1);
    if (last === undefined) return taken;
    const outcome = await session.log.commit(reader, partition, last.position, fence);
    if (outcome !== 'committed') throw new Error(`commit of ${reader}/${partition} answered ${outcome}`);
    taken.push(...entries);
  }
}

/** Delivers what the built-in sink has not applied yet, `batchMax` entries at a time. Returns the batches it applied. */
export async function deliver(
  session: StorageSession,
  sink: BuiltInSink,
  partitions: Iterable<number>,
  batchMax = 64,
): Promise<LogEntry[][]> {
  const batches: LogEntry[][] = [];
  await session.log.register(sink.name);
  for (const partition of partitions) {
    const fence = await holdPartition(session, sink.name, partition);
    for (;;) {
      const entries = await session.log.read(sink.name, partition, batchMax);
      if (entries.length === 0) break;
      const outcome = await sink.apply(partition, entries, fence);
      if (outcome !== 'committed') throw new Error(`${sink.name} answered ${outcome}`);
      batches.push([...entries]);
    }
  }
  return batches;
}

/** Appends events one by one (so that repeated ids stay a matter of the log) and lets the built-in sink take them. */
export async function ingest(
  session: StorageSession,
  sink: BuiltInSink,
  events: readonly SealedEvent[],
): Promise<void> {
  for (let at = 0; at < events.length; at += 512) await append(session, ...events.slice(at, at + 512));
  await deliver(session, sink, partitionsOfEvents(session, events));
}

/** Appends one key's events in version order, all in one partition, for the reader `r`. */
export async function oneKey(session: StorageSession, count: number) {
  const events = Array.from({ length: count }, (_, at) => sample({ key: 'k', version: at + 1 }));
  const [first] = events;
  if (first === undefined) throw new Error('a key needs an event');
  await session.log.register('r');
  await append(session, ...events);
  return { events, partition: partitionOfEvent(session, first) };
}

export function lastOf(entries: readonly LogEntry[]): LogEntry {
  const last = entries.at(-1);
  if (last === undefined) throw new Error('there is nothing to settle');
  return last;
}
