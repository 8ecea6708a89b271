import { Cron } from 'croner';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cronProblem, timeZoneProblem } from './cron-syntax.ts';

test.each([
  '* * * * *',
  '*/15 * * * *',
  '0 3 * * mon-fri',
  '0,30 8-18/2 1,15 JAN-mar 0',
  '59 23 31 12 7',
  ' 0  0 * * * ',
])('%s is a cron expression', (cron) => {
  expect(cronProblem(cron)).toBeUndefined();
});

test.each([
  ['', 'it has 0'],
  ['* * * *', 'it has 4'],
  ['* * * * * *', 'it has 6'],
  ['@daily', 'it has 1'],
  ['60 * * * *', 'minute'],
  ['* 24 * * *', 'hour'],
  ['* * 0 * *', 'day of month'],
  ['* * * 13 *', 'month field'],
  ['* * * * 8', 'day of week'],
  ['*/0 * * * *', 'minute'],
  ['* */60 * * *', 'hour'],
  ['5/10 * * * *', 'minute'],
  ['30-10 * * * *', 'minute'],
  ['1,,2 * * * *', 'minute'],
  ['-5 * * * *', 'minute'],
  ['1-2-3 * * * *', 'minute'],
  ['* * * foo *', 'month field'],
])('%j is none: %s', (cron, words) => {
  expect(cronProblem(cron)).toContain(words);
});

test('a time zone is known to this machine or refused', () => {
  expect([timeZoneProblem('Europe/Berlin'), timeZoneProblem('UTC')]).toEqual([undefined, undefined]);
  expect(timeZoneProblem('Europe/Bärlin')).toMatch(/^must be an IANA time zone/);
});

test('what is accepted here is accepted by the program that computes the times', () => {
  const item = fc.oneof(
    fc.constantFrom('*', '*/5', 'jan', 'SUN', 'mon-fri', '1-5/2', '7', '5-7', '0-6', '?', 'L', '5/2', '*/60', '*/99'),
    fc.nat(70).map(String),
    fc.tuple(fc.nat(32), fc.nat(60)).map(([low, high]) => `${low}-${high}`),
  );
  const field = fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    fc.array(item, { minLength: 1, maxLength: 2 }).map((items) => items.join(',')),
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(field, { minLength: 5, maxLength: 5 }), (fields) => {
      const cron = fields.join(' ');
      if (cronProblem(cron) !== undefined) return;
      accepted += 1;
      expect(() => new Cron(cron, { paused: true })).not.toThrow();
    }),
    { numRuns: 1000 },
  );
  expect(accepted).toBeGreaterThan(50);
});
