import { describe, expect, test } from 'vitest';
import { Fault, FAULTS, type FaultCode } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { createGuard, type CallRecord, type GuardOptions } from './guard.ts';
import { HostBreaker } from './host-breaker.ts';
import { RateLimiter } from './rate-limiter.ts';

function guardOf(options: Partial<GuardOptions> = {}) {
  const clock = new SimulatedClock();
  const env = { clock, random: simulatedRandom(7) };
  const calls: CallRecord[] = [];
  const guard = createGuard({ connection: 'docs', onCall: (call) => calls.push(call), ...options }, env);
  const failWith = (code: FaultCode, times = 1) =>
    Array.from({ length: times }, () =>
      guard
        .call('list', () => Promise.reject(new Fault(code, 'it failed')))
        .catch((thrown: unknown) => thrown as Fault),
    ); // a guard throws Faults only
  return { clock, env, guard, calls, failWith };
}
const never = (): Promise<never> => new Promise(() => undefined);
const caught = (promise: Promise<unknown>): Promise<Fault> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (thrown: unknown) => thrown as Fault,
  ); // checked by each test

describe('what a guarded call does', () => {
  test('a success returns its value and is recorded with operation and duration', async () => {
    const { clock, guard, calls } = guardOf();
    const result = guard.call('list', async () => clock.sleep(250).then(() => 42));
    await clock.advance(250);
    expect(await result).toBe(42);
    expect(calls).toEqual([{ operation: 'list', durationMs: 250 }]);
    expect(guard.stats()).toEqual({ circuit: 'closed' });
  });

  test('every try is recorded, a refusal of our own is not', async () => {
    const { clock, guard, calls } = guardOf({ breaker: { failuresToOpen: 2 } });
    const outcome = caught(
      guard.call('list', () => Promise.reject(new Fault('upstream_unavailable', '503')), { idempotent: true }),
    );
    await clock.advance(10_000);
    expect((await outcome).code).toBe('circuit_open'); // the third try met the circuit that the second had opened
    expect(calls.map(({ fault }) => fault?.code)).toEqual(['upstream_unavailable', 'upstream_unavailable']);
  });

  test('whatever is thrown, the caller gets a Fault', async () => {
    const { guard } = guardOf();
    expect(await caught(guard.call('list', () => Promise.reject(new Error('boom'))))).toMatchObject({
      code: 'internal',
      message: 'boom',
    });
    expect(await caught(guard.call('list', () => { throw new RangeError('at once'); }))).toMatchObject({ code: 'internal' }); // prettier-ignore
  });

  test('by default nothing is repeated: a write must not happen twice', async () => {
    const { clock, calls, failWith } = guardOf();
    const [outcome] = failWith('upstream_timeout');
    await clock.advance(60_000);
    expect((await outcome)?.code).toBe('upstream_timeout');
    expect(calls).toHaveLength(1);
  });
});

