import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { Run } from '#core/store.ts';
import type { Timeline } from '#core/timeline.ts';
import { noMetrics } from '#telemetry/metrics.ts';
import type { Engine } from './engine.ts';
import {
  connectionOf,
  doc,
  docs,
  engineOf,
  hasEnded,
  MINUTE_MS,
  OF,
  openWorld,
  pass,
  runsOf,
  scripted,
  until,
  type PullScript,
  type World,
} from './fixtures/engine-world.ts';

const never = new AbortController().signal;
const HOURLY = { schedule: { kind: 'interval', pollIntervalMs: 60 * MINUTE_MS } } as const;
const rowsIn = async ({ store }: World) =>
  (await store.timeline.query({ tenants: [OF.tenant], limit: 1000 })).rows.length;
const connection = (pull: PullScript, more: Parameters<typeof connectionOf>[1] = HOURLY) =>
  connectionOf(scripted({ pull }), more);

/** An engine of one connection that pulls so. */
function one(world: World, pull: PullScript, more: Parameters<typeof engineOf>[2] = {}) {
  const only = connection(pull);
  return { engine: engineOf(world, [only], more), only };
}
const toEnd = (engine: Engine, of: ReturnType<typeof connection>, signal = never) =>
  engine.pullToEnd(of, 'docs', { signal, acceptDeletes: false, progress: () => {} });
const ended = async (world: World, outcome: Run['outcome'] = 'succeeded') =>
  until(world.clock, `a run ${outcome}`, async () => (await runsOf(world)).some((run) => run.outcome === outcome));
/** Pages one after the other, without end, each after a second. */
function endless(pages: number[] = []): PullScript {
  return async function* (ctx, cursor) {
    for (let page = Number(cursor ?? 0) + 1; ; page += 1) {
      await ctx.clock.sleep(1000, ctx.signal);
      pages.push(page);
      yield { events: [doc(`doc-${page}`)], cursor: page };
    }
  };
}
const hang: PullScript = async function* (ctx) {
  yield { events: [], cursor: await ctx.call('hang', () => new Promise<JsonValue>(() => {})) };
};

describe('a started engine', () => {
  test('pulls what is due and brings it to the sinks, and a stopped one leaves no timer', async () => {
    const world = openWorld();
    const { engine } = one(world, async function* (ctx) {
      yield { events: docs(5), cursor: await ctx.call('list', () => Promise.resolve(1)) };
    });
    await engine.start();
    await ended(world);
    await engine.settled(never);
    expect(await rowsIn(world)).toBe(5);
    await engine.stop();
    await world.clock.advance(0);
    expect(world.clock.sleeping).toBe(0);
  });

  test('closes the runs that an earlier process left open, and pulls from the last durable cursor', async () => {
    const world = openWorld();
    const counts = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };
    await world.store.runs.start({
      ...OF,
      id: 'old',
      startedAtMs: 1,
      endedAtMs: undefined,
      outcome: 'running',
      counts,
      code: undefined,
      message: undefined,
      resumeAtMs: undefined,
    });
    const { engine } = one(world, async function* () {});
    await engine.start();
    await ended(world);
    await engine.stop();
    expect((await runsOf(world)).find(({ id }) => id === 'old')).toMatchObject({
      outcome: 'failed',
      code: 'cancelled',
    });
    expect((await runsOf(world)).every(({ outcome }) => outcome !== 'running')).toBe(true);
  });

  test('delivers what an earlier process left in the log, also when no connection is left', async () => {
    const world = openWorld();
    const first = one(world, async function* () {
      yield { events: docs(5), cursor: 1 };
    });
    const stopped = new AbortController();
    const run = await toEnd(first.engine, first.only, stopped.signal);
    await first.engine.stop();
    expect(run).toHaveLength(1);
    const second = engineOf(world, []);
    await second.start();
    await second.settled(never);
    await second.stop();
    expect(await rowsIn(world)).toBe(5);
  });

  test('a connection that fails at everything does not disturb another one (I6)', async () => {
    const world = openWorld();
    const bad = connection(
      async function* () {
        throw new Error('broken');
      },
      { connection: 'bad', ...HOURLY },
    );
    const good = connection(async function* () {
      yield { events: docs(3), cursor: 1 };
    });
    const engine = engineOf(world, [bad, good]);
    await engine.start();
    await ended(world);
    await engine.settled(never);
    await engine.stop();
    expect(await rowsIn(world)).toBe(3);
    expect((await runsOf(world, { tenant: OF.tenant, connection: 'bad' }))[0]?.outcome).toBe('failed');
  });

  test.for([
    { what: 'rate_limited without a time', thrown: () => new Fault('rate_limited', 'too many') },
    {
      what: 'rate_limited until an hour ago',
      thrown: (nowMs: number) => new Fault('rate_limited', 'too many', { retryAtMs: nowMs - 3_600_000 }),
    },
    { what: 'an abort of its own', thrown: () => new DOMException('aborted', 'AbortError') },
  ])('a connector that throws $what is not asked again before time has passed', async ({ thrown }) => {
    const world = openWorld();
    let pulls = 0;
    const { engine } = one(world, async function* () {
      pulls += 1;
      throw thrown(world.clock.now());
    });
    await engine.start();
    for (let turn = 0; turn < 40; turn += 1) await world.clock.turn();
    await engine.stop();
    expect(pulls).toBe(1);
  });

  test('writes its heartbeat now and then, with the runs that are going on', async () => {
    const world = openWorld();
    const beats: string[] = [];
    const { engine } = one(world, hang, { writeHeartbeat: (text) => Promise.resolve(void beats.push(text)) });
    await engine.start();
    await pass(world.clock, 20_000, 1000);
    await engine.stop();
    expect(beats.length).toBeGreaterThanOrEqual(4);
    expect(beats.at(-1)).toContain('"runs_inflight":1');
  });

  test('goes on when its heartbeat, its trimming and its measurements fail', async () => {
    const world = openWorld();
    let beats = 0;
    const failing = () => Promise.reject(new Error('no space'));
    const { engine } = one(world, endless(), {
      housekeepStorage: failing,
      writeHeartbeat: () => ((beats += 1) > 1 ? failing() : Promise.resolve()),
    });
    await engine.start();
    await pass(world.clock, 20_000, 1000);
    await engine.stop();
    expect(beats).toBeGreaterThan(4);
    expect(await rowsIn(world)).toBeGreaterThan(5);
  });

  test('a check that throws is a finding, not a throw', async () => {
    const world = openWorld();
    const checked = connectionOf(
      scripted({ async *pull() {}, check: () => Promise.reject(new Fault('credential_rejected', 'no')) }),
    );
    expect(await engineOf(world, [checked]).check(checked, never)).toMatchObject([
      { ok: false, message: 'no', fault: { code: 'credential_rejected' } },
    ]);
  });
});

