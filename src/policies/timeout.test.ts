import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { Scope } from './scope.ts';
import { Timeout } from './timeout.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const timeoutOf = (timeoutMs = 1_000) => {
  const clock = new SimulatedClock();
  return { clock, timeout: new Timeout(clock, { name: 'docs', timeoutMs }) };
};

describe('timeout', () => {
  test('work that does not heed its signal is ended at its deadline and not before', async () => {
    const { clock, timeout } = timeoutOf();
    let ended: unknown;
    timeout.run(new Scope('list', undefined), never).catch((thrown: unknown) => (ended = thrown));
    await clock.advance(999);
    expect(ended).toBeUndefined();
    await clock.advance(1);
    expect(ended).toMatchObject({ code: 'upstream_timeout', details: { connection: 'docs', operation: 'list' } });
  });

  test('each of many overlapping calls has its own deadline, and all of them share one timer', async () => {
    const { clock, timeout } = timeoutOf();
    const ended: number[] = [];
    for (let n = 0; n < 10; n += 1) {
      timeout.run(new Scope(`call ${n}`), n % 3 === 0 ? () => Promise.resolve() : never).catch(() => ended.push(n));
      await clock.advance(50);
      expect(clock.sleeping).toBeLessThanOrEqual(1);
    }
    await clock.advance(549); // 1,049 ms after the first, which had succeeded
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([1]);
    await clock.advance(1_000);
    expect(ended).toEqual([1, 2, 4, 5, 7, 8]);
    expect(clock.sleeping).toBe(0);
  });

  test('the signal aborts with the fault as its reason, also when it is read only afterwards', async () => {
    const { clock, timeout } = timeoutOf();
    const early = new Scope('early');
    const late = new Scope('late');
    const { signal } = early;
    const both = Promise.allSettled([timeout.run(early, never), timeout.run(late, never)]);
    await clock.advance(1_000);
    await both;
    expect(signal.reason).toBe(early.fault);
    expect(late.signal.reason).toBe(late.fault);
  });

  test('stopping the whole stops the part that is under way', async () => {
    const { timeout } = timeoutOf();
    const whole = new Scope('sync');
    const part = timeout.run(new Scope('list', whole), never);
    whole.stop(new Fault('cancelled', 'stopped'));
    await expect(part).rejects.toMatchObject({ code: 'cancelled' });
    expect(timeout.running()).toEqual([]);
  });

  test('a failure after the deadline disappears instead of ending the process', async () => {
    const { clock, timeout } = timeoutOf();
    const late = Promise.withResolvers<never>();
    const outcome = timeout.run(new Scope('list'), () => late.promise).catch((thrown: unknown) => thrown);
    await clock.advance(1_000);
    late.reject(new Error('too late')); // an unhandled rejection would fail this test file
    expect(await outcome).toMatchObject({ code: 'upstream_timeout' });
    await clock.turn();
  });

  test.for([365 * 86_400_000, -365 * 86_400_000])(
    'a wall clock stepped by %d ms ends nothing early and keeps nothing alive',
    async (stepMs) => {
      const { clock, timeout } = timeoutOf();
      const ended: string[] = [];
      timeout.run(new Scope('first'), never).catch(() => ended.push('first'));
      await clock.advance(500);
      clock.stepWall(stepMs);
      timeout.run(new Scope('second'), never).catch(() => ended.push('second'));
      await clock.advance(500);
      expect(ended).toEqual(['first']);
      await clock.advance(499);
      expect(ended).toEqual(['first']);
      await clock.advance(1);
      expect(ended).toEqual(['first', 'second']);
    },
  );

  test('work that ends in time leaves nothing behind, however it ends', async () => {
    const { timeout } = timeoutOf();
    expect(await timeout.run(new Scope('list'), async () => 'pages')).toBe('pages');
    await expect(timeout.run(new Scope('list'), () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(timeout.running()).toEqual([]);
  });

  test('work that throws before it returns a promise leaves nothing behind', async () => {
    const { timeout } = timeoutOf();
    const broken = (): Promise<never> => {
      throw new Fault('source_missing', 'no such page');
    };
    await expect(timeout.run(new Scope('list'), broken)).rejects.toMatchObject({ code: 'source_missing' });
    expect(timeout.running()).toEqual([]);
  });

  test('closing ends the timer at once', async () => {
    const { clock, timeout } = timeoutOf();
    void timeout.run(new Scope('list'), never);
    expect(clock.sleeping).toBe(1);
    timeout.close();
    expect(clock.sleeping).toBe(0);
  });
});
