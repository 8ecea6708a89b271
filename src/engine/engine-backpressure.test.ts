import { describe, expect, test } from 'vitest';
import type { Library } from '#core/library.ts';
import { sealEvent } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import type { Engine, EngineOptions } from './engine.ts';
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
  type World,
} from './fixtures/engine-world.ts';

const never = new AbortController().signal;
const QUEUE = { eventsMax: 100, bytesMax: 1024 ** 3 };

/** A source of `total` documents, ten a page, and a library that takes nothing while `stuck`. */
function filling(world: World, total: number) {
  const sink = { stuck: true, applied: 0 };
  const { library } = world.store;
  const apply: Library['apply'] = async (partition, entries, fence) => {
    if (sink.stuck) throw new Fault('storage_unknown', 'the store is out');
    const done = await library.apply(partition, entries, fence);
    sink.applied += entries.length;
    return done;
  };
  const stuckLibrary = new Proxy(library, {
    get: (of, name) => (name === 'apply' ? apply : (Reflect.get(of, name) as unknown)),
  });
  const connection = connectionOf(
    scripted({
      async *pull(_, cursor) {
        for (let at = Number(cursor ?? 0); at < total; at += 10)
          yield { events: docs(10, `page-${at}`), cursor: at + 10 };
      },
    }),
  );
  const engine = engineOf(world, [connection], { store: { ...world.store, library: stuckLibrary }, queue: QUEUE });
  return { engine, connection, sink };
}
const sizeOf = async (engine: Engine) => (await engine.queue()).stats.size;
const toEnd = (engine: Engine, connection: ReturnType<typeof connectionOf>) =>
  engine.pullToEnd(connection, 'docs', { signal: never, acceptDeletes: false, progress: () => {} });

describe('a log that fills up because a sink is down (G8)', () => {
  test('pauses the pulls at 80 %, and nothing is lost when the sink is back', async () => {
    const world = openWorld();
    const { engine, sink } = filling(world, 500);
    await engine.start();
    await pass(world.clock, 20_000);
    expect(await sizeOf(engine)).toBe(80);
    expect(await engine.queue()).toMatchObject({ paused: true, usageRatio: 0.8, limits: QUEUE });
    sink.stuck = false;
    await pass(world.clock, 300_000, 2000);
    await engine.stop();
    expect(sink.applied).toBe(500);
    expect((await world.store.streams.get(OF))?.cursor).toBe(500);
  });

  test('a pull to the end waits for the sinks instead of failing, and ends when they have caught up', async () => {
    const world = openWorld();
    const { engine, connection, sink } = filling(world, 300);
    const pulling = toEnd(engine, connection);
    await pass(world.clock, 20_000);
    expect(await hasEnded(world.clock, pulling)).toBe(false);
    sink.stuck = false;
    await pass(world.clock, 300_000, 2000);
    expect((await pulling).at(-1)?.outcome).toBe('succeeded');
    await engine.stop();
    expect(sink.applied).toBe(300);
  });

  test('does not count a pause as a failure', async () => {
    const world = openWorld();
    const { engine } = filling(world, 500);
    await engine.start();
    await pass(world.clock, 10_000);
    await engine.stop();
    expect((await runsOf(world)).every(({ outcome }) => outcome === 'yielded')).toBe(true);
    expect((await world.store.streams.get(OF))?.failures).toBe(0);
  });

  test('does not wash the history of runs away: the last success is still known after twenty minutes', async () => {
    const world = openWorld();
    let full = false;
    const connection = connectionOf(scripted({ async *pull() {} }), {
      schedule: { kind: 'interval', pollIntervalMs: MINUTE_MS },
    });
    const stats = world.log.stats.bind(world.log);
    const log = new Proxy(world.log, {
      get: (of, name) =>
        name === 'stats'
          ? async () => ({ ...(await stats()), size: full ? 100 : 0 })
          : ((Reflect.get(of, name) as () => unknown).bind(of) as unknown),
    });
    const engine = engineOf(world, [connection], { queue: QUEUE, log });
    await engine.start();
    await until(world.clock, 'a success', async () =>
      (await runsOf(world)).some(({ outcome }) => outcome === 'succeeded'),
    );
    full = true;
    await pass(world.clock, 20 * MINUTE_MS, 2000);
    const { lastSuccessAtMs } = await engine.status(connection);
    await engine.stop();
    expect(lastSuccessAtMs).toBeDefined();
  });
});