describe('stopping', () => {
  test('while a pull hangs in a call ends at once, without a timer, and the run yields', async () => {
    const world = openWorld();
    const { engine } = one(world, hang);
    await engine.start();
    await until(world.clock, 'it runs', () => engine.runsInflight === 1);
    await world.clock.advance(1000);
    expect(await hasEnded(world.clock, engine.stop())).toBe(true);
    expect(world.clock.sleeping).toBe(0);
    expect((await runsOf(world))[0]?.outcome).toBe('yielded');
  });

  test('keeps the page in hand and asks for no other', async () => {
    const world = openWorld();
    const pages: number[] = [];
    const { engine } = one(world, endless(pages));
    await engine.start();
    await pass(world.clock, 5000, 500);
    await engine.stop();
    const last = pages.at(-1);
    expect((await world.store.streams.get(OF))?.cursor).toBe(last);
    await pass(world.clock, 10_000);
    expect(pages.at(-1)).toBe(last);
  });

  test('lets the batches that a sink has in hand settle, and saves what was measured', async () => {
    const world = openWorld();
    const gate = Promise.withResolvers<void>();
    let inHand = 0;
    const { timeline } = world.store;
    const apply: Timeline['apply'] = async (...call) => {
      inHand += 1;
      await gate.promise;
      return timeline.apply(...call);
    };
    const slow = new Proxy(timeline, {
      get: (of, name) => (name === 'apply' ? apply : (Reflect.get(of, name) as unknown)),
    });
    const { engine } = one(
      world,
      async function* (ctx) {
        yield { events: [doc('a')], cursor: await ctx.call('list', () => Promise.resolve(1)) };
      },
      { store: { ...world.store, timeline: slow } },
    );
    await engine.start();
    await until(world.clock, 'the sink has a batch', () => inHand === 1);
    const stopping = engine.stop();
    expect(await hasEnded(world.clock, stopping)).toBe(false);
    gate.resolve();
    expect(await hasEnded(world.clock, stopping)).toBe(true);
    expect((await timeline.query({ tenants: [OF.tenant], limit: 10 })).rows).toHaveLength(1);
    expect(await world.store.calls.minutes(OF, 0)).toMatchObject([{ operation: 'list', succeeded: 1 }]);
  });

  test('twice, at once and later, is stopping once', async () => {
    const world = openWorld();
    const { engine } = one(world, endless());
    await engine.start();
    await world.clock.advance(1500);
    await Promise.all([engine.stop(), engine.stop()]);
    expect(await hasEnded(world.clock, engine.stop())).toBe(true);
  });

  test('an engine that was never started ends', async () => {
    const { engine } = one(openWorld(), endless());
    await engine.stop();
    expect(engine.runsInflight).toBe(0);
  });

  test('ends a pull to the end too: nothing is pulled once it has stopped', async () => {
    const world = openWorld();
    const pages: number[] = [];
    const { engine, only } = one(world, endless(pages));
    const pulling = toEnd(engine, only).catch((error: unknown) => error);
    await pass(world.clock, 3000, 500);
    await engine.stop();
    const before = pages.length;
    const over = await hasEnded(world.clock, pulling);
    await pass(world.clock, 10_000);
    expect([over, pages.length - before]).toEqual([true, 0]);
  });

  test('ends when the measurements cannot be saved any more', async () => {
    const world = openWorld();
    const calls = new Proxy(world.store.calls, {
      get: (of, name) =>
        name === 'save'
          ? () => Promise.reject(new Fault('storage_full', 'no space'))
          : ((Reflect.get(of, name) as () => unknown).bind(of) as unknown),
    });
    const { engine } = one(
      world,
      async function* (ctx) {
        yield { events: [], cursor: await ctx.call('list', () => Promise.resolve(1)) };
      },
      { store: { ...world.store, calls } },
    );
    await engine.start();
    await ended(world);
    await expect(engine.stop()).resolves.toBeUndefined();
  });
});

