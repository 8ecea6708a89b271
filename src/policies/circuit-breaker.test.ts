import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CircuitBreaker, type BreakerOptions, type Permit } from './circuit-breaker.ts';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { HostBreaker } from './host-breaker.ts';

const OPTIONS: BreakerOptions = { failuresToOpen: 3, cooldownMs: 1_000, halfOpenProbability: 0.2, trialTimeoutMs: 700 };
type Outcome = 'success' | 'failure' | 'abort';

/** A clock of two hands, and chance by hand: what the real breaker is given in these tests. */
function simulatedWorld() {
  const world = { monotonicMs: 0, wallMs: Date.UTC(2026, 0, 1), chance: 0 };
  const clock = { monotonic: () => world.monotonicMs, now: () => world.wallMs };
  const pass = (ms: number): void => {
    world.monotonicMs += ms;
    world.wallMs += ms;
  };
  return { world, env: { clock, random: { float: () => world.chance } }, pass };
}

function settle(
  breaker: Pick<CircuitBreaker, 'recordSuccess' | 'recordFailure' | 'release'>,
  permit: Permit,
  outcome: Outcome,
): void {
  if (outcome === 'success') breaker.recordSuccess(permit);
  else if (outcome === 'failure') breaker.recordFailure(permit);
  else breaker.release(permit);
}

interface Ticket {
  readonly epoch: number;
  readonly atMs: number;
}

/** What a breaker is, in numbered epochs and plain conditions. */
class ReferenceBreaker {
  mode: 'closed' | 'open' = 'closed';
  epoch = 0;
  failures = 0;
  openedAtMs = 0;
  trial: Ticket | undefined;

  state(nowMs: number): string {
    if (this.mode === 'closed') return 'closed';
    return nowMs - this.openedAtMs < OPTIONS.cooldownMs ? 'open' : 'half_open';
  }

  allow(nowMs: number, chance: number): Ticket | undefined {
    if (this.mode === 'closed') return { epoch: this.epoch, atMs: nowMs };
    const openForMs = nowMs - this.openedAtMs;
    if (openForMs < OPTIONS.cooldownMs || this.trialRuns(this.trial, nowMs)) return undefined;
    if (openForMs < 2 * OPTIONS.cooldownMs && chance >= OPTIONS.halfOpenProbability) return undefined;
    this.trial = { epoch: this.epoch, atMs: nowMs };
    return this.trial;
  }

  settle(ticket: Ticket, outcome: Outcome, nowMs: number): void {
    if (ticket.epoch !== this.epoch) return;
    if (this.mode === 'closed') {
      if (outcome === 'success') this.failures = 0;
      if (outcome === 'failure') this.failures += 1;
      if (this.failures >= OPTIONS.failuresToOpen) this.enter('open', nowMs);
    } else if (ticket === this.trial && this.trialRuns(ticket, nowMs)) {
      this.trial = undefined;
      if (outcome !== 'abort') this.enter(outcome === 'success' ? 'closed' : 'open', nowMs);
    }
  }

  trialRuns(trial: Ticket | undefined, nowMs: number): boolean {
    return trial !== undefined && nowMs - trial.atMs < OPTIONS.trialTimeoutMs;
  }

  enter(mode: 'closed' | 'open', nowMs: number): void {
    Object.assign(this, { mode, epoch: this.epoch + 1, failures: 0, openedAtMs: nowMs, trial: undefined });
  }
}

