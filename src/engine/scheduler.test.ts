import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { Run } from '#core/store.ts';
import type { Connection, Schedule } from './connection.ts';
import { Scheduler, type SchedulerLimits } from './scheduler.ts';
import {
  connectionOf,
  hasEnded,
  MINUTE_MS,
  OF,
  openWorld,
  pass,
  scripted,
  until,
  type World,
} from './fixtures/engine-world.ts';

const HOUR_MS = 60 * MINUTE_MS;
type Ending = Partial<Pick<Run, 'outcome' | 'code' | 'resumeAtMs' | 'endedAtMs'>>;
type Pull = (of: { tenant: string; connection: string; stream: string }, signal: AbortSignal) => Promise<Ending>;

function named(name: string, more: Partial<Connection> & { type?: string } = {}): Connection {
  const { type = 'scripted', ...rest } = more;
  return connectionOf(scripted({ type, async *pull() {} }), { connection: name, ...rest });
}
const every = (pollIntervalMs: number): Schedule => ({ kind: 'interval', pollIntervalMs });

/** A scheduler whose pulls do what `pull` says, and the starts it made. */
function schedulerOf(world: World, pull: Pull = () => Promise.resolve({}), limits: Partial<SchedulerLimits> = {}) {
  const starts: { name: string; tenant: string; atMs: number }[] = [];
  const errors: string[] = [];
  const stop = new AbortController();
  const scheduler = new Scheduler({
    env: world.env,
    streams: world.store.streams,
    limits: { runsMax: 4, runsPerTypeMax: 4, sliceMs: 30_000, ...limits },
    onError: (message) => errors.push(message),
    async pull({ tenant, connection }, stream, signal) {
      starts.push({ name: connection, tenant, atMs: world.clock.monotonic() });
      const counts = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };
      const base: Run = {
        id: 'r',
        tenant,
        connection,
        stream,
        startedAtMs: 0,
        endedAtMs: undefined,
        outcome: 'succeeded',
        counts,
        code: undefined,
        message: undefined,
        resumeAtMs: undefined,
      };
      const ending = await pull({ tenant, connection, stream }, signal);
      return { ...base, endedAtMs: world.clock.now(), ...ending };
    },
  });
  return {
    scheduler,
    starts,
    errors,
    async begin(...connections: Connection[]) {
      await scheduler.load(connections);
      const done = scheduler.run(stop.signal);
      return { done, stop: () => (stop.abort(), done) };
    },
    startsOf: (name: string) => starts.filter((start) => start.name === name).map(({ atMs }) => atMs),
  };
}
const stateOf = ({ store }: World, name: string) =>
  store.streams.get({ tenant: OF.tenant, connection: name, stream: 'docs' });

