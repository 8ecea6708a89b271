import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULTS, type FaultCode } from '#core/fault.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import type { Schedule } from './connection.ts';
import { nextDue, type EndedRun } from './next-due.ts';

const NOW_MS = Date.UTC(2026, 2, 27, 12);
const HOUR_MS = 3_600_000;
const HOURLY: Schedule = { kind: 'interval', pollIntervalMs: HOUR_MS };
const ended = (more: Partial<EndedRun> = {}): EndedRun => ({
  outcome: 'succeeded',
  code: undefined,
  resumeAtMs: undefined,
  failures: 0,
  ...more,
});
const dueMs = (run: EndedRun, schedule: Schedule = HOURLY, nowMs = NOW_MS): number =>
  nextDue(run, schedule, nowMs, simulatedRandom(1)).atMs;
const codesWith = (retry: string): FaultCode[] =>
  (Object.keys(FAULTS) as FaultCode[]).filter((code) => FAULTS[code].retry === retry); // keys of the table itself

/** The next `count` runs of a cron schedule, each computed when the one before has ended. */
function firings(cron: string, timeZone: string, fromMs: number, count: number): number[] {
  const times: number[] = [];
  for (let nowMs = fromMs; times.length < count; nowMs = times.at(-1) ?? Infinity)
    times.push(dueMs(ended(), { kind: 'cron', cron, timeZone }, nowMs));
  return times;
}
const localDay = (timeZone: string) => new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });

describe('when a stream is due again', () => {
  test('after a success, one interval later', () => {
    expect(dueMs(ended())).toBe(NOW_MS + HOUR_MS);
  });

  test('a run that yielded is due at the time it said, or now', () => {
    expect(dueMs(ended({ outcome: 'yielded', resumeAtMs: NOW_MS + 5 }))).toBe(NOW_MS + 5);
    expect(dueMs(ended({ outcome: 'yielded' }))).toBe(NOW_MS);
  });

  test('the time is stated when the run said it, and the own one of the schedule otherwise', () => {
    const stated = (more: Partial<EndedRun>): boolean =>
      nextDue(ended(more), HOURLY, NOW_MS, simulatedRandom(1)).stated;
    const resumeAtMs = NOW_MS + 5;
    expect(stated({ outcome: 'yielded', resumeAtMs })).toBe(true);
    expect(stated({ outcome: 'failed', code: 'rate_limited', resumeAtMs })).toBe(true);
    expect(stated({ outcome: 'failed', code: 'rate_limited' })).toBe(false);
    expect(stated({ outcome: 'failed', code: 'upstream_timeout', resumeAtMs, failures: 1 })).toBe(false);
    expect(stated({ outcome: 'yielded', resumeAtMs: Number.NaN })).toBe(false);
    expect(stated({ resumeAtMs })).toBe(false);
  });

  test.for(codesWith('never'))(
    '%s does not come back before the schedule says so: trying again cannot help',
    (code) => {
      for (const failures of [1, 2, 50])
        expect(dueMs(ended({ outcome: 'failed', code, failures }))).toBe(NOW_MS + HOUR_MS);
    },
  );

  test.for(codesWith('backoff'))('%s comes back sooner than the interval, later with each failure', (code) => {
    const waitsMs = [1, 2, 3, 4, 5, 6].map((failures) => dueMs(ended({ outcome: 'failed', code, failures })) - NOW_MS);
    expect(waitsMs).toEqual(waitsMs.toSorted((a, b) => a - b));
    expect(waitsMs[0]).toBeLessThan(2000);
  });

  test('a backoff is never longer than ten minutes with its spread, nor than the interval, nor nothing', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer(),
        fc.integer({ min: 1000, max: 24 * HOUR_MS }),
        (failures, seed, pollIntervalMs) => {
          const run = ended({ outcome: 'failed', code: 'upstream_unavailable', failures });
          const waitMs =
            nextDue(run, { kind: 'interval', pollIntervalMs }, NOW_MS, simulatedRandom(seed)).atMs - NOW_MS;
          expect(waitMs).toBeGreaterThan(0);
          expect(waitMs).toBeLessThanOrEqual(Math.min(pollIntervalMs, 12 * 60_000));
        },
      ),
    );
  });

  test('it is always a whole number of milliseconds: the store keeps nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer(), (failures, seed) => {
        const due = nextDue(
          ended({ outcome: 'failed', code: 'upstream_timeout', failures }),
          HOURLY,
          NOW_MS,
          simulatedRandom(seed),
        );
        expect(Number.isInteger(due.atMs)).toBe(true);
      }),
    );
  });

  test.for([Number.NaN, Number.POSITIVE_INFINITY, NOW_MS + 1.5])(
    'a source that says to come back at %d gives a moment that can be kept and comes',
    (resumeAtMs) => {
      const due = dueMs(ended({ outcome: 'yielded', code: 'rate_limited', resumeAtMs }));
      expect(Number.isSafeInteger(due)).toBe(true);
      expect(due).toBeGreaterThan(NOW_MS);
    },
  );
});

describe('cron schedules', () => {
  test('the next time is after now, also when now is such a time', () => {
    const atTen = Date.UTC(2026, 0, 1, 10);
    expect(dueMs(ended(), { kind: 'cron', cron: '0 10 * * *', timeZone: 'UTC' }, atTen)).toBe(atTen + 24 * HOUR_MS);
  });

  test('without a zone and with one, the same expression means different moments', () => {
    const berlin = dueMs(
      ended(),
      { kind: 'cron', cron: '0 10 * * *', timeZone: 'Europe/Berlin' },
      Date.UTC(2026, 0, 1),
    );
    expect(new Date(berlin).toISOString()).toBe('2026-01-01T09:00:00.000Z');
  });

  test.for([
    { change: 'the clocks go forward', fromMs: Date.UTC(2026, 2, 27, 12) },
    { change: 'the clocks go back', fromMs: Date.UTC(2026, 9, 23, 12) },
  ])('02:30 in Berlin comes once on each day when $change', ({ fromMs }) => {
    const times = firings('30 2 * * *', 'Europe/Berlin', fromMs, 5);
    const days = times.map((atMs) => localDay('Europe/Berlin').format(atMs));
    expect(new Set(days).size).toBe(5);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect((times[4] ?? 0) - (times[0] ?? 0)).toBeLessThanOrEqual(4 * 24 * HOUR_MS + HOUR_MS);
  });

  test.for([Date.UTC(2026, 2, 28, 22), Date.UTC(2026, 9, 24, 22)])(
    'every hour stays every hour over a change of the clocks (from %d)',
    (fromMs) => {
      const times = firings('0 * * * *', 'Europe/Berlin', fromMs, 8);
      expect(times.map((atMs) => (atMs - fromMs) / HOUR_MS)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    },
  );

  test('a schedule that never comes gives a moment that the store can keep', () => {
    const due = dueMs(ended(), { kind: 'cron', cron: '0 0 30 2 *', timeZone: 'UTC' });
    expect(Number.isSafeInteger(due)).toBe(true);
    expect(due).toBeGreaterThan(NOW_MS + 24 * HOUR_MS);
  });
});
