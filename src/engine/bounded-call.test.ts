import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { callWithin, type Ended } from './bounded-call.ts';
import { hasEnded } from './fixtures/engine-world.ts';
import { never, untilAborted } from './fixtures/delivery-world.ts';

function begin<T>(call: (signal: AbortSignal) => Promise<T>) {
  const clock = new SimulatedClock();
  const stop = new AbortController();
  const bounds = { what: 'the call', timeoutMs: 1000, graceMs: 100, stop: stop.signal };
  const done: Promise<Ended<T>> = callWithin(clock, { ...bounds, call });
  return { clock, stop, done };
}

describe('a call with a time limit', () => {
  test('that comes back in time gives its value and leaves no timer and no listener', async () => {
    const { clock, stop, done } = begin(() => Promise.resolve(7));
    expect(await done).toEqual({ state: 'value', value: 7 });
    await clock.turn();
    expect([clock.sleeping, getEventListeners(stop.signal, 'abort').length]).toEqual([0, 0]);
  });

  test('that throws before its first await has failed like any other', async () => {
    const { done } = begin(() => {
      throw new Error('at once');
    });
    expect(await done).toMatchObject({ state: 'failed', fault: { message: 'at once' } });
  });

  test('that takes too long is aborted, and its outcome is unknown (I12)', async () => {
    const { clock, done } = begin(untilAborted);
    await clock.advance(1000);
    expect(await done).toMatchObject({ state: 'failed', fault: { code: 'upstream_timeout' } });
  });

  test('that answers after its time limit, though within its grace, has not answered', async () => {
    const { clock, done } = begin(async (signal) => untilAborted(signal).catch(() => 'late'));
    await clock.advance(1000);
    expect((await done).state).toBe('failed');
  });

  test('that never comes back hangs, and says when it does after all', async () => {
    const late = Promise.withResolvers<void>();
    const { clock, done } = begin(() => late.promise);
    await clock.advance(1100);
    const ended = await done;
    if (ended.state !== 'hanging') throw new Error(`it ${ended.state}`);
    expect(ended.fault.code).toBe('upstream_timeout');
    expect(await hasEnded(clock, ended.back)).toBe(false);
    late.resolve();
    expect(await hasEnded(clock, ended.back)).toBe(true);
  });

  test('that is stopped may still end well, within its grace', async () => {
    const { clock, stop, done } = begin(async (signal) => untilAborted(signal).catch(() => 'done'));
    await clock.turn();
    stop.abort();
    expect(await done).toEqual({ state: 'value', value: 'done' });
  });

  test('that is stopped and does not care is left behind as cancelled', async () => {
    const { clock, stop, done } = begin(() => never<void>());
    stop.abort();
    await clock.advance(100);
    expect(await done).toMatchObject({ state: 'hanging', fault: { code: 'cancelled' } });
  });
});
