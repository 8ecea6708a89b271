import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { Bulkhead } from './bulkhead.ts';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';

describe('bulkhead', () => {
  test('never more calls under way than allowed, the rest in the order they came, under every interleaving', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 12, size: 'max' }),
        async (scheduler, concurrencyMax, failing) => {
          const bulkhead = new Bulkhead('docs', () => 0, { concurrencyMax });
          const entered: number[] = [];
          let underWay = 0;
          const calls = failing.map((fails, index) =>
            bulkhead
              .run(async () => {
                entered.push(index);
                underWay += 1;
                expect(underWay).toBeLessThanOrEqual(concurrencyMax);
                await scheduler.schedule(Promise.resolve());
                underWay -= 1;
                if (fails) throw new Fault('upstream_unavailable', 'it failed');
              })
              .catch(() => undefined),
          );
          await scheduler.waitFor(Promise.all(calls));
          expect(entered).toEqual(failing.map((_, index) => index));
          expect(bulkhead.getStats()).toEqual({ running: 0, waiting: 0 });
        },
      ),
      { numRuns: PROPERTY_RUNS },
    );
  });

  test('one more than may wait is refused with a time to come back, and is not called', async () => {
    const bulkhead = new Bulkhead('docs', () => 5_000, { concurrencyMax: 1, waitingMax: 1 });
    const gate = Promise.withResolvers<void>();
    const first = bulkhead.run(() => gate.promise);
    const second = bulkhead.run(() => gate.promise);
    await expect(bulkhead.run(() => Promise.reject(new Error('was called')))).rejects.toMatchObject({
      code: 'rate_limited',
      retryAtMs: 6_000,
      details: { connection: 'docs' },
    });
    gate.resolve();
    await Promise.all([first, second]);
  });

  test('an abort takes a waiting call out of the line and loses no place', async () => {
    const bulkhead = new Bulkhead('docs', () => 0, { concurrencyMax: 1 });
    const gate = Promise.withResolvers<void>();
    const first = bulkhead.run(() => gate.promise);
    const stop = new AbortController();
    const second = bulkhead.run(() => Promise.reject(new Error('was called')), stop);
    const third = bulkhead.run(() => Promise.resolve('third'));
    stop.abort(new Fault('cancelled', 'stopped'));
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    gate.resolve();
    await first;
    expect(await third).toBe('third');
    expect(bulkhead.getStats()).toEqual({ running: 0, waiting: 0 });
  });
});
