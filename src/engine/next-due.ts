import { Cron } from 'croner';
import { FAULTS, type FaultCode } from '#core/fault.ts';
import { computeBackoffMs } from '#policies/backoff.ts';
import type { Random } from '#core/env.ts';
import type { Schedule } from './connection.ts';

const NEVER_MS = 365 * 24 * 60 * 60_000; // a schedule without a next time (31 February) is looked at again in a year
const RUN_BACKOFF = {
  baseMs: 1000,
  factor: 2,
  capMs: 10 * 60_000,
  jitter: 'proportional',
  jitterRatio: 0.2,
  attemptsMax: Number.POSITIVE_INFINITY,
} as const;

export interface EndedRun {
  readonly outcome: 'succeeded' | 'yielded' | 'failed';
  readonly code: FaultCode | undefined;
  readonly resumeAtMs: number | undefined;
  /** Consecutive failures, this run included. */
  readonly failures: number;
}

/** When a stream is due again, wall time in milliseconds. A failed run comes back sooner than its interval only when trying again can help. */
export function nextDueMs(run: EndedRun, schedule: Schedule, nowMs: number, random: Random): number {
  const planned = plannedMs(schedule, nowMs);
  if (run.outcome === 'yielded') return wholeMs(run.resumeAtMs ?? nowMs, planned);
  if (run.outcome === 'succeeded') return planned;
  const rule = run.code === undefined ? 'backoff' : FAULTS[run.code].retry;
  if (rule === 'at' && run.resumeAtMs !== undefined) return wholeMs(run.resumeAtMs, planned);
  if (rule === 'never') return planned;
  return Math.min(
    planned,
    Math.ceil(nowMs + computeBackoffMs({ attempt: run.failures - 1, policy: RUN_BACKOFF, random })),
  );
}

function plannedMs(schedule: Schedule, nowMs: number): number {
  if (schedule.kind === 'interval') return nowMs + schedule.pollIntervalMs;
  const cron = new Cron(schedule.cron, {
    ...(schedule.timeZone === undefined ? {} : { timezone: schedule.timeZone }),
    paused: true,
  });
  return cron.nextRun(new Date(nowMs))?.getTime() ?? nowMs + NEVER_MS;
}

/** Milliseconds are stored as integers; a time that is none says nothing, so the plan counts. */
function wholeMs(atMs: number, planned: number): number {
  return Number.isFinite(atMs) ? Math.ceil(atMs) : planned;
}