describe('P5: the breaker is its reference model', () => {
  const commands = fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('allow' as const), chance: fc.constantFrom(0, 0.19, 0.2, 0.9) }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('settle' as const),
          back: fc.nat(3),
          outcome: fc.constantFrom<Outcome>('failure', 'failure', 'failure', 'success', 'abort'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('pass' as const),
          ms: fc.constantFrom(1, 300, 699, 700, 999, 1_000, 2_000),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('stepWall' as const),
          ms: fc.constantFrom(-3.2e11, -3_600_000, -1_000, 1_000, 3_600_000, 3.2e11),
        }),
      },
    ),
    { maxLength: 80, size: 'max' },
  );

  test('for any sequence of calls, outcomes, late outcomes, aborts and steps of the wall clock', () => {
    const seen = { open: 0, half_open: 0, closedAgain: 0, late: 0, trialFailed: 0 };
    fc.assert(
      fc.property(commands, (sequence) => {
        const { world, env, pass } = simulatedWorld();
        const breaker = new CircuitBreaker(env, OPTIONS);
        const model = new ReferenceBreaker();
        const open: { permit: Permit; ticket: Ticket }[] = [];
        for (const command of sequence) {
          const before = model.state(world.monotonicMs);
          if (command.do === 'pass') pass(command.ms);
          if (command.do === 'stepWall') world.wallMs += command.ms;
          if (command.do === 'allow') {
            world.chance = command.chance;
            const permit = breaker.allow();
            const ticket = model.allow(world.monotonicMs, command.chance);
            expect(permit !== undefined).toBe(ticket !== undefined);
            if (permit !== undefined && ticket !== undefined) open.push({ permit, ticket });
          }
          if (command.do === 'settle') {
            const [under] = open.splice(Math.max(0, open.length - 1 - command.back), 1); // settled once, in any order, however late
            if (under === undefined) continue;
            if (under.ticket.epoch !== model.epoch) seen.late += 1;
            settle(breaker, under.permit, command.outcome);
            model.settle(under.ticket, command.outcome, world.monotonicMs);
          }
          const after = model.state(world.monotonicMs);
          expect(breaker.getStats().state).toBe(after);
          if (after === 'open') seen.open += 1;
          if (after === 'half_open') seen.half_open += 1;
          if (before === 'half_open' && after === 'closed') seen.closedAgain += 1;
          if (before === 'half_open' && after === 'open') seen.trialFailed += 1;
        }
      }),
      { numRuns: PROPERTY_RUNS },
    );
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(20);
  });
});

describe('P6: one trial at a time', () => {
  const callers = fc.array(
    fc.constantFrom<Outcome | 'never' | 'tick'>('success', 'failure', 'abort', 'never', 'tick'),
    { minLength: 2, maxLength: 14, size: 'max' },
  );

  test('under every interleaving at most one trial is in flight, and one that never settles frees its place at its timeout', async () => {
    let trialsTotal = 0;
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), callers, async (scheduler, outcomes) => {
        const { world, env, pass } = simulatedWorld();
        const breaker = openBreaker(env);
        pass(OPTIONS.cooldownMs);
        world.chance = 0; // every draw would let a call in
        const inFlight = new Map<Permit, number>();
        const one = async (outcome: Outcome | 'never' | 'tick'): Promise<void> => {
          await scheduler.schedule(Promise.resolve(), 'arrives');
          if (outcome === 'tick') return pass(250);
          const permit = breaker.allow();
          if (permit === undefined) return;
          if (permit.trial) {
            trialsTotal += 1;
            inFlight.set(permit, world.monotonicMs);
            const alive = [...inFlight.values()].filter(
              (sinceMs) => world.monotonicMs - sinceMs < OPTIONS.trialTimeoutMs,
            );
            expect(alive.length).toBe(1);
          }
          await scheduler.schedule(Promise.resolve(), 'answers');
          if (outcome === 'never') return;
          inFlight.delete(permit);
          settle(breaker, permit, outcome);
        };
        const all = Promise.all(outcomes.map(one));
        await scheduler.waitFor(all);
        pass(2 * OPTIONS.cooldownMs + OPTIONS.trialTimeoutMs);
        world.chance = 0.999;
        expect(breaker.allow()).toBeDefined();
      }),
      { numRuns: PROPERTY_RUNS },
    );
    expect(trialsTotal).toBeGreaterThan(PROPERTY_RUNS / 2);
  });
});

describe('P7: a healed host is called again', () => {
  test('the circuit is closed within two cooldowns, one gap between calls and two call durations, whatever chance does', () => {
    const arbitrary = fc.record({
      healsAtMs: fc.nat(20_000),
      gapMs: fc.integer({ min: 1, max: 5_000 }),
      durationMs: fc.integer({ min: 0, max: OPTIONS.trialTimeoutMs - 1 }),
      chances: fc.array(fc.constantFrom(0, 0.1, 0.5, 0.999), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ healsAtMs, gapMs, durationMs, chances }) => {
        const { world, env, pass } = simulatedWorld();
        const breaker = new CircuitBreaker(env, OPTIONS);
        const deadlineMs = healsAtMs + 2 * OPTIONS.cooldownMs + gapMs + 2 * durationMs;
        for (let call = 0; world.monotonicMs <= deadlineMs; call += 1) {
          world.chance = chances[call % chances.length] ?? 0;
          const permit = breaker.allow();
          const healed = world.monotonicMs >= healsAtMs;
          if (permit === undefined) pass(gapMs);
          else {
            pass(durationMs);
            settle(breaker, permit, healed ? 'success' : 'failure');
            pass(Math.max(0, gapMs - durationMs));
          }
        }
        expect(breaker.getStats().state).toBe('closed');
      }),
      { numRuns: PROPERTY_RUNS },
    );
  });
});

