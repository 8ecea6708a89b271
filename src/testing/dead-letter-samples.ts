// Letters for the contract suites: raw records that failed, events that a sink refuses, and their replays.

import type { DeadLetterDetail, QueuedLetter } from '#core/dead-letter.ts';
import type { SealedEvent } from '#core/event.ts';
import type { DeadLetterDraft, LogEntry, PullFailure } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import { Fault } from '#core/fault.ts';
import type { StreamRef } from '#core/names.ts';
import type { WriteResult } from '#core/sink.ts';
import type { StorageSession } from './engine-harness.ts';
import { append, checkpointOf, holdPartition, lastOf, partitionsOfEvents, SAMPLE_STREAM } from './event-samples.ts';

export const WRITTEN = { outcome: 'written' } as const satisfies WriteResult;
export const STALE = { outcome: 'stale' } as const satisfies WriteResult;
export const REFUSED = {
  outcome: 'reject',
  fault: new Fault('sink_rejected', 'still too long'),
} as const satisfies WriteResult;
export const UNAVAILABLE = {
  outcome: 'retry',
  fault: new Fault('sink_unavailable', 'not now'),
} as const satisfies WriteResult;

export interface RawOptions extends Partial<PullFailure> {
  readonly of?: StreamRef;
}

/** A record that the parser could not take; a second passes. */
export async function failRaw(
  session: StorageSession,
  key: string,
  { of = SAMPLE_STREAM, ...rest }: RawOptions = {},
): Promise<void> {
  const failure = { key, code: 'record_invalid', message: key, ...rest } as const;
  const checkpoint = await checkpointOf(session, key, of);
  await session.log.append({ events: [], failures: [failure], checkpoint });
  await session.clock.advance(1_000);
}

/** The event with another title, as an operator would send it. */
export function retitled({ event }: SealedEvent, title: string): JsonValue {
  return JSON.parse(JSON.stringify({ ...event, title })) as JsonValue; // what was JSON is JSON
}

/** The sink refuses these entries, the next ones of its partition. */
export async function rejectEntries(
  session: StorageSession,
  sink: string,
  partition: number,
  entries: readonly LogEntry[],
  why: Partial<DeadLetterDraft> = {},
): Promise<void> {
  const fence = await holdPartition(session, sink, partition);
  const letters = entries.map((entry) => {
    return { entry, code: 'sink_rejected', message: `cannot take ${entry.event.key}`, attempts: 1, ...why } as const;
  });
  const outcome = await session.log.commit(sink, partition, lastOf(entries).position, fence, letters);
  if (outcome !== 'committed') throw new Error(`commit of ${sink}/${partition} answered ${outcome}`);
}

/** The sink refuses everything that waits for it in these events' partitions. */
export async function rejectWaiting(
  session: StorageSession,
  sink: string,
  events: readonly SealedEvent[],
  why: Partial<DeadLetterDraft> = {},
): Promise<void> {
  for (const partition of partitionsOfEvents(session, events)) {
    const entries = await session.log.read(sink, partition, 512);
    if (entries.length > 0) await rejectEntries(session, sink, partition, entries, why);
  }
}

/** Appends events, all of which the sink refuses; a second passes. */
export async function reject(
  session: StorageSession,
  sink: string,
  events: readonly SealedEvent[],
  why: Partial<DeadLetterDraft> = {},
): Promise<void> {
  await session.log.register(sink);
  await append(session, ...events);
  await rejectWaiting(session, sink, events, why);
  await session.clock.advance(1_000);
}

/** What the owners of all partitions of these events would offer to the sink. */
export async function queuedOf(
  session: StorageSession,
  sink: string,
  events: readonly SealedEvent[],
): Promise<QueuedLetter[]> {
  const letters: QueuedLetter[] = [];
  for (const partition of partitionsOfEvents(session, events))
    letters.push(...(await session.store.deadLetters.queued(sink, partition, 100)));
  return letters;
}

/** The sink answers everything that is queued for it in these events' partitions; a second passes. */
export async function settleQueued(
  session: StorageSession,
  sink: string,
  events: readonly SealedEvent[],
  result: WriteResult,
): Promise<void> {
  for (const partition of partitionsOfEvents(session, events)) {
    const letters = await session.store.deadLetters.queued(sink, partition, 100);
    const results = letters.map(({ id }) => ({ id, result }));
    const fence = await holdPartition(session, sink, partition);
    const outcome = await session.store.deadLetters.settle(sink, partition, results, fence);
    if (outcome !== 'committed') throw new Error(`settling ${sink}/${partition} answered ${outcome}`);
  }
  await session.clock.advance(1_000);
}

/** All letters of tenant a, oldest first, with their contents. */
export async function lettersOfA({ store }: StorageSession): Promise<DeadLetterDetail[]> {
  const details: DeadLetterDetail[] = [];
  for (const { id } of await store.deadLetters.list({ tenants: ['a'] }, 500)) {
    const detail = await store.deadLetters.get(['a'], id);
    if (detail === undefined) throw new Error(`letter ${id} is listed and cannot be got`);
    details.unshift(detail);
  }
  return details;
}

/** The one letter of tenant a. */
export async function onlyLetter(session: StorageSession): Promise<DeadLetterDetail> {
  const [letter, ...more] = await lettersOfA(session);
  if (letter === undefined || more.length > 0) throw new Error(`one letter was expected, not ${more.length}`);
  return letter;
}