describe('a pull to the end', () => {
  test('goes on over slices until the source has no more', async () => {
    const world = openWorld();
    const { engine, only } = one(world, async function* (ctx, cursor) {
      for (let page = Number(cursor ?? 0) + 1; page <= 90; page += 1) {
        await ctx.clock.sleep(1000, ctx.signal);
        yield { events: [doc(`doc-${page}`)], cursor: page };
      }
    });
    const pulling = toEnd(engine, only);
    await pass(world.clock, 120_000);
    const runs = await pulling;
    await engine.stop();
    expect(runs.at(-1)?.outcome).toBe('succeeded');
    expect(runs.length).toBeGreaterThan(2);
    expect(runs.reduce((sum, { counts }) => sum + counts.appended, 0)).toBe(90);
  });

  test('waits for the run that is going on, then pulls', async () => {
    const world = openWorld();
    const gate = Promise.withResolvers<void>();
    let pulls = 0;
    const { engine, only } = one(world, async function* () {
      pulls += 1;
      if (pulls === 1) await gate.promise;
      yield { events: [], cursor: pulls };
    });
    await engine.start();
    await until(world.clock, 'the scheduled run begins', () => pulls === 1);
    const pulling = toEnd(engine, only);
    await pass(world.clock, 5000);
    expect(pulls).toBe(1);
    gate.resolve();
    await pass(world.clock, 1000, 250);
    expect((await pulling).map(({ outcome }) => outcome)).toEqual(['succeeded']);
    await engine.stop();
    expect(pulls).toBe(2);
  });

  test('is told what to wait for instead of waiting: a rate limit ends it', async () => {
    const world = openWorld();
    const { engine, only } = one(world, async function* () {
      throw new Fault('rate_limited', 'later', { retryAtMs: world.clock.now() + 3_600_000 });
    });
    expect(await toEnd(engine, only)).toMatchObject([{ outcome: 'yielded', code: 'rate_limited' }]);
    await engine.stop();
  });

  test('ends when its caller gives up', async () => {
    const world = openWorld();
    const caller = new AbortController();
    const { engine, only } = one(world, endless());
    const pulling = toEnd(engine, only, caller.signal);
    await pass(world.clock, 3000, 500);
    caller.abort();
    expect(await hasEnded(world.clock, pulling)).toBe(true);
    await engine.stop();
  });

  test('of a connector that aborts itself ends instead of spinning', async () => {
    const world = openWorld();
    const caller = new AbortController();
    let pulls = 0;
    const { engine, only } = one(world, async function* () {
      pulls += 1;
      throw new DOMException('aborted', 'AbortError');
    });
    const pulling = toEnd(engine, only, caller.signal);
    await hasEnded(world.clock, pulling);
    const spun = pulls;
    caller.abort();
    await hasEnded(world.clock, pulling);
    await engine.stop();
    expect(spun).toBe(1);
  });

  test('of a stream that the connector does not have says so', async () => {
    const { engine, only } = one(openWorld(), endless());
    expect(
      await engine.pullToEnd(only, 'issues', { signal: never, acceptDeletes: false, progress: () => {} }),
    ).toMatchObject([{ outcome: 'failed', code: 'not_found' }]);
    await engine.stop();
  });
});

test('a call that is made again is counted under its connector and the fault before', async () => {
  const world = openWorld();
  const counted: unknown[] = [];
  let tries = 0;
  const flaky = connection(async function* (ctx) {
    await ctx.call('list', () => {
      tries += 1;
      return tries < 3 ? Promise.reject(new Fault('upstream_unavailable', 'answered 502')) : Promise.resolve();
    });
    yield { events: docs(1), cursor: 1 };
  });
  const engine = engineOf(world, [flaky], {
    metrics: {
      ...noMetrics,
      add: (name, labels) => {
        if (name === 'connector_retries_total') counted.push(labels);
      },
    },
  });
  await engine.start();
  await pass(world.clock, 10_000);
  expect(counted).toEqual([
    { connector: OF.connection, fault: 'upstream_unavailable' },
    { connector: OF.connection, fault: 'upstream_unavailable' },
  ]);
  const stopped = engine.stop();
  await pass(world.clock, 1000);
  await stopped;
});
