import fc from 'fast-check';
import { test } from 'vitest';
import { countOf } from '../../test/lane.ts';
import { programs, runProgram, runShuffled } from './fixtures/delivery-programs.ts';

const numRuns = countOf({ quick: 20, change: 1000, long: 10_000 });

test('P12, many times', async () => {
  await fc.assert(fc.asyncProperty(programs, fc.integer(), runProgram), { numRuns });
});

test('P1, many times', async () => {
  const versions = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 });
  await fc.assert(fc.asyncProperty(versions, fc.integer(), runShuffled), { numRuns });
});