describe('when streams run', () => {
  test('a new one at once, then at its interval', async () => {
    const world = openWorld();
    const { begin, startsOf } = schedulerOf(world);
    const { stop } = await begin(named('one', { schedule: every(MINUTE_MS) }));
    await pass(world.clock, 10 * MINUTE_MS, 10_000);
    await stop();
    expect(startsOf('one')).toHaveLength(10 + 1);
  });

  test('one that is switched off never', async () => {
    const world = openWorld();
    const { begin, starts } = schedulerOf(world);
    const { stop } = await begin(named('off', { enabled: false }));
    await pass(world.clock, HOUR_MS, MINUTE_MS);
    await stop();
    expect(starts).toEqual([]);
  });

  test.for([HOUR_MS, -HOUR_MS])(
    'a wall clock stepped by %d ms neither hastens nor delays them (I10)',
    async (stepMs) => {
      const world = openWorld();
      const { begin, startsOf } = schedulerOf(world);
      const { stop } = await begin(named('one', { schedule: every(10 * MINUTE_MS) }));
      await pass(world.clock, 5 * MINUTE_MS, 10_000);
      world.clock.stepWall(stepMs);
      await pass(world.clock, 25 * MINUTE_MS, 10_000);
      await stop();
      expect(startsOf('one').map((atMs) => Math.round(atMs / MINUTE_MS))).toEqual(
        [0, 10, 20, 30].slice(0, startsOf('one').length),
      );
      expect(startsOf('one').length).toBeGreaterThanOrEqual(3);
    },
  );

  test('one that failed comes back with growing waits, and those outlive the process', async () => {
    const world = openWorld();
    const { begin, startsOf, errors } = schedulerOf(world, () =>
      Promise.resolve({ outcome: 'failed', code: 'upstream_unavailable' }),
    );
    const { stop } = await begin(named('ill', { schedule: every(HOUR_MS) }));
    await pass(world.clock, 2 * MINUTE_MS, 250);
    await stop();
    const gapsMs = startsOf('ill')
      .slice(1)
      .map((atMs, index) => atMs - (startsOf('ill')[index] ?? 0));
    expect(errors).toEqual([]);
    expect(gapsMs.length).toBeLessThanOrEqual(7);
    expect(gapsMs).toEqual(gapsMs.toSorted((a, b) => a - b));
    expect(await stateOf(world, 'ill')).toMatchObject({ failures: startsOf('ill').length });
  });

  test('one whose failure cannot be helped waits for its interval', async () => {
    const world = openWorld();
    const { begin, startsOf } = schedulerOf(world, () =>
      Promise.resolve({ outcome: 'failed', code: 'credential_rejected' }),
    );
    const { stop } = await begin(named('ill', { schedule: every(10 * MINUTE_MS) }));
    await pass(world.clock, 9 * MINUTE_MS, 5000);
    await stop();
    expect(startsOf('ill')).toHaveLength(1);
  });

  test('one that yielded comes back at the time it said, however far beyond its interval', async () => {
    const world = openWorld();
    const { begin, startsOf } = schedulerOf(world, () =>
      Promise.resolve({ outcome: 'yielded', code: 'rate_limited', resumeAtMs: world.clock.now() + HOUR_MS }),
    );
    const { stop } = await begin(named('limited', { schedule: every(MINUTE_MS) }));
    await pass(world.clock, 59 * MINUTE_MS, 10_000);
    expect(startsOf('limited')).toHaveLength(1);
    await pass(world.clock, 2 * MINUTE_MS, 10_000);
    await stop();
    expect(startsOf('limited')).toHaveLength(2);
  });

  test('one that is refused because somebody else pulls it is looked at again soon, without an error', async () => {
    const world = openWorld();
    let refusals = 2;
    const { begin, startsOf, errors } = schedulerOf(world, () =>
      refusals-- > 0 ? Promise.reject(new Fault('already_running', 'x')) : Promise.resolve({}),
    );
    const { stop } = await begin(named('one', { schedule: every(HOUR_MS) }));
    await pass(world.clock, 30_000, 1000);
    await stop();
    expect([startsOf('one').length, errors]).toEqual([3, []]);
  });

  test('a store that cannot write is told, and the stream is tried again later instead of at once', async () => {
    const world = openWorld();
    const { begin, startsOf, errors } = schedulerOf(world, () => Promise.reject(new Fault('storage_full', 'no space')));
    const { stop } = await begin(named('one'));
    await pass(world.clock, 60_000, 1000);
    await stop();
    expect(startsOf('one').length).toBeLessThanOrEqual(13);
    expect(errors.length).toBe(startsOf('one').length);
    expect(errors[0]).toContain('no space');
  });

  test('a cron schedule that has no next time is not pulled again and again', async () => {
    const world = openWorld();
    const { begin, startsOf, errors } = schedulerOf(world);
    const { stop } = await begin(named('never', { schedule: { kind: 'cron', cron: '0 0 30 2 *', timeZone: 'UTC' } }));
    await pass(world.clock, 2 * MINUTE_MS, 1000);
    await stop();
    expect([startsOf('never').length, errors]).toEqual([1, []]);
  });

  test('a wake makes a stream due at once', async () => {
    const world = openWorld();
    const { begin, startsOf, scheduler } = schedulerOf(world);
    const { stop } = await begin(named('one', { schedule: every(HOUR_MS) }));
    await pass(world.clock, MINUTE_MS, 10_000);
    scheduler.wake({ tenant: OF.tenant, connection: 'one', stream: 'docs' });
    await until(world.clock, 'it runs', () => startsOf('one').length === 2);
    await stop();
  });

  test('a wake during a run is not forgotten when the run ends', async () => {
    const world = openWorld();
    const gate = Promise.withResolvers<Ending>();
    let first = true;
    const { begin, startsOf, scheduler } = schedulerOf(world, () => {
      if (!first) return Promise.resolve({});
      first = false;
      return gate.promise;
    });
    const { stop } = await begin(named('one', { schedule: every(HOUR_MS) }));
    await until(world.clock, 'it runs', () => startsOf('one').length === 1);
    scheduler.wake({ tenant: OF.tenant, connection: 'one', stream: 'docs' });
    gate.resolve({});
    await pass(world.clock, MINUTE_MS, 10_000);
    await stop();
    expect(startsOf('one')).toHaveLength(2);
  });
});

