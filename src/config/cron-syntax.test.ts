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
