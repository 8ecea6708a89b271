import { describe, expect, test } from 'vitest';
import type { Sink } from '#core/sink.ts';
import type { SinkBinding } from './sink-binding.ts';
import { doc, engineOf, OF, pass } from './fixtures/engine-world.ts';
import { openDeliveryWorld, reject, sinkOf, WRITTEN, versions } from './fixtures/delivery-world.ts';

const bind = (sink: Sink, more: Partial<SinkBinding> = {}): SinkBinding => ({
  sink,
  type: 'http',
  from: 'oldest',
  accepts: () => true,
  ...more,
});

describe("the engine's sinks", () => {
  test('are those of the store and the configured ones, each with its lag', async () => {
    const world = openDeliveryWorld();
    const { sink, written } = sinkOf();
    const engine = engineOf(world, [], { sinks: [bind(sink)] });
    engine.startDelivery();
    await world.put(...versions('k', 5));
    await pass(world.clock, 2000, 500);
    expect(await engine.sinks()).toEqual([
      { name: 'timeline', type: 'store', state: 'delivering', lag: 0, suspects: [] },
      { name: 'library', type: 'store', state: 'delivering', lag: 0, suspects: [] },
      { name: 'outside', type: 'http', state: 'delivering', lag: 0, suspects: [] },
    ]);
    expect(written).toHaveLength(5);
    await engine.stop();
  });

  test('that are out, and readers that nobody delivers to, are not waited for by who waits for the sinks', async () => {
    const world = openDeliveryWorld();
    const { sink, state } = sinkOf();
    state.down = true;
    await world.log.register('given-up');
    const engine = engineOf(world, [], { sinks: [bind(sink)] });
    engine.startDelivery();
    await world.put(...versions('k', 5));
    const settled = engine.settled(new AbortController().signal);
    await pass(world.clock, 10_000, 100);
    await expect(settled).resolves.toBeUndefined();
    expect((await engine.sinks()).map(({ name, lag }) => [name, lag])).toEqual([
      ['timeline', 0],
      ['library', 0],
      ['outside', 5],
      ['given-up', 5],
    ]);
    await engine.stop();
  });

  test('that are out say since when, why, and how old the oldest event is that waits', async () => {
    const world = openDeliveryWorld();
    const { sink, state } = sinkOf();
    state.down = true;
    const engine = engineOf(world, [], { sinks: [bind(sink)] });
    engine.startDelivery();
    const putAtMs = world.clock.now();
    await world.put(...versions('k', 5));
    await pass(world.clock, 100_000, 2000);
    const outside = (await engine.sinks()).find(({ name }) => name === 'outside');
    expect(outside).toMatchObject({
      state: 'waiting',
      fault: { code: 'sink_unavailable' },
      lag: 5,
      oldestAtMs: putAtMs,
    });
    expect(outside?.sinceMs).toBeLessThan(putAtMs + 5000);
    await engine.stop();
  });

  test('show the event that holds a partition up, with its tries', async () => {
    const world = openDeliveryWorld();
    const { sink } = sinkOf(() => Promise.reject(new Error('answered 500')));
    const engine = engineOf(world, [], { sinks: [bind(sink)], delivery: { attemptsMax: 3 } });
    engine.startDelivery();
    await world.put(doc('k'));
    await pass(world.clock, 2000, 100);
    const suspect = { position: 1, key: 'k', tenant: OF.tenant };
    expect((await engine.sinks())[2]?.suspects).toMatchObject([suspect]);
    await pass(world.clock, 10_000, 500);
    expect((await engine.sinks())[2]?.suspects).toEqual([]);
    expect(await world.letters()).toMatchObject([{ attempts: 3 }]);
    await engine.stop();
  });

  test('that are registered but not configured are detached, and keep their backlog', async () => {
    const world = openDeliveryWorld();
    await world.log.register('old');
    const engine = engineOf(world, []);
    engine.startDelivery();
    await world.put(...versions('k', 3));
    await pass(world.clock, 1000, 500);
    expect((await engine.sinks())[2]).toMatchObject({ name: 'old', type: 'unknown', state: 'detached', lag: 3 });
    await engine.stop();
  });

  test('are resumed by name, and only those that are delivered to', async () => {
    const world = openDeliveryWorld();
    const { sink } = sinkOf((entries) => entries.map(reject));
    const engine = engineOf(world, [], { sinks: [bind(sink)] });
    engine.startDelivery();
    await world.put(...versions('k', 30));
    await pass(world.clock, 60_000, 2000);
    expect((await engine.sinks())[2]?.state).toBe('refusing');
    await engine.resumeSink('outside', { acceptRejects: true });
    await pass(world.clock, 1000, 500);
    expect((await engine.sinks())[2]).toMatchObject({ state: 'delivering', lag: 0 });
    await expect(engine.resumeSink('inside', { acceptRejects: false })).rejects.toMatchObject({ code: 'not_found' });
    await engine.stop();
  });

  test('that cannot be opened yet wait, and get everything once they can', async () => {
    const world = openDeliveryWorld();
    let closed = true;
    const { sink, written } = sinkOf((entries) => entries.map(() => WRITTEN));
    sink.open = () => (closed ? Promise.reject(new Error('connection refused')) : Promise.resolve());
    const engine = engineOf(world, [], { sinks: [bind(sink)] });
    engine.startDelivery();
    await world.put(doc('k'));
    await pass(world.clock, 10_000, 1000);
    expect((await engine.sinks())[2]).toMatchObject({ state: 'waiting', lag: 1 });
    closed = false;
    await pass(world.clock, 20_000, 1000);
    expect([(await engine.sinks())[2]?.state, written.length]).toEqual(['delivering', 1]);
    await engine.stop();
  });
});
