import { describe, expect, test } from 'vitest';
import { healthOf } from './delivery.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import { doc, docs, pass } from './fixtures/engine-world.ts';
import { openDeliveryWorld, reject, retry, sinkOf, versions, WRITTEN, type Answer } from './fixtures/delivery-world.ts';

const { lettersInRowMax } = DELIVERY_LIMITS;

/** A sink with a sound ping that answers so; its health can be looked at. */
function refusing(answer: Answer = (entries) => entries.map(reject)) {
  const world = openDeliveryWorld();
  const outside = sinkOf(answer);
  const target = world.external(outside.sink);
  const health = healthOf(target, world);
  return { world, ...outside, health, begin: () => world.deliver(target, { health }) };
}

describe('a sink that refuses everything', () => {
  test('makes as many dead letters as may come in a row, over all partitions, then waits and says why', async () => {
    const { world, health, begin } = refusing();
    const { stop } = begin();
    await world.put(...docs(200));
    await pass(world.clock, 3_600_000, 20_000);
    expect(await world.letters()).toHaveLength(lettersInRowMax);
    expect(await world.lagOf()).toBe(200 - lettersInRowMax);
    expect(health.view()).toMatchObject({ state: 'refusing', trouble: { fault: { code: 'sink_refuses_all' } } });
    expect(health.view().suspects.length).toBeGreaterThan(0);
    await stop();
  });

  test('is not asked more often than one that is out', async () => {
    const { world, begin, offered } = refusing();
    const { stop } = begin();
    await world.put(...versions('k', 30));
    await pass(world.clock, 3_600_000, 20_000);
    await stop();
    expect(offered.length).toBeLessThan(10 + 3600 / 48);
    // Everything that waits comes as one batch, so that any event the sink does take ends it.
    expect(offered.at(-1)).toHaveLength(30 - lettersInRowMax);
  });

  test('that is repaired gets everything that waited, and nothing more is a dead letter', async () => {
    let wrong = true;
    const { world, begin, written, health } = refusing((entries) => entries.map(() => (wrong ? reject() : WRITTEN)));
    const { stop } = begin();
    await world.put(...docs(100));
    await pass(world.clock, 600_000, 20_000);
    wrong = false;
    await pass(world.clock, 80_000, 5000);
    await stop();
    expect(written).toHaveLength(100 - lettersInRowMax);
    expect(await world.letters()).toHaveLength(lettersInRowMax);
    expect(health.view()).toEqual({ state: 'delivering', suspects: [] });
  });

  test('but takes one event now and then refuses events, not everything', async () => {
    const { world, begin } = refusing((entries) =>
      entries.map(({ event }) => (event.version % 20 === 0 ? WRITTEN : reject())),
    );
    const { stop } = begin();
    await world.put(...versions('k', 400));
    await pass(world.clock, 5000, 500);
    await stop();
    expect(await world.letters()).toHaveLength(380);
  });

  test('whose operator accepts that gets rid of all that was there, and of nothing that comes later', async () => {
    const { world, begin, health } = refusing();
    const { stop } = begin();
    await world.put(...docs(100));
    await pass(world.clock, 60_000, 5000);
    health.resume(true);
    await pass(world.clock, 1000, 100);
    expect(await world.letters()).toHaveLength(100);
    expect([await world.lagOf(), health.view().state]).toEqual([0, 'delivering']);
    await world.put(...docs(100, 'later'));
    await pass(world.clock, 60_000, 5000);
    expect(await world.letters()).toHaveLength(100 + lettersInRowMax);
    await stop();
  });

  test('is tried at once when an operator says so', async () => {
    let wrong = true;
    const { world, begin, health } = refusing((entries) => entries.map(() => (wrong ? reject() : WRITTEN)));
    const { stop } = begin();
    await world.put(...versions('k', 30));
    await pass(world.clock, 600_000, 20_000);
    wrong = false;
    health.resume(false);
    await pass(world.clock, 200, 100);
    expect(await world.lagOf()).toBe(0);
    await stop();
  });

  test('by failing every event alone, though its ping is sound, costs no more than as many dead letters', async () => {
    const { world, begin, health } = refusing((entries) => entries.map(retry));
    const { stop } = begin();
    await world.put(...docs(200));
    await pass(world.clock, 1_200_000, 5000);
    expect(await world.letters()).toHaveLength(lettersInRowMax);
    expect(health.view().state).toBe('refusing');
    await stop();
  });

  test('and then takes one event again is no longer held to be refusing, and its exhausted events are dead letters', async () => {
    let wrong = true;
    const { world, begin, health } = refusing((entries) =>
      entries.map(({ event }) => (wrong || event.key === 'bad' ? retry() : WRITTEN)),
    );
    const { stop } = begin();
    await world.put(doc('bad'), ...docs(40));
    await pass(world.clock, 1_200_000, 5000);
    expect(health.view().state).toBe('refusing');
    wrong = false;
    await pass(world.clock, 300_000, 1000);
    expect([await world.lagOf(), health.view().state]).toEqual([0, 'delivering']);
    expect((await world.letters()).find(({ key }) => key === 'bad')).toMatchObject({ attempts: 5 });
    await stop();
  });
});
