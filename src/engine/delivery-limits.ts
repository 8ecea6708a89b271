// Every bound of delivery (I8), and how long is waited for what.

import type { RetryPolicy } from '#policies/backoff.ts';

export const DELIVERY_LIMITS = {
  batchEventsMax: 256,
  batchesInFlightMax: 4, // of one sink: bounds the parsed events in memory, whatever the number of partitions
  leaseRetryMs: 1000, // how soon a partition that somebody else owns is asked for again
  attemptsMax: 5, // counted tries of one event before it is a dead letter
  holdMs: 60_000, // for how long the waits and limits of one suspect may hold its partition, from its first counted try
  suspectWriteMsMin: 1000, // least time a suspect's write gets, however little of `holdMs` is left
  openMs: 60_000,
  writeMs: 60_000, // one batch; then it counts as a throw, and the same ids come again (I12)
  pingMs: 10_000,
  graceMs: 5000, // for a call to come back after its signal has aborted
  lettersInRowMax: 20, // dead letters of one sink without a taken event in between; more say that the sink is to blame
} as const;

/** Waits for a whole sink, for the store, for a lease that cannot be asked for. */
export const OUTAGE_BACKOFF: RetryPolicy = {
  baseMs: 400,
  factor: 2,
  capMs: 60_000,
  jitter: 'proportional',
  jitterRatio: 0.2,
  attemptsMax: Number.POSITIVE_INFINITY,
};

/** Waits between the counted tries of one event. */
export const SUSPECT_BACKOFF: RetryPolicy = { ...OUTAGE_BACKOFF, baseMs: 1000 };
