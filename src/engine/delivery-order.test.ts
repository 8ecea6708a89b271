import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openDeliveryWorld, sinkOf, versions, WRITTEN } from './fixtures/delivery-world.ts';
import { programs, runProgram, runShuffled } from './fixtures/delivery-programs.ts';
import { until } from './fixtures/engine-world.ts';

describe('order and loss', () => {
  test('P12: whatever sink, leases and processes do, keys arrive in order, gaps are dead letters, positions only move past what is settled', async () => {
    await fc.assert(fc.asyncProperty(programs, fc.integer(), runProgram), { numRuns: 20 });
  });

  test('P1: versions in any order, twice, before a sink that fails and processes that die end in the highest one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 }), fc.integer(), runShuffled),
      { numRuns: 20 },
    );
  });

  test('a sink gets at most one batch of one partition at a time', async () => {
    const world = openDeliveryWorld();
    let inside = 0;
    let most = 0;
    const { sink } = sinkOf(async (entries) => {
      inside += 1;
      most = Math.max(most, inside);
      await world.clock.turn();
      inside -= 1;
      return entries.map(() => WRITTEN);
    });
    const { stop } = world.deliver(world.external(sink));
    await world.put(...versions('k', 800));
    await until(world.clock, 'the reader is known', async () => (await world.log.stats()).readers.length === 1);
    await world.put(...versions('k', 900).slice(800));
    await world.drained();
    await stop();
    expect(most).toBe(1);
  });
});
