import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { Run } from '#core/store.ts';
import {
  connectionOf,
  engineOf,
  hasEnded,
  OF,
  openWorld,
  pass,
  scripted,
  until,
  type PullScript,
  type World,
} from './fixtures/engine-world.ts';

const COUNTS = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };
const quiet: PullScript = async function* () {};

/** A connection with two streams whose runs were these, oldest first, a minute apart. */
async function after(...runs: readonly (Partial<Run> & Pick<Run, 'outcome' | 'stream'>)[]) {
  const world = openWorld();
  for (const [index, run] of runs.entries()) {
    const atMs = world.clock.now() + index * 60_000;
    const endedAtMs = run.outcome === 'running' ? undefined : atMs + 1;
    const record: Run = {
      ...OF,
      id: `run-${index}`,
      startedAtMs: atMs,
      endedAtMs,
      counts: COUNTS,
      code: undefined,
      message: undefined,
      resumeAtMs: undefined,
      ...run,
    };
    await world.store.runs.start(record);
  }
  const connection = connectionOf(scripted({ pull: quiet, streams: { commits: quiet } }));
  return engineOf(world, [connection]).status(connection);
}
const FAILED = { stream: 'docs', outcome: 'failed', code: 'source_missing', message: 'no such folder' } as const;

describe('what is known of a connection', () => {
  test('one that has never run is unknown and idle', async () => {
    expect(await after()).toMatchObject({
      health: { state: 'unknown' },
      activity: { kind: 'idle' },
      circuit: 'closed',
      lastRun: undefined,
      eventsTotal: 0,
      deadLetters: 0,
    });
  });

  test('a stream that failed shows, although the other stream runs well and later', async () => {
    const status = await after(FAILED, { stream: 'commits', outcome: 'succeeded' });
    expect(status.health.state).not.toBe('healthy');
    expect(status.health.reason).toContain('no such folder');
  });

  test('a stream that failed still shows while the other one works through a long backlog', async () => {
    const backlog = Array.from({ length: 40 }, () => ({ stream: 'commits', outcome: 'yielded' }) as const);
    const status = await after(FAILED, ...backlog);
    expect(status.health.reason).toContain('no such folder');
    expect(status.lastRun).toMatchObject({ outcome: 'failed' });
  });

  test('a failure is over with the next success of the same stream', async () => {
    const status = await after(FAILED, { stream: 'docs', outcome: 'succeeded' });
    expect(status.health.reason).not.toContain('no such folder');
  });

  test('a failure is not over because the next run only began or yielded', async () => {
    for (const outcome of ['running', 'yielded'] as const)
      expect((await after(FAILED, { stream: 'docs', outcome })).health.reason).toContain('no such folder');
  });

  test('a run that Weir itself cut off is no failure of the source', async () => {
    expect(
      (await after({ stream: 'docs', outcome: 'failed', code: 'cancelled', message: 'stopped' })).health.state,
    ).toBe('unknown');
  });

  test('a stream that waits until a time says so, also when the other stream has ended a run since', async () => {
    const status = await after(
      { stream: 'docs', outcome: 'yielded', code: 'rate_limited', resumeAtMs: 5e12 },
      { stream: 'commits', outcome: 'succeeded' },
    );
    expect(status.resumeAtMs).toBe(5e12);
  });

  test('the last success is the newest one of any stream', async () => {
    const status = await after({ stream: 'docs', outcome: 'succeeded' }, FAILED);
    expect(status.lastSuccessAtMs).toBe(Date.UTC(2026, 0, 1) + 1);
    expect(status.lastRun?.outcome).toBe('failed');
  });
});

describe('what a connection is doing now', () => {
  async function during(pull: PullScript, guard: Parameters<typeof connectionOf>[1] = {}) {
    const world = openWorld();
    const connection = connectionOf(scripted({ pull }), guard);
    const engine = engineOf(world, [connection]);
    return { world, connection, engine };
  }
  const begun = ({ clock, store }: World) =>
    until(clock, 'a page is stored', async () => (await store.streams.get(OF))?.cursor !== undefined);

  test('a run shows its progress while it goes on, and the result of the one before stays', async () => {
    const gate = Promise.withResolvers<void>();
    const { world, connection, engine } = await during(async function* () {
      yield { events: [], cursor: 1, progress: { done: 50, total: 200 } };
      await gate.promise;
    });
    await engine.start();
    await begun(world);
    await until(
      world.clock,
      'the progress is told',
      async () => (await engine.status(connection)).activity.kind === 'running',
    );
    expect((await engine.status(connection)).activity).toEqual({
      kind: 'running',
      progress: [{ stream: 'docs', done: 50, total: 200 }],
    });
    gate.resolve();
    await until(world.clock, 'it is idle', async () => (await engine.status(connection)).activity.kind === 'idle');
    await engine.stop();
    expect((await engine.status(connection)).lastRun?.outcome).toBe('succeeded');
  });

  test('an open circuit shows with the time to its next trial', async () => {
    const down: PullScript = async function* (ctx) {
      yield {
        events: [],
        cursor: await ctx.call('list', () => Promise.reject(new Fault('upstream_unavailable', '503'))),
      };
    };
    const { world, connection, engine } = await during(down, { guard: { breaker: { failuresToOpen: 1 } } });
    await engine.start();
    await until(world.clock, 'it is open', async () => (await engine.status(connection)).circuit === 'open');
    const { activity } = await engine.status(connection);
    expect(activity.kind).toBe('circuit_open');
    expect(await hasEnded(world.clock, engine.stop())).toBe(true);
  });

  test('the next run is told while nothing runs', async () => {
    const { world, connection, engine } = await during(quiet);
    await engine.start();
    await pass(world.clock, 5000);
    const { nextRunAtMs = 0 } = await engine.status(connection);
    await engine.stop();
    expect(nextRunAtMs).toBeGreaterThan(world.clock.now());
    expect(nextRunAtMs).toBeLessThanOrEqual(world.clock.now() + 60_000);
  });
});
