import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { parseHttpDate } from './http-date.ts';
import { parseRetryAfter, RETRY_AFTER_MS_MAX } from './retry-after.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0);
const YEAR_MS = 365.25 * 86_400_000;
const LONG_DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const two = (value: number): string => String(value).padStart(2, '0');
const monthOf = (date: Date): string => date.toUTCString().slice(8, 11);
const timeOf = (date: Date): string => date.toUTCString().slice(17, 25);

const FORMATS: Readonly<Record<string, (date: Date) => string>> = {
  'IMF-fixdate': (date) => date.toUTCString(),
  'RFC 850': (date) =>
    `${LONG_DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())}-${monthOf(date)}-${two(date.getUTCFullYear() % 100)} ${timeOf(date)} GMT`,
  asctime: (date) =>
    `${date.toUTCString().slice(0, 3)} ${monthOf(date)} ${String(date.getUTCDate()).padStart(2)} ${timeOf(date)} ${date.getUTCFullYear()}`,
};

describe('P9: Retry-After is read as the server meant it, or not at all', () => {
  test.for(Object.entries(FORMATS))('parse(format(x)) = x for %s, within 49 years of now', ([, format]) => {
    fc.assert(
      fc.property(
        fc.integer({ min: -49 * YEAR_MS, max: 49 * YEAR_MS }),
        fc.integer({ min: 0, max: 40 * YEAR_MS }),
        (distanceMs, laterMs) => {
          const nowMs = NOW_MS + laterMs;
          const dateMs = Math.floor((nowMs + distanceMs) / 1_000) * 1_000;
          const text = format(new Date(dateMs));
          expect(parseHttpDate(text, nowMs)).toBe(dateMs);
          const waitMs = parseRetryAfter(text, { nowMs, capMs: 100 * YEAR_MS });
          expect(waitMs).toBe(Math.max(0, dateMs - nowMs));
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('any number of up to ten digits is that many seconds, at most the cap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999_999 }), (seconds) => {
        expect(parseRetryAfter(String(seconds), { nowMs: NOW_MS })).toBe(Math.min(seconds * 1_000, RETRY_AFTER_MS_MAX));
      }),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('whatever is in the header, the result is undefined or a number from 0 to the cap', () => {
    const date = fc
      .date({ noInvalidDate: true })
      .chain((value) => fc.constantFrom(...Object.values(FORMATS)).map((format) => format(value)));
    const mangled = fc
      .tuple(date, fc.nat(40), fc.string({ maxLength: 3 }))
      .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + 1));
    const context = fc.record({
      nowMs: fc.double(),
      serverDateMs: fc.double(),
      capMs: fc.constant(RETRY_AFTER_MS_MAX),
    });
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?[0-9.eE]{1,20}$/), date, mangled),
        context,
        (header, at) => {
          const waitMs = parseRetryAfter(header, at) ?? 0;
          expect(waitMs >= 0 && waitMs <= RETRY_AFTER_MS_MAX).toBe(true);
        },
      ),
      { numRuns: PROPERTY_RUNS * 10 },
    );
  });

  test.for([
    '',
    ' ',
    '-5',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    'soon',
    '120, 120',
    'NaN',
    'Infinity',
    '٣', // digits of another script
    'Thu, 01 Jan 2026',
    '2026-01-15T12:00:00Z',
    'Thu, 15 Jan 2026 12:00:00 UTC',
    'thu, 15 jan 2026 12:00:00 gmt',
    'Fri, 15 Jan 2026 12:00:00 GMT', // a Thursday
    'Tue, 31 Feb 2026 12:00:00 GMT',
    'Thu, 15 Jan 2026 24:00:00 GMT',
    'Thu, 15 Jan 2026 12:60:00 GMT',
    'Thu, 15 Jan 2026 12:00:61 GMT',
    'Thu, 15-Jan-26 12:00:00 GMT',
    'Thursday, 15 Jan 2026 12:00:00 GMT',
    'Thu Jan 15 12:00:00 26',
    `${' '.repeat(100_000)}x`,
  ])('%j is not a Retry-After', (header) => {
    expect(parseRetryAfter(header, { nowMs: NOW_MS })).toBeUndefined();
  });

  test.for([
    ['0', 0],
    [' 120\t', 120_000],
    ['9999999999', RETRY_AFTER_MS_MAX],
    ['10000000000', RETRY_AFTER_MS_MAX], // T28
    ['Thu, 15 Jan 2026 11:59:59 GMT', 0],
    ['Thu, 15 Jan 2026 12:00:30 GMT', 30_000],
    ['Thu, 15 Jan 2026 12:00:60 GMT', 60_000], // leap second
    ['Thursday, 15-Jan-26 12:00:30 GMT', 30_000],
    ['Thu Jan 15 12:00:30 2026', 30_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Thu, 01 Jan 2099 00:00:00 GMT', RETRY_AFTER_MS_MAX],
  ] as const)('%j means %d ms', ([header, waitMs]) => {
    expect(parseRetryAfter(header, { nowMs: NOW_MS })).toBe(waitMs);
  });

  test("a date is compared with the server's own clock, and with ours when its Date header makes no sense (T64)", () => {
    const header = 'Thu, 15 Jan 2026 12:00:30 GMT';
    expect(parseRetryAfter(header, { nowMs: NOW_MS + YEAR_MS, serverDateMs: NOW_MS })).toBe(30_000);
    expect(parseRetryAfter(header, { nowMs: NOW_MS, serverDateMs: NaN })).toBe(30_000);
  });
});
