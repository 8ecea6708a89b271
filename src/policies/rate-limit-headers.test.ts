import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { parseRateLimitHeaders, type RateLimitReading } from './rate-limit-headers.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 0);
const EPOCH_S = NOW_MS / 1_000;
const read = (headers: Record<string, string>): RateLimitReading =>
  parseRateLimitHeaders((name) => new Headers(headers).get(name), NOW_MS);

describe("servers' words about their limits", () => {
  test.for([
    [
      'the draft, with its policy',
      { RateLimit: '"default";r=0;t=30', 'RateLimit-Policy': '"default";q=100;w=60' },
      [{ name: 'default', limit: 100, remaining: 0, resetInMs: 30_000 }],
    ],
    [
      'the draft, two windows',
      { RateLimit: '"burst";r=5;t=1, "daily"; r=900; t=3600' },
      [
        { name: 'burst', remaining: 5, resetInMs: 1_000 },
        { name: 'daily', remaining: 900, resetInMs: 3_600_000 },
      ],
    ],
    [
      'the draft before',
      { RateLimit: 'limit=100, remaining=50, reset=30' },
      [{ name: 'default', limit: 100, remaining: 50, resetInMs: 30_000 }],
    ],
    [
      'three headers',
      { 'RateLimit-Limit': '100, 100;w=60', 'RateLimit-Remaining': '7', 'RateLimit-Reset': '12' },
      [{ name: 'default', limit: 100, remaining: 7, resetInMs: 12_000 }],
    ],
    [
      'an epoch in seconds',
      { 'X-RateLimit-Limit': '5000', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': String(EPOCH_S + 90) },
      [{ name: 'default', limit: 5_000, remaining: 0, resetInMs: 90_000 }],
    ],
    [
      'an epoch in milliseconds',
      { 'X-RateLimit-Remaining': '1', 'X-RateLimit-Reset': String(NOW_MS + 1_500) },
      [{ name: 'default', remaining: 1, resetInMs: 1_500 }],
    ],
    [
      'a distance',
      { 'X-Rate-Limit-Remaining': '1', 'X-Rate-Limit-Reset': '0.25' },
      [{ name: 'default', remaining: 1, resetInMs: 250 }],
    ],
    [
      'an epoch that has passed',
      { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': String(EPOCH_S - 90) },
      [{ name: 'default', remaining: 0, resetInMs: 0 }],
    ],
    ['no reset', { 'X-RateLimit-Remaining': '0' }, []],
    [
      'no sense',
      { RateLimit: '"default";r=-1;t=soon', 'X-RateLimit-Reset': 'NaN', 'X-RateLimit-Remaining': '1e9' },
      [],
    ],
    ['nothing', {}, []],
  ] as const)('%s', ([, headers, windows]) => {
    expect(read(headers).windows).toEqual(windows);
  });

  test("a moment is compared with the server's own Date, not with our clock (T64)", () => {
    const date = new Date(NOW_MS - 3_600_000).toUTCString(); // our clock is an hour ahead
    const reading = read({
      Date: date,
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': String(EPOCH_S - 3_600 + 90),
      'Retry-After': new Date(NOW_MS - 3_570_000).toUTCString(),
    });
    expect(reading).toEqual({ windows: [{ name: 'default', remaining: 0, resetInMs: 90_000 }], retryAfterMs: 30_000 });
  });

  test('whatever is in the headers, every number is finite and not negative', () => {
    const noise = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.stringMatching(/^[0-9;,="rtqw .-]{0,60}$/),
      fc.integer().map(String),
    );
    const headers = fc.dictionary(
      fc.constantFrom(
        'date',
        'ratelimit',
        'ratelimit-policy',
        'x-ratelimit-limit',
        'x-ratelimit-remaining',
        'x-ratelimit-reset',
        'retry-after',
      ),
      noise,
    );
    fc.assert(
      fc.property(headers, (given) => {
        const reading = parseRateLimitHeaders((name) => given[name], NOW_MS);
        const numbers = [
          reading.retryAfterMs ?? 0,
          ...reading.windows.flatMap(({ limit, remaining, resetInMs }) => [limit ?? 0, remaining, resetInMs]),
        ];
        for (const number of numbers) expect(Number.isFinite(number) && number >= 0).toBe(true);
      }),
      { numRuns: PROPERTY_RUNS },
    );
  });
});