describe('due times after a restart', () => {
  async function after(dueInMs: number, restart: { wallStepMs?: number } = {}) {
    const world = openWorld();
    await world.store.streams.schedule(
      { tenant: OF.tenant, connection: 'one', stream: 'docs' },
      world.clock.now() + dueInMs,
      3,
    );
    world.clock.stepWall(restart.wallStepMs ?? 0);
    const { begin, startsOf } = schedulerOf(world);
    const { stop } = await begin(named('one', { schedule: every(10 * MINUTE_MS) }));
    await pass(world.clock, 15 * MINUTE_MS, 10_000);
    await stop();
    return startsOf('one').map((atMs) => Math.floor(atMs / MINUTE_MS));
  }

  test('what was due in a while still is, and does not run at once', async () => {
    expect((await after(4 * MINUTE_MS))[0]).toBe(4);
  });

  test('what was missed runs once, now', async () => {
    expect(await after(-5 * HOUR_MS)).toEqual([0, 10]);
  });

  test('a wall clock set back a year does not keep a stream waiting for a year', async () => {
    expect((await after(5 * MINUTE_MS, { wallStepMs: -365 * 24 * HOUR_MS }))[0]).toBe(10);
  });

  test('a time that the source itself gave is kept: nothing is asked before it (P10)', async () => {
    const world = openWorld();
    const resumeAtMs = world.clock.now() + HOUR_MS;
    const one = named('one', { schedule: every(MINUTE_MS) });
    const before = schedulerOf(world, () => Promise.resolve({ outcome: 'yielded', code: 'rate_limited', resumeAtMs }));
    const first = await before.begin(one);
    await pass(world.clock, 5000);
    await first.stop();
    const later = schedulerOf(world);
    const second = await later.begin(one);
    await pass(world.clock, 30 * MINUTE_MS, 10_000);
    await second.stop();
    expect(later.starts).toEqual([]);
  });

  test('a stream that went well is at most one interval late after the wall clock was set back', async () => {
    const world = openWorld();
    const one = named('one', { schedule: every(MINUTE_MS) });
    const first = await schedulerOf(world).begin(one);
    await pass(world.clock, 5000);
    await first.stop();
    world.clock.stepWall(-2 * HOUR_MS);
    const restartedMs = world.clock.monotonic();
    const later = schedulerOf(world);
    const second = await later.begin(one);
    await pass(world.clock, 2 * MINUTE_MS);
    await second.stop();
    expect((later.startsOf('one')[0] ?? Infinity) - restartedMs).toBeLessThanOrEqual(MINUTE_MS);
  });

  test('an interval that was shortened while Weir was down counts at once', async () => {
    const world = openWorld();
    const first = await schedulerOf(world).begin(named('one', { schedule: every(24 * HOUR_MS) }));
    await pass(world.clock, 5000);
    await first.stop();
    const later = schedulerOf(world);
    const second = await later.begin(named('one', { schedule: every(MINUTE_MS) }));
    await pass(world.clock, MINUTE_MS + 1000);
    await second.stop();
    expect(later.starts).toHaveLength(1);
  });

  const DAY_MS = 24 * HOUR_MS;
  const stepMs = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }),
    fc.integer({ min: -20 * 365 * DAY_MS, max: 20 * 365 * DAY_MS }),
  );
  const phase = fc.record({ stepMs, restart: fc.boolean(), passMs: fc.integer({ min: 0, max: 40 * MINUTE_MS }) });

  test('no step of the wall clock, with or without restarts, makes a stream later than one whole wait, nor earlier than its source allows while it runs (I10)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }),
        fc.array(phase, { minLength: 1, maxLength: 5 }),
        async (intervalMin, statedMin, phases) => {
          const world = openWorld();
          const waitMs = (statedMin ?? intervalMin) * MINUTE_MS;
          const one = named('one', { schedule: every(intervalMin * MINUTE_MS) });
          const begin = async () => {
            const scheduler = schedulerOf(world, () =>
              Promise.resolve(
                statedMin === undefined
                  ? {}
                  : { outcome: 'yielded', code: 'rate_limited', resumeAtMs: world.clock.now() + waitMs },
              ),
            );
            const beganMs = world.clock.monotonic();
            return { ...scheduler, beganMs, ...(await scheduler.begin(one)) };
          };
          const look = async (since: Awaited<ReturnType<typeof begin>>, endMs: number): Promise<void> => {
            await since.stop();
            const times = [since.beganMs, ...since.startsOf('one'), endMs];
            const gapsMs = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
            // One step of the test's clock of slack: it wakes nobody in between.
            for (const gapMs of gapsMs) expect(gapMs).toBeLessThanOrEqual(waitMs + MINUTE_MS);
            for (const gapMs of gapsMs.slice(1, -1)) expect(gapMs).toBeGreaterThanOrEqual(waitMs);
          };
          let running = await begin();
          for (const { stepMs: byMs, restart, passMs } of phases) {
            await pass(world.clock, passMs, MINUTE_MS);
            if (restart) await look(running, world.clock.monotonic());
            world.clock.stepWall(byMs);
            if (restart) running = await begin();
          }
          await pass(world.clock, waitMs + MINUTE_MS, MINUTE_MS);
          expect(running.starts.length).toBeGreaterThan(0);
          await look(running, world.clock.monotonic());
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  test('a wall clock stepped while a run that was told to wait is written down changes nothing of the wait', async () => {
    for (const byMs of [5 * HOUR_MS, -5 * HOUR_MS]) {
      const world = openWorld();
      const { begin, startsOf } = schedulerOf(world, async () => {
        const endedAtMs = world.clock.now();
        await world.clock.turn();
        world.clock.stepWall(byMs);
        return { outcome: 'yielded', code: 'rate_limited', endedAtMs, resumeAtMs: endedAtMs + HOUR_MS };
      });
      const { stop } = await begin(named('one', { schedule: every(MINUTE_MS) }));
      await pass(world.clock, 61 * MINUTE_MS, MINUTE_MS);
      await stop();
      expect(startsOf('one').map((atMs) => Math.round(atMs / MINUTE_MS))).toEqual([0, 60]);
    }
  });

  test('a cron schedule comes at its next time after the wall clock was set back', async () => {
    const world = openWorld();
    const one = named('one', { schedule: { kind: 'cron', cron: '0 * * * *', timeZone: 'UTC' } });
    const first = await schedulerOf(world).begin(one);
    await pass(world.clock, 5000);
    await first.stop();
    world.clock.stepWall(-365 * DAY_MS);
    const later = schedulerOf(world);
    const second = await later.begin(one);
    await pass(world.clock, HOUR_MS + MINUTE_MS, 10_000);
    await second.stop();
    expect(later.starts).toHaveLength(1);
  });
});