describe('the circuit of a connection', () => {
  test.for(Object.keys(FAULTS) as FaultCode[])(
    '%s opens it exactly when its row says that the other side is ill',
    async (code) => {
      const { guard, failWith } = guardOf();
      await Promise.all(failWith(code, 5));
      expect(guard.stats().circuit).toBe(FAULTS[code].breaker ? 'open' : 'closed');
    },
  );

  test('when open, calls are refused without going out, with the time of the next trial', async () => {
    const { clock, guard, calls, failWith } = guardOf();
    await Promise.all(failWith('upstream_unavailable', 5));
    await clock.advance(10_000);
    const fault = await caught(guard.call('list', () => Promise.resolve()));
    expect(fault).toMatchObject({
      code: 'circuit_open',
      details: { connection: 'docs' },
      retryAtMs: clock.now() + 50_000,
    });
    expect(calls).toHaveLength(5);
    expect(guard.stats()).toEqual({
      circuit: 'open',
      opensUntilMs: clock.now() + 50_000,
      notClosedForMs: 10_000,
      activity: { kind: 'open', probeInMs: 50_000 },
    });
  });

  test('a clear no from the other side shows that it is well: a 404 as trial closes the circuit', async () => {
    const { clock, guard, failWith } = guardOf();
    await Promise.all(failWith('upstream_unavailable', 5));
    await clock.advance(120_000);
    await Promise.all(failWith('source_missing'));
    expect(guard.stats().circuit).toBe('closed');
  });

  test('a stopped trial is no verdict: the next call is the trial', async () => {
    const { clock, guard, failWith } = guardOf();
    await Promise.all(failWith('upstream_unavailable', 5));
    await clock.advance(120_000);
    const stop = new AbortController();
    const trial = caught(guard.call('list', never, { signal: stop.signal }));
    await clock.turn();
    expect((await caught(guard.call('list', never))).code).toBe('circuit_open'); // one at a time
    stop.abort();
    expect((await trial).code).toBe('cancelled');
    await guard.call('list', () => Promise.resolve());
    expect(guard.stats().circuit).toBe('closed');
  });

  test('an answer that comes after its timeout changes nothing', async () => {
    const { clock, guard, failWith } = guardOf({ attemptTimeoutMs: 1_000, breaker: { failuresToOpen: 1 } });
    const late = Promise.withResolvers<void>();
    const outcome = caught(guard.call('list', () => late.promise));
    await clock.advance(1_000);
    expect((await outcome).code).toBe('upstream_timeout');
    expect(guard.stats().circuit).toBe('open');
    late.resolve();
    await clock.advance(1);
    expect(guard.stats().circuit).toBe('open');
    guard.reset();
    expect(guard.stats()).toEqual({ circuit: 'closed' });
    await Promise.all(failWith('upstream_unavailable'));
    expect(guard.stats().circuit).toBe('open');
  });

  test('a success that set out before the circuit opened does not close it, and a failure does not reopen it', async () => {
    const { clock, guard, failWith } = guardOf();
    const slow = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const calls = slow.map(({ promise }) => guard.call('list', () => promise).catch(() => undefined));
    await clock.turn();
    await Promise.all(failWith('upstream_unavailable', 5));
    slow[0].resolve();
    await calls[0];
    expect(guard.stats().circuit).toBe('open');
    await clock.advance(29_000);
    guard.reset();
    slow[1].reject(new Fault('upstream_unavailable', 'late'));
    await calls[1];
    await Promise.all(failWith('upstream_unavailable', 4));
    expect(guard.stats().circuit).toBe('closed'); // four of five: the late one belonged to a state that is over
  });

  test("a circuit of the host refuses too, and a refusal by the connection gives the host's trial back", async () => {
    const clock = new SimulatedClock();
    const env = { clock, random: simulatedRandom(7) };
    const circuit = new CircuitBreaker(env, { failuresToOpen: 2 });
    const host = new HostBreaker(circuit);
    const guardFor = (tenant: string) =>
      createGuard(
        {
          connection: `docs of ${tenant}`,
          hostBreaker: host.forTenant(tenant),
          breaker: { failuresToOpen: 2, cooldownMs: 300_000 },
        },
        env,
      );
    const [acme, globex, hooli] = [guardFor('acme'), guardFor('globex'), guardFor('hooli')];
    const fail = (guard: typeof acme) =>
      guard.call('list', () => Promise.reject(new Fault('upstream_unavailable', '503'))).catch(() => undefined);
    for (const guard of [acme, acme, globex]) await fail(guard);
    expect(circuit.getStats().state).toBe('closed'); // one failure since the second tenant met it
    await fail(globex);
    expect(await caught(hooli.call('list', () => Promise.resolve()))).toMatchObject({
      code: 'circuit_open',
      message: expect.stringContaining('the host of docs of hooli'),
    });
    await clock.advance(120_000);
    expect((await caught(acme.call('list', () => Promise.resolve()))).message).toContain('calls to docs of acme');
    await hooli.call('list', () => Promise.resolve());
    expect(circuit.getStats().state).toBe('closed');
  });
});

describe('time limits and stopping', () => {
  test('the overall limit covers all tries and the waits between them', async () => {
    const { clock, guard, calls } = guardOf({
      attemptTimeoutMs: 1_000,
      overallTimeoutMs: 2_500,
      retry: { attemptsMax: 10 },
    });
    const startMs = clock.monotonic();
    let endedAtMs = 0;
    const outcome = caught(guard.call('list', never, { idempotent: true })).finally(
      () => (endedAtMs = clock.monotonic()),
    );
    await clock.advance(60_000);
    expect(await outcome).toMatchObject({ code: 'upstream_timeout', message: expect.stringContaining('2500 ms') });
    expect(endedAtMs - startMs).toBe(2_500);
    expect(calls.map(({ durationMs }) => durationMs).every((durationMs) => durationMs <= 1_000)).toBe(true);
    expect(calls).toHaveLength(2);
  });

  test('an abort ends exactly the calls of its caller, at once, and their signals say so', async () => {
    const { clock, guard } = guardOf();
    const stop = new AbortController();
    let seen: AbortSignal | undefined;
    const mine = caught(guard.call('list', (attempt) => { seen = attempt.signal; return never(); }, { signal: stop.signal })); // prettier-ignore
    const theirs = guard.call('list', () => clock.sleep(5_000).then(() => 'theirs'), {
      signal: new AbortController().signal,
    });
    await clock.turn();
    stop.abort();
    expect((await mine).code).toBe('cancelled');
    expect(seen?.aborted).toBe(true);
    await clock.advance(5_000);
    expect(await theirs).toBe('theirs');
    expect((await caught(guard.call('list', never, { signal: stop.signal }))).message).toContain('was not started');
  });

  test('an abort between two tries ends the wait, and nothing more goes out', async () => {
    const { clock, guard, calls } = guardOf();
    const stop = new AbortController();
    const outcome = caught(
      guard.call('list', () => Promise.reject(new Fault('upstream_unavailable', '503')), {
        idempotent: true,
        signal: stop.signal,
      }),
    );
    await clock.advance(100);
    expect(guard.stats().activity).toMatchObject({ kind: 'retrying', attempt: 2, attemptsMax: 3 });
    stop.abort();
    expect((await outcome).code).toBe('cancelled');
    await clock.advance(60_000);
    expect(calls).toHaveLength(1);
    expect(guard.stats()).toEqual({ circuit: 'closed' });
  });

  test('a waiting call that is stopped in the very moment it gets its place does not go out', async () => {
    for (let microtasks = 0; microtasks < 30; microtasks += 1) {
      const { clock, guard } = guardOf({ bulkhead: { concurrencyMax: 1 } });
      const gate = Promise.withResolvers<void>();
      const stop = new AbortController();
      const sentAfterStop: boolean[] = [];
      void guard.call('list', () => gate.promise);
      const outcome = guard
        .call('list', async () => void sentAfterStop.push(stop.signal.aborted), { signal: stop.signal })
        .catch(() => undefined);
      await clock.turn();
      gate.resolve();
      for (let n = 0; n < microtasks; n += 1) await Promise.resolve();
      stop.abort();
      await outcome;
      expect(sentAfterStop).not.toContain(true);
      expect(await guard.call('list', () => Promise.resolve('next'))).toBe('next');
    }
  });

  test('a thousand calls in flight need two timers, and close ends them', async () => {
    const { clock, guard } = guardOf({ bulkhead: { concurrencyMax: 1_000 } });
    for (let n = 0; n < 1_000; n += 1) void guard.call('list', never).catch(() => undefined);
    await clock.turn();
    expect(clock.sleeping).toBe(2);
    guard.close();
    expect(clock.sleeping).toBe(0);
  });
});

