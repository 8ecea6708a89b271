import { describe, expect, test } from 'vitest';
import { Fault, FAULTS, type FaultCode } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { RetryBudget } from './retry-budget.ts';
import { Retry, type RetryNotice, type RetryOptions } from './retry.ts';

function retryOf(options: RetryOptions = {}) {
  const clock = new SimulatedClock();
  const notices: RetryNotice[] = [];
  const retry = new Retry(
    { clock, random: simulatedRandom(1) },
    { onRetry: (notice) => notices.push(notice), ...options },
  );
  /** Fails with each of the faults in turn, then succeeds; says how it ended and how often it was tried. */
  const run = async (faults: readonly Fault[], call = { idempotent: true }, advanceMs = 120_000) => {
    let tries = 0;
    const outcome = retry
      .run(async () => {
        const fault = faults[tries];
        tries += 1;
        if (fault !== undefined) throw fault;
        return 'done';
      }, call)
      .catch((thrown: unknown) => thrown);
    await clock.advance(advanceMs);
    return { outcome: await outcome, tries };
  };
  return { clock, retry, notices, run };
}
const ill = (): Fault => new Fault('upstream_unavailable', 'the server answered 503');

describe('retry', () => {
  test('two failures and a success are a success, announced as 2/3 and 3/3', async () => {
    const { run, notices } = retryOf();
    expect(await run([ill(), ill()])).toEqual({ outcome: 'done', tries: 3 });
    expect(notices.map(({ attempt, attemptsMax }) => `${attempt}/${attemptsMax}`)).toEqual(['2/3', '3/3']);
    expect(notices[0]?.nextInMs).toBeGreaterThanOrEqual(320);
    expect(notices[1]?.nextInMs).toBeGreaterThanOrEqual(640);
  });

  test('the third failure is the last one, and the caller gets that very fault', async () => {
    const faults = [ill(), ill(), ill(), ill()];
    const { outcome, tries } = await retryOf().run(faults);
    expect(tries).toBe(3);
    expect(outcome).toBe(faults[2]);
  });

  test('what is not idempotent is tried once', async () => {
    expect(await retryOf().run([ill()], { idempotent: false })).toMatchObject({ tries: 1 });
  });

  // The table is closed, so this walks all there is.
  test.for(Object.keys(FAULTS) as FaultCode[])('%s is repeated exactly when its row says so', async (code) => {
    const repeated = FAULTS[code].retry !== 'never' && code !== 'circuit_open' && code !== 'cancelled';
    const { tries } = await retryOf().run([new Fault(code, 'it failed')]);
    expect(tries).toBe(repeated ? 2 : 1);
  });

  test('a wait longer than a moment is not slept: the fault says when to come back', async () => {
    const { run, clock, notices } = retryOf({ baseMs: 20_000 });
    const startMs = clock.now();
    const { outcome, tries } = await run([ill()]);
    expect(tries).toBe(1);
    expect(notices).toEqual([]);
    expect(outcome).toMatchObject({ code: 'upstream_unavailable', message: 'the server answered 503' });
    const waitMs = ((outcome as Fault).retryAtMs ?? 0) - startMs; // the matcher above has seen a Fault
    expect(waitMs).toBeGreaterThanOrEqual(16_000);
    expect(waitMs).toBeLessThanOrEqual(24_000);
  });

  test('a stated time within a moment is waited for, never less; one beyond it is handed on', async () => {
    const { run, clock, notices } = retryOf();
    const until = (ms: number): Fault => new Fault('rate_limited', 'slow down', { retryAtMs: clock.now() + ms });
    expect(await run([until(10_000)])).toMatchObject({ outcome: 'done' });
    expect(notices[0]?.nextInMs).toBeGreaterThanOrEqual(10_000);
    const far = until(16_000);
    const { outcome } = await run([far]);
    expect((outcome as Fault).retryAtMs).toBeGreaterThanOrEqual(far.retryAtMs ?? Infinity); // a Fault: the call was refused
  });

  test('with the budget used up the fault comes at once and without a time, or the run would be back at once', async () => {
    const { clock, run } = retryOf();
    const budget = new RetryBudget(clock, { burst: 2 });
    const limited = new Retry({ clock, random: simulatedRandom(1) }, { budget });
    const call = async (): Promise<unknown> => {
      const outcome = limited.run(() => Promise.reject(ill()), { idempotent: true }).catch((thrown: unknown) => thrown);
      await clock.advance(1_000);
      return outcome;
    };
    expect(await run([ill()])).toMatchObject({ tries: 2 });
    await call();
    const fault = await call();
    expect(fault).toMatchObject({ code: 'upstream_unavailable', retryAtMs: undefined });
  });

  test('an abort ends the wait at once', async () => {
    const { clock, retry } = retryOf();
    const stop = new AbortController();
    const outcome = retry
      .run(() => Promise.reject(ill()), { idempotent: true, stop })
      .catch((thrown: unknown) => thrown);
    await clock.advance(100);
    expect(retry.getWaiting()).toMatchObject({ attempt: 2, attemptsMax: 3 });
    stop.abort();
    expect(await outcome).toMatchObject({ code: 'cancelled' });
    expect(retry.getWaiting()).toBeUndefined();
  });
});
