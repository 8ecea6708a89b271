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

export interface Due {
  /** Wall time in milliseconds. */
  readonly atMs: number;
  /** The run said itself when to come back; otherwise the schedule allows no later time. */
  readonly stated: boolean;
}

/** When a stream is due again. A failed run comes back sooner than its interval only when trying again can help. */
export function nextDue(run: EndedRun, schedule: Schedule, nowMs: number, random: Random): Due {
  const resumeAtMs = resumesAtMs(run, nowMs);
  // A time that is none says nothing, so the plan counts. Milliseconds are stored as integers.
  if (Number.isFinite(resumeAtMs)) return { atMs: Math.ceil(resumeAtMs), stated: true };
  return { atMs: scheduledMs(run, schedule, nowMs, random), stated: false };
}

function resumesAtMs({ outcome, code, resumeAtMs }: EndedRun, nowMs: number): number {
  if (outcome === 'yielded') return resumeAtMs ?? nowMs;
  const waits = outcome === 'failed' && code !== undefined && FAULTS[code].retry === 'at';
  return waits ? (resumeAtMs ?? Number.NaN) : Number.NaN;
}

function scheduledMs(run: EndedRun, schedule: Schedule, nowMs: number, random: Random): number {
  const planned = plannedMs(schedule, nowMs);
  const helps = run.code === undefined || FAULTS[run.code].retry !== 'never';
  if (run.outcome !== 'failed' || !helps) return planned;
  return Math.min(
    planned,
    Math.ceil(nowMs + computeBackoffMs({ attempt: run.failures - 1, policy: RUN_BACKOFF, random })),
  );
}

/** The next time of the schedule itself. */
export function plannedMs(schedule: Schedule, nowMs: number): number {
  if (schedule.kind === 'interval') return nowMs + schedule.pollIntervalMs;
  const cron = new Cron(schedule.cron, {
    ...(schedule.timeZone === undefined ? {} : { timezone: schedule.timeZone }),
    paused: true,
  });
  return cron.nextRun(new Date(nowMs))?.getTime() ?? nowMs + NEVER_MS;
}