describe('rate limits', () => {
  test('a short wait is slept, a long one ends the call with the time to come back', async () => {
    const clock = new SimulatedClock();
    const limiter = new RateLimiter(clock, { limit: { kind: 'fixed_window', quota: 1, windowMs: 10_000 } });
    const guard = createGuard({ connection: 'docs', rateLimiter: limiter }, { clock, random: simulatedRandom(7) });
    await guard.call('list', () => Promise.resolve());
    let sentAtMs = 0;
    const second = guard.call('list', async () => (sentAtMs = clock.monotonic()));
    await clock.advance(5_000);
    expect(guard.stats().activity).toEqual({ kind: 'waiting', untilMs: clock.now() + 5_000 });
    await clock.advance(10_000);
    await second;
    expect(sentAtMs).toBeGreaterThanOrEqual(10_000);
    limiter.block(3_600_000);
    expect(await caught(guard.call('list', never))).toMatchObject({
      code: 'rate_limited',
      retryAtMs: clock.now() + 3_600_000,
    });
    expect(guard.stats()).toEqual({
      circuit: 'closed',
      activity: { kind: 'waiting', untilMs: clock.now() + 3_600_000 },
    });
  });

  test('what one connection is told, every connection with the same credential heeds', async () => {
    const clock = new SimulatedClock();
    const env = { clock, random: simulatedRandom(7) };
    const rateLimiter = new RateLimiter(clock);
    const [one, other] = [
      createGuard({ connection: 'docs', rateLimiter }, env),
      createGuard({ connection: 'issues', rateLimiter }, env),
    ];
    await caught(
      one.call('list', () => Promise.reject(new Fault('rate_limited', '429', { retryAtMs: clock.now() + 90_000 }))),
    );
    expect(await caught(other.call('list', never))).toMatchObject({
      code: 'rate_limited',
      retryAtMs: clock.now() + 90_000,
      details: { connection: 'issues' },
    });
  });

  test('a 429 without a time blocks for a minute and the fault gets that time', async () => {
    const { clock, failWith } = guardOf();
    const [first] = await Promise.all(failWith('rate_limited'));
    expect(first?.retryAtMs).toBe(clock.now() + 60_000);
  });
});

describe('what is learned beside the outcome', () => {
  test('an answer that says nothing is left holds the next call back', async () => {
    const { guard } = guardOf();
    guard.learn({ windows: [{ name: 'default', remaining: 0, resetInMs: 60_000 }] });
    expect((await caught(guard.call('list', () => Promise.resolve(1)))).code).toBe('rate_limited');
  });

  test('a call that was never sent leaves a half-open circuit as it is, and frees its trial', async () => {
    const breaker = { failuresToOpen: 1, cooldownMs: 1_000, halfOpenProbability: 1 };
    const { clock, guard, failWith } = guardOf({ breaker });
    await Promise.all(failWith('upstream_unavailable'));
    await clock.advance(10_000);
    expect((await Promise.all(failWith('egress_blocked')))[0]).toMatchObject({ code: 'egress_blocked' });
    expect(guard.stats().circuit).not.toBe('closed');
    expect(await guard.call('list', () => Promise.resolve(1))).toBe(1);
  });
});