describe('limits', () => {
  const hanging: Pull = (_, signal) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ outcome: 'yielded' }), { once: true }));

  test('no more runs at once than allowed in all', async () => {
    const world = openWorld();
    const { begin, starts, scheduler } = schedulerOf(world, hanging, { runsMax: 3 });
    const { stop } = await begin(
      ...Array.from({ length: 10 }, (_, index) => named(`c${index}`, { type: `t${index}` })),
    );
    await pass(world.clock, 10 * MINUTE_MS, MINUTE_MS);
    expect([starts.length, scheduler.inflight]).toEqual([3, 3]);
    await stop();
    expect(scheduler.inflight).toBe(0);
  });

  test('no more of one connector type than allowed, and another type is not held up by it', async () => {
    const world = openWorld();
    const { begin, starts } = schedulerOf(world, hanging, { runsMax: 4, runsPerTypeMax: 2 });
    const { stop } = await begin(
      ...Array.from({ length: 5 }, (_, index) => named(`git${index}`, { type: 'git' })),
      named('logs', { type: 'logs' }),
    );
    await pass(world.clock, MINUTE_MS, 10_000);
    await stop();
    expect(starts.map(({ name }) => name).toSorted()).toEqual(['git0', 'git1', 'logs']);
  });

  test('a stream is never run twice at once, however often it is woken', async () => {
    const world = openWorld();
    const { begin, starts, scheduler } = schedulerOf(world, hanging);
    const { stop } = await begin(named('one'));
    for (let wake = 0; wake < 5; wake += 1) {
      scheduler.wake({ tenant: OF.tenant, connection: 'one', stream: 'docs' });
      await pass(world.clock, 1000);
    }
    await stop();
    expect(starts).toHaveLength(1);
  });

  test('a tenant with a hundred connections does not starve one with a single connection', async () => {
    const world = openWorld();
    const work: Pull = async () => {
      await world.clock.sleep(10_000);
      return { outcome: 'yielded', resumeAtMs: world.clock.now() };
    };
    const { begin, starts } = schedulerOf(world, work, { runsMax: 2 });
    const crowd = Array.from({ length: 100 }, (_, index) => named(`crowd${index}`, { tenant: 'big' }));
    const { stop } = await begin(...crowd, named('only', { tenant: 'small' }));
    await pass(world.clock, 10 * MINUTE_MS, 5000);
    void stop();
    await pass(world.clock, 20_000, 5000);
    const small = starts.filter(({ tenant }) => tenant === 'small').length;
    expect(small / starts.length).toBeGreaterThan(0.4);
  });

  test('within a tenant the stream that has waited longest goes first', async () => {
    const world = openWorld();
    const work: Pull = async () =>
      world.clock.sleep(10_000).then(() => ({ outcome: 'yielded', resumeAtMs: world.clock.now() }));
    const { begin, starts } = schedulerOf(world, work, { runsMax: 1 });
    const { stop } = await begin(named('a'), named('b'), named('c'));
    await pass(world.clock, 2 * MINUTE_MS, 5000);
    void stop();
    await pass(world.clock, 20_000, 5000);
    const counts = ['a', 'b', 'c'].map((name) => starts.filter((start) => start.name === name).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

describe('stopping the scheduler', () => {
  test('starts nothing more, waits for the runs that are going on, and leaves no timer', async () => {
    const world = openWorld();
    const gate = Promise.withResolvers<Ending>();
    const { begin, starts } = schedulerOf(world, () => gate.promise, { runsMax: 1 });
    const { done, stop } = await begin(named('a'), named('b'));
    await until(world.clock, 'one runs', () => starts.length === 1);
    void stop();
    expect(await hasEnded(world.clock, done)).toBe(false);
    gate.resolve({});
    expect(await hasEnded(world.clock, done)).toBe(true);
    expect(starts).toHaveLength(1);
    expect(world.clock.sleeping).toBe(0);
  });
});
