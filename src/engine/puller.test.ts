import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { ConnectorContext } from '#core/connector.ts';
import { Fault, type FaultCode } from '#core/fault.ts';
import { streamLeaseName } from '#core/names.ts';
import { pullSlice } from './puller.ts';
import {
  connectionOf,
  doc,
  docs,
  hasEnded,
  keysIn,
  OF,
  openWorld,
  pullerOf,
  runsOf,
  scripted,
  until,
  unsettled,
  type PullScript,
  type World,
} from './fixtures/engine-world.ts';

const never = new AbortController().signal;

function slice(
  world: World,
  pull: PullScript,
  more: { signal?: AbortSignal; puller?: Parameters<typeof pullerOf>[1] } = {},
) {
  return pullSlice(pullerOf(world, more.puller), {
    connection: connectionOf(scripted({ pull })),
    stream: 'docs',
    signal: more.signal ?? never,
  });
}
const cursorOf = async (world: World) => (await world.store.streams.get(OF))?.cursor;
const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('one slice', () => {
  test('stores every page and resumes from its cursor', async () => {
    const world = openWorld();
    const from: unknown[] = [];
    const pull: PullScript = async function* (_, cursor) {
      from.push(cursor);
      yield { events: [doc('a')], cursor: { page: 1 } };
      yield { events: [doc('b')], cursor: { page: 2 }, skipped: { binary: 3 } };
    };
    const run = await slice(world, pull);
    expect(run).toMatchObject({
      outcome: 'succeeded',
      code: undefined,
      counts: { pages: 2, appended: 2, skipped: { binary: 3 } },
    });
    await slice(world, pull);
    expect(from).toEqual([undefined, { page: 2 }]);
    expect(await keysIn(world)).toEqual(['a', 'b']);
  });

  test('a source without anything new succeeds with nothing', async () => {
    const world = openWorld();
    expect(await slice(world, async function* () {})).toMatchObject({
      outcome: 'succeeded',
      counts: { pages: 0, appended: 0 },
    });
    expect(await cursorOf(world)).toBeUndefined();
  });

  test('keeps the pages before a throw, and the run says why it failed', async () => {
    const world = openWorld();
    const run = await slice(world, async function* () {
      yield { events: [doc('a')], cursor: 1 };
      throw new Fault('upstream_unavailable', 'HTTP 503');
    });
    expect(run).toMatchObject({
      outcome: 'failed',
      code: 'upstream_unavailable',
      message: 'HTTP 503',
      counts: { pages: 1 },
    });
    expect(await cursorOf(world)).toBe(1);
    expect((await runsOf(world))[0]).toEqual(run);
  });

  test.for(['a string', undefined, { code: 'rate_limited' }, new Error('')])(
    'whatever is thrown (%s), the run ends as failed with a message',
    async (thrown) => {
      const run = await slice(openWorld(), async function* () {
        yield { events: [], cursor: 1 };
        throw thrown;
      });
      expect(run.outcome).toBe('failed');
      expect(run.message?.length).toBeGreaterThan(0);
    },
  );

  test('a page without end: the slice ends between two pages when its time is used up', async () => {
    const world = openWorld();
    let page = 0;
    let cleaned = false;
    const running = slice(world, async function* (ctx) {
      try {
        for (;;) {
          await ctx.clock.sleep(10_000, ctx.signal);
          page += 1;
          yield { events: [doc(`doc-${page}`)], cursor: page };
        }
      } finally {
        cleaned = true;
      }
    });
    for (let step = 1; step <= 3; step += 1) {
      await until(world.clock, 'the source and the lease wait', () => page === step - 1 && world.clock.sleeping === 2);
      await world.clock.advance(10_000);
    }
    expect(await running).toMatchObject({ outcome: 'yielded', code: undefined, resumeAtMs: world.clock.now() });
    expect(await cursorOf(world)).toBe(3);
    expect(cleaned).toBe(true);
  });

  test('only one slice of a stream runs at a time; the other one is refused and leaves no run behind', async () => {
    const world = openWorld();
    const gate = Promise.withResolvers<void>();
    const first = slice(world, async function* () {
      await gate.promise;
      yield { events: [], cursor: 1 };
    });
    await until(world.clock, 'the run begins', async () => (await runsOf(world)).length === 1);
    await expect(slice(world, async function* () {})).rejects.toMatchObject({ code: 'already_running' });
    gate.resolve();
    await first;
    expect(await runsOf(world)).toHaveLength(1);
    expect((await slice(world, async function* () {})).outcome).toBe('succeeded');
  });

  test('leaves no timer and no listener behind', async () => {
    const world = openWorld();
    const stop = new AbortController();
    await slice(
      world,
      async function* () {
        yield { events: docs(3), cursor: 1 };
      },
      { signal: stop.signal },
    );
    expect(world.clock.sleeping).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  test('leaves no listener on the signal its calls were given: the platform would keep one for every run', async () => {
    const contexts: ConnectorContext[] = [];
    await slice(openWorld(), async function* (ctx) {
      contexts.push(ctx);
      yield { events: [], cursor: await ctx.call('list', () => Promise.resolve(1)) };
    });
    expect(contexts.flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toHaveLength(0);
  });
});

describe('a slice that must wait', () => {
  test.for(['rate_limited', 'circuit_open'] satisfies FaultCode[])('%s with a time yields until then', async (code) => {
    const world = openWorld();
    const retryAtMs = world.clock.now() + 90_000;
    const run = await slice(world, async function* () {
      yield { events: [doc('a')], cursor: 1 };
      throw new Fault(code, 'later', { retryAtMs });
    });
    expect(run).toMatchObject({ outcome: 'yielded', code, resumeAtMs: retryAtMs });
    expect(await cursorOf(world)).toBe(1);
  });

  test.for([
    { what: 'no time', at: () => undefined },
    { what: 'now', at: (nowMs: number) => nowMs },
    { what: 'a time that has passed', at: (nowMs: number) => nowMs - 3_600_000 },
    { what: 'not a number', at: () => Number.NaN },
  ])('$what to wait for does not mean at once: such a run would spin', async ({ at }) => {
    const world = openWorld();
    const retryAtMs = at(world.clock.now());
    const run = await slice(world, async function* () {
      throw new Fault('rate_limited', 'too many', retryAtMs === undefined ? {} : { retryAtMs });
    });
    expect(run.resumeAtMs).toBeGreaterThan(world.clock.now());
  });

  test.for([1.5, Number.POSITIVE_INFINITY])(
    'a time that the store cannot keep as it is (now + %d ms) still ends the run with a record',
    async (afterMs) => {
      const world = openWorld();
      const run = await slice(world, async function* () {
        throw new Fault('rate_limited', 'too many', { retryAtMs: world.clock.now() + afterMs });
      });
      expect(Number.isSafeInteger(run.resumeAtMs)).toBe(true);
      expect((await runsOf(world))[0]?.outcome).toBe('yielded');
    },
  );

  test('an abort inside the connector that nobody asked for does not mean at once either', async () => {
    const world = openWorld();
    const run = await slice(world, async function* () {
      throw new DOMException('The operation was aborted', 'AbortError');
    });
    expect(run.outcome === 'failed' || (run.resumeAtMs ?? 0) > world.clock.now()).toBe(true);
  });

  test('a nearly full log pauses it before the first page, and looks again soon', async () => {
    const world = openWorld();
    let pulled = 0;
    const run = await slice(
      world,
      async function* () {
        pulled += 1;
        yield { events: [], cursor: 1 };
      },
      { puller: { mustPause: () => Promise.resolve(true) } },
    );
    expect(run).toMatchObject({ outcome: 'yielded', code: undefined, resumeAtMs: world.clock.now() + 2000 });
    expect(pulled).toBe(0);
  });

  test('a log that fills up while it pulls pauses it between two pages', async () => {
    const world = openWorld();
    const mustPause = async () => (await unsettled(world)).length >= 2;
    const run = await slice(
      world,
      async function* () {
        for (let page = 1; ; page += 1) yield { events: [doc(`doc-${page}`)], cursor: page };
      },
      { puller: { mustPause } },
    );
    expect(run).toMatchObject({ outcome: 'yielded', counts: { pages: 2 } });
  });
});

describe('a slice that is stopped', () => {
  test('ends between two pages and is not a failure; the rest comes with the next one', async () => {
    const world = openWorld();
    const stop = new AbortController();
    const run = await slice(
      world,
      async function* () {
        for (let page = 1; ; page += 1) {
          if (page === 2) stop.abort();
          yield { events: [doc(`doc-${page}`)], cursor: page };
        }
      },
      { signal: stop.signal },
    );
    expect(run).toMatchObject({ outcome: 'yielded', code: undefined, counts: { pages: 2 } });
    expect(await cursorOf(world)).toBe(2);
  });

  test('while a call hangs ends at once', async () => {
    const world = openWorld();
    const stop = new AbortController();
    let called = false;
    const running = slice(
      world,
      async function* (ctx) {
        yield {
          events: [],
          cursor: await ctx.call('hang', () => {
            called = true;
            return new Promise<number>(() => {});
          }),
        };
      },
      { signal: stop.signal },
    );
    await until(world.clock, 'the call is out', () => called);
    stop.abort();
    expect(await hasEnded(world.clock, running)).toBe(true);
    expect(await running).toMatchObject({ outcome: 'yielded', code: undefined });
  });

  test('and returns because of it has not succeeded: there may be more', async () => {
    const world = openWorld();
    const stop = new AbortController();
    const running = slice(
      world,
      async function* (ctx) {
        await stopped(ctx.signal);
      },
      { signal: stop.signal },
    );
    await until(world.clock, 'the run begins', async () => (await runsOf(world)).length === 1);
    stop.abort();
    expect((await running).outcome).toBe('yielded');
  });

  test('before it began pulls at most one page', async () => {
    const world = openWorld();
    const run = await slice(
      world,
      async function* () {
        for (let page = 1; ; page += 1) yield { events: [], cursor: page };
      },
      { signal: AbortSignal.abort() },
    );
    expect(run).toMatchObject({ outcome: 'yielded' });
    expect(run.counts.pages).toBeLessThanOrEqual(1);
  });
});

describe('a slice that loses its lease in the middle of a page', () => {
  const robbed = async (world: World, count: number) => {
    const running = slice(world, async function* () {
      yield { events: [doc('before')], cursor: 'before' };
      // What happens to an owner that was frozen for longer than its lease: somebody else has the stream now.
      await world.clock.advance(0);
      const state = await takeOver(world);
      yield { events: docs(count), cursor: `after ${state}` };
      yield { events: [doc('later')], cursor: 'later' };
    });
    return running;
  };
  // The in-process leases have no other way to lose one than to be given up; a later token then belongs to the new owner.
  async function takeOver({ leases }: World): Promise<string> {
    for (let token = 0; token < 10; token += 1)
      await leases.release({ lease: streamLeaseName(OF), token: 2 ** 32 + token });
    return (await leases.acquire(streamLeaseName(OF), 'other', 60_000)) === undefined ? 'held' : 'taken';
  }

  test('stores nothing of that page and asks for no more', async () => {
    const world = openWorld();
    const run = await robbed(world, 5);
    expect(run.outcome).not.toBe('succeeded');
    expect(await keysIn(world)).toEqual(['before']);
    expect(await cursorOf(world)).toBe('before');
  });

  test('is no failure of the source: there is nothing to do', async () => {
    const run = await robbed(openWorld(), 5);
    expect(run.outcome).toBe('yielded');
  });

  test('leaves the stream to its new owner', async () => {
    const world = openWorld();
    await robbed(world, 5);
    expect(await world.leases.acquire(streamLeaseName(OF), 'third', 60_000)).toBeUndefined();
  });
});

describe('a store that fails', () => {
  test('at the end of a run leaves the stream free for the next one', async () => {
    const world = openWorld();
    const { store } = world;
    const failing = {
      ...store,
      runs: { ...boundRuns(world), end: () => Promise.reject(new Fault('storage_full', 'no space')) },
    };
    await expect(slice(world, async function* () {}, { puller: { store: failing } })).rejects.toMatchObject({
      code: 'storage_full',
    });
    expect((await slice(world, async function* () {})).outcome).toBe('succeeded');
  });

  test('on a page ends the run with its fault, and the cursor stays before that page', async () => {
    const world = openWorld();
    let appends = 0;
    const log = new Proxy(world.log, {
      get: (of, name) =>
        name === 'append'
          ? (batch: never) =>
              (appends += 1) === 2 ? Promise.reject(new Fault('storage_full', 'no space')) : of.append(batch)
          : (Reflect.get(of, name) as unknown),
    });
    const run = await slice(
      world,
      async function* () {
        for (let page = 1; page < 4; page += 1) yield { events: [doc(`doc-${page}`)], cursor: page };
      },
      { puller: { log } },
    );
    expect(run).toMatchObject({ outcome: 'failed', code: 'storage_full', counts: { pages: 1, appended: 1 } });
    expect(await cursorOf(world)).toBe(1);
  });
});

function boundRuns({ store: { runs } }: World): World['store']['runs'] {
  return {
    start: (run) => runs.start(run),
    end: (run) => runs.end(run),
    recent: (of, limit) => runs.recent(of, limit),
    closeAbandoned: (nowMs) => runs.closeAbandoned(nowMs),
    lastSuccess: (of) => runs.lastSuccess(of),
  };
}
