// Which events of a partition are suspected, and how patient one is with them (ADR 0007). Pure.

import type { Random } from '#core/env.ts';
import type { Attempt, Dispatch } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import { DELIVERY_LIMITS, SUSPECT_BACKOFF } from './delivery-limits.ts';

/** An event that has failed alone, while its sink was well. */
export interface Suspect {
  readonly position: number;
  /** Counted tries. */
  readonly attempts: number;
  /** What its counted tries and the waits between them have taken of `holdMs`. An outage takes nothing. */
  readonly heldMs: number;
  readonly history: readonly Attempt[];
}

export interface Suspicion {
  /** How many entries are read and offered together. */
  readonly limit: number;
  /** How many of the next events are suspected: one of them, or more, made a write fail. */
  readonly suspects: number;
  readonly head?: Suspect | undefined;
}

export const CALM: Suspicion = { limit: DELIVERY_LIMITS.batchEventsMax, suspects: 0 };

/** What an earlier owner left. An open record: the process ended in that write, which counts like a failure of it. */
export function suspicionFound(found: Dispatch | undefined, atMs: number): Suspicion {
  if (found === undefined) return CALM;
  const { position, attempts, events, open } = found;
  const left: Suspicion = {
    limit: clampLimit(events),
    suspects: open || attempts > 0 ? events : 0,
    head: { position, attempts, heldMs: 0, history: [] },
  };
  if (!open) return left;
  if (events > 1) return halved(left, events);
  const fault = new Fault('dispatch_unfinished', 'the process ended while this event was written');
  return counted(left, { position, fault, atMs, tookMs: 0 });
}

/** Counted tries belong to one event; when another one comes next they are no longer of interest. */
export function withHead(suspicion: Suspicion, position: number | undefined): Suspicion {
  return suspicion.head === undefined || suspicion.head.position === position
    ? suspicion
    : { ...suspicion, head: undefined };
}

/** One of the next `size` events is to blame: half of them come alone. */
export function halved(suspicion: Suspicion, size: number): Suspicion {
  return { ...suspicion, suspects: size, limit: Math.max(1, size >> 1) };
}

/** The first `settled` events are done with. Among the rest of the suspects the search goes on; without any the batches grow back. */
export function settledOf(suspicion: Suspicion, settled: number): Suspicion {
  if (settled === 0) return suspicion;
  const suspects = Math.max(0, suspicion.suspects - settled);
  const limit = clampLimit(suspects > 0 ? Math.ceil(suspects / 2) : suspicion.limit * 2);
  return { limit, suspects };
}

export interface FailedAlone {
  readonly position: number;
  readonly fault: Fault;
  readonly atMs: number;
  readonly tookMs: number;
}

/** The event failed alone and its sink is well: one attempt more. */
export function counted({ head }: Suspicion, { position, fault, atMs, tookMs }: FailedAlone): Suspicion {
  const before: Suspect = head?.position === position ? head : { position, attempts: 0, heldMs: 0, history: [] };
  return {
    limit: 1,
    suspects: 1,
    head: {
      position,
      attempts: before.attempts + 1,
      // The minute begins at the first counted try, which is over by now.
      heldMs: before.attempts === 0 ? 0 : before.heldMs + tookMs,
      history: [...before.history, { atMs, code: fault.code, message: fault.message }],
    },
  };
}

export const attemptsOf = ({ head }: Suspicion): number => head?.attempts ?? 0;

/** How long to wait before the next try, and the suspicion with that wait on its account. */
export function waitBefore(
  suspicion: Suspicion,
  attemptsMax: number,
  random: Pick<Random, 'float'>,
): { readonly waitMs: number; readonly suspicion: Suspicion } {
  const { head } = suspicion;
  if (head === undefined || head.attempts === 0) return { waitMs: 0, suspicion };
  const backoffMs = computeBackoffMs({ attempt: head.attempts - 1, policy: SUSPECT_BACKOFF, random });
  // T66: other tenants' events wait behind it, so waits and writes share what is left of the minute, however many tries there are.
  const waitMs = Math.min(backoffMs, shareMs(head, attemptsMax) / 2);
  return { waitMs, suspicion: { ...suspicion, head: { ...head, heldMs: head.heldMs + waitMs } } };
}

/** The time limit of the next write. */
export function writeLimitMs({ head }: Suspicion, attemptsMax: number): number {
  if (head === undefined || head.attempts === 0) return DELIVERY_LIMITS.writeMs;
  const { suspectWriteMsMin, writeMs } = DELIVERY_LIMITS;
  return Math.min(writeMs, Math.max(suspectWriteMsMin, shareMs(head, attemptsMax)));
}

function shareMs(head: Suspect, attemptsMax: number): number {
  return Math.max(0, DELIVERY_LIMITS.holdMs - head.heldMs) / Math.max(1, attemptsMax - head.attempts);
}

function clampLimit(events: number): number {
  return Math.min(DELIVERY_LIMITS.batchEventsMax, Math.max(1, events));
}