describe('a tenant that floods the log', () => {
  const LEAD_MS = 20_000;
  /** Tenant `a` has more than its share, tenant `b` a little; the sinks take nothing. */
  async function flooded(queue: EngineOptions['queue']) {
    const world = openWorld();
    const source = (total: number) =>
      scripted({
        async *pull(_, cursor) {
          for (let at = Number(cursor ?? 0); at < total; at += 10)
            yield { events: docs(10, `page-${at}`), cursor: at + 10 };
        },
      });
    const b = { tenant: 'b', connection: 'other', schedule: { kind: 'interval', pollIntervalMs: 1000 } } as const;
    const stuck = { apply: () => Promise.reject(new Fault('storage_unknown', 'the store is out')) };
    const library = new Proxy(world.store.library, {
      get: (of, name) => (name in stuck ? stuck.apply : (Reflect.get(of, name) as unknown)),
    });
    const engine = engineOf(world, [connectionOf(source(500)), connectionOf(source(20), b)], {
      store: { ...world.store, library },
      queue,
    });
    await engine.start();
    await pass(world.clock, LEAD_MS);
    const tenantsOf = async () => Object.fromEntries((await engine.queue()).tenants.map((one) => [one.tenant, one]));
    /** As a webhook does, which no pause holds up. */
    const append = (tenant: string, count: number, prefix: string) =>
      world.log.append({
        events: docs(count, prefix).map((draft) =>
          sealEvent({ tenant, connection: 'hook', connector: 'scripted', stream: 'docs' }, draft),
        ),
      });
    return { world, engine, tenantsOf, append };
  }

  test("pauses its own pulls at 80 % of its share, and nobody else's", async () => {
    const { world, engine, tenantsOf } = await flooded(QUEUE);
    expect(await tenantsOf()).toMatchObject({
      a: { size: 40, usageRatio: 0.8, paused: true },
      b: { size: 20, usageRatio: 0.4, paused: false },
    });
    expect(await engine.queue()).toMatchObject({ paused: false, usageRatio: 0.6, intake: 'open' });
    expect((await world.store.streams.get({ tenant: 'b', connection: 'other', stream: 'docs' }))?.cursor).toBe(20);
    await engine.stop();
  });

  test('takes as much as the setting gives it', async () => {
    const { engine, tenantsOf } = await flooded({ ...QUEUE, tenantShareRatio: 0.25 });
    expect(await tenantsOf()).toMatchObject({ a: { size: 20, paused: true }, b: { size: 20, paused: true } });
    await engine.stop();
  });

  test('is refused only when its share is used up, and the others only when the log is', async () => {
    const { world, engine, append } = await flooded(QUEUE);
    const refusals = async () => {
      await engine.queue();
      return ['a', 'b'].map((tenant) => engine.intakeRefusal(tenant)?.code);
    };
    expect(await refusals()).toEqual([undefined, undefined]);
    await append('a', 9, 'hook');
    expect(await refusals()).toEqual([undefined, undefined]);
    await append('a', 1, 'last');
    expect(await refusals()).toEqual(['log_full', undefined]);
    expect((await engine.queue()).intake).toBe('open');
    expect(engine.intakeRefusal('a')?.message).toMatch(/tenant a .*share/);
    await append('a', 30, 'more');
    expect(await refusals()).toEqual(['log_full', 'log_full']);
    expect((await engine.queue()).intake).toBe('refusing');
    const waitMs = (engine.intakeRefusal('b')?.retryAtMs ?? 0) - world.clock.now();
    expect(waitMs).toBeGreaterThanOrEqual(240_000); // nothing drains
    await engine.stop();
  });
});

describe('settled', () => {
  test('resolves only when every sink has what is in the log', async () => {
    const world = openWorld();
    const { engine, connection, sink } = filling(world, 50);
    await toEnd(engine, connection);
    const settling = engine.settled(never);
    await pass(world.clock, 10_000);
    expect(await hasEnded(world.clock, settling)).toBe(false);
    sink.stuck = false;
    await pass(world.clock, 30_000);
    expect(await hasEnded(world.clock, settling)).toBe(true);
    await engine.stop();
    expect(sink.applied).toBe(50);
  });

  test('resolves when its caller gives up', async () => {
    const world = openWorld();
    const caller = new AbortController();
    const { engine, connection } = filling(world, 10);
    await toEnd(engine, connection);
    const settling = engine.settled(caller.signal);
    expect(await hasEnded(world.clock, settling)).toBe(false);
    caller.abort();
    expect(await hasEnded(world.clock, settling)).toBe(true);
    await engine.stop();
  });

  test('of an empty log resolves at once', async () => {
    const world = openWorld();
    const { engine } = filling(world, 0);
    engine.startDelivery();
    expect(await hasEnded(world.clock, engine.settled(never))).toBe(true);
    await engine.stop();
  });

  test('waits only for what was there when it was asked: another connection that never rests does not keep it', async () => {
    const world = openWorld();
    const busy = connectionOf(
      scripted({
        async *pull(ctx, cursor) {
          for (let at = Number(cursor ?? 0) + 1; ; at += 1) {
            await ctx.clock.sleep(5, ctx.signal);
            yield { events: [doc(`doc-${at}`)], cursor: at };
          }
        },
      }),
    );
    // A sink that is always a few milliseconds behind: the log is never empty, and never old.
    const { library } = world.store;
    const apply: Library['apply'] = async (...call) => {
      await world.clock.sleep(7);
      return library.apply(...call);
    };
    const behind = new Proxy(library, {
      get: (of, name) => (name === 'apply' ? apply : (Reflect.get(of, name) as unknown)),
    });
    const engine = engineOf(world, [busy], { store: { ...world.store, library: behind } });
    await engine.start();
    await pass(world.clock, 500, 5);
    const settling = engine.settled(never);
    let over = false;
    void settling.then(() => {
      over = true;
    });
    await pass(world.clock, 1000, 5);
    const answer = over;
    await Promise.all([engine.stop(), pass(world.clock, 2000, 5)]);
    expect(answer).toBe(true);
  });
});
