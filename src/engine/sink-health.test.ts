import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { hasEnded } from './fixtures/engine-world.ts';
import { never } from './fixtures/delivery-world.ts';
import { DELIVERY_LIMITS } from './delivery-limits.ts';
import { SinkHealth } from './sink-health.ts';

const failure = new Fault('sink_unavailable', 'answered 503');

function watch(ping?: (signal: AbortSignal) => Promise<void>) {
  const clock = new SimulatedClock();
  const stop = new AbortController();
  const waitsMs: number[] = [];
  const onFault = (_: string, __: Fault, nextInMs: number): number => waitsMs.push(nextInMs);
  const health = new SinkHealth({ name: 'outside', env: { clock, random: simulatedRandom(1) }, ping, onFault });
  health.begin(stop.signal);
  return { clock, stop, health, waitsMs };
}

describe('the judgement of a failed write', () => {
  test('is the events when the ping succeeds, and the sink when it does not', async () => {
    expect(await watch(() => Promise.resolve()).health.judge(failure)).toBe('events');
    const { health } = watch(() => Promise.reject(new Error('down')));
    expect(await health.judge(failure)).toBe('sink');
    expect(health.view()).toMatchObject({ state: 'waiting', trouble: { fault: { message: 'down' } } });
  });

  test('asks one ping for all that failed before it began, and never two at once', async () => {
    let pings = 0;
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { clock, health } = watch(() => gates[pings++]?.promise ?? Promise.resolve());
    const first = health.judge(failure);
    await clock.turn();
    const later = Promise.all([health.judge(failure), health.judge(failure)]);
    await clock.turn();
    expect(pings).toBe(1);
    gates[0]?.resolve();
    expect(await first).toBe('events');
    await clock.turn();
    expect(pings).toBe(2);
    gates[1]?.reject(new Error('down'));
    expect(await later).toEqual(['sink', 'sink']);
  });

  test('is the sink when its ping does not come back in time', async () => {
    const { clock, health } = watch(
      (signal) => new Promise((_, fail) => signal.addEventListener('abort', () => fail(new Error('aborted')))),
    );
    const judged = health.judge(failure);
    await clock.advance(DELIVERY_LIMITS.pingMs);
    expect(await judged).toBe('sink');
    expect(health.view().trouble?.fault.code).toBe('upstream_timeout');
  });
});

describe('an outage', () => {
  test('is asked after with waits from 400 ms that double up to a minute, and never ends by itself', async () => {
    const { clock, health, waitsMs } = watch(() => Promise.reject(new Error('down')));
    await health.judge(failure);
    await clock.advance(600_000);
    expect(waitsMs[0]).toBeGreaterThan(300);
    expect(waitsMs[0]).toBeLessThan(500);
    for (const [index, waitMs] of waitsMs.slice(0, -1).entries()) {
      expect(waitMs).toBeLessThanOrEqual(60_000 * 1.2);
      if (index < 6) expect(waitsMs[index + 1]).toBeGreaterThan(waitMs);
    }
    expect(health.closed).toBe(true);
  });

  test('lets nobody through until a ping succeeds, then everybody', async () => {
    let down = true;
    const { clock, health } = watch(() => (down ? Promise.reject(new Error('down')) : Promise.resolve()));
    await health.judge(failure);
    const { signal } = new AbortController();
    const all = Promise.all([health.ready(signal), health.ready(signal)]);
    await clock.advance(300_000);
    expect(await hasEnded(clock, all)).toBe(false);
    down = false;
    await clock.advance(72_000);
    expect(await hasEnded(clock, all)).toBe(true);
    expect(health.view().state).toBe('delivering');
  });

  test('ends at once when Weir stops, also in the middle of a ping', async () => {
    for (const ping of [() => Promise.reject<void>(new Error('down')), () => never<void>()]) {
      const { clock, stop, health } = watch(ping);
      const judged = health.judge(failure);
      await clock.advance(1000);
      stop.abort();
      await clock.advance(DELIVERY_LIMITS.graceMs);
      expect(await hasEnded(clock, judged)).toBe(true);
      expect(clock.sleeping).toBe(0);
    }
  });

  test('is looked at at once when an operator resumes the sink', async () => {
    let down = true;
    const { clock, health } = watch(() => (down ? Promise.reject(new Error('down')) : Promise.resolve()));
    await health.judge(failure);
    await clock.advance(300_000);
    down = false;
    health.resume(false);
    expect(await hasEnded(clock, health.ready(new AbortController().signal))).toBe(true);
  });
});

test('partitions that wait for reasons of their own show as the oldest of them', () => {
  const { clock, health } = watch();
  health.hold(3, new Fault('storage_full', 'no space'));
  clock.stepWall(1000);
  health.hold(1, new Fault('upstream_timeout', 'hangs'));
  expect(health.view()).toMatchObject({ state: 'waiting', trouble: { fault: { code: 'storage_full' } } });
  health.goesOn(3);
  expect(health.view()).toMatchObject({ trouble: { fault: { code: 'upstream_timeout' } } });
  health.goesOn(1);
  expect(health.view().state).toBe('delivering');
});