describe('the breaker tells what it does', () => {
  test('when the next trial is, since when it has not been closed, and how often it opened', () => {
    const { world, env, pass } = simulatedWorld();
    const breaker = openBreaker(env);
    pass(400);
    expect(breaker.allow()).toBeUndefined();
    expect(breaker.getStats()).toEqual({
      state: 'open',
      failures: 3,
      probeInMs: 600,
      notClosedForMs: 400,
      openedTotal: 1,
      refusedTotal: 1,
    });
    pass(600);
    world.chance = 0.5;
    expect(breaker.allow()).toBeUndefined();
    expect(breaker.getStats()).toMatchObject({ state: 'half_open', probeInMs: 1_000 });
    pass(1_000);
    const trial = breaker.allow();
    expect(trial).toEqual({ trial: true });
    expect(breaker.getStats().probeInMs).toBe(OPTIONS.trialTimeoutMs);
    if (trial !== undefined) breaker.recordFailure(trial);
    expect(breaker.getStats()).toMatchObject({ state: 'open', notClosedForMs: 2_000, openedTotal: 2 });
  });

  test('reset closes it at once, and what was under way counts for nothing', () => {
    const { env, pass } = simulatedWorld();
    const breaker = openBreaker(env);
    pass(2 * OPTIONS.cooldownMs);
    const trial = breaker.allow();
    breaker.reset();
    if (trial !== undefined) breaker.recordFailure(trial);
    expect(breaker.getStats()).toMatchObject({ state: 'closed', failures: 0 });
  });

  test('failures count in a row: a success between them starts over', () => {
    const { env } = simulatedWorld();
    const breaker = new CircuitBreaker(env, OPTIONS);
    for (const outcome of ['failure', 'failure', 'success', 'failure', 'failure'] as const)
      settle(breaker, breaker.allow() ?? { trial: false }, outcome);
    expect(breaker.getStats()).toMatchObject({ state: 'closed', failures: 2 });
  });
});

describe('the circuit of a host', () => {
  function hostOf() {
    const { env } = simulatedWorld();
    const circuit = new CircuitBreaker(env, OPTIONS);
    const host = new HostBreaker(circuit);
    const call = (tenant: string, outcome: Outcome): void => {
      const breaker = host.forTenant(tenant);
      const permit = breaker.allow();
      if (permit !== undefined) settle(breaker, permit, outcome);
    };
    return { circuit, call };
  }

  test('one tenant alone cannot open it, however often it fails', () => {
    const { circuit, call } = hostOf();
    for (let n = 0; n < 100; n += 1) call('acme', 'failure');
    expect(circuit.getStats().state).toBe('closed');
  });

  test('failures of two tenants in a row open it', () => {
    const { circuit, call } = hostOf();
    for (const tenant of ['acme', 'globex', 'acme', 'globex']) call(tenant, 'failure');
    expect(circuit.getStats().state).toBe('open');
  });

  test('a success of anyone shows that the host is well', () => {
    const { circuit, call } = hostOf();
    for (const tenant of ['acme', 'globex']) call(tenant, 'failure');
    call('globex', 'success');
    for (let n = 0; n < 100; n += 1) call('acme', 'failure');
    expect(circuit.getStats().state).toBe('closed');
  });
});

function openBreaker(env: ConstructorParameters<typeof CircuitBreaker>[0]): CircuitBreaker {
  const breaker = new CircuitBreaker(env, OPTIONS);
  for (let n = 0; n < OPTIONS.failuresToOpen; n += 1) breaker.recordFailure(breaker.allow() ?? { trial: false });
  return breaker;
}
