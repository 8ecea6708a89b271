// What a running engine looks after, seen in its metrics.

import { afterEach, describe, expect, test } from 'vitest';
import type { DeadLetterGroup, DeadLetterStore } from '#core/dead-letter.ts';
import { sealEvent } from '#core/event.ts';
import type { LogStats } from '#core/event-log.ts';
import { createPrometheusMetrics } from '#telemetry/prometheus-metrics.ts';
import type { EngineOptions } from './engine.ts';
import {
  connectionOf,
  doc,
  engineOf,
  MINUTE_MS,
  openWorld,
  pass,
  scripted,
  type World,
} from './fixtures/engine-world.ts';
import { scriptedDisk } from './fixtures/scripted-disk.ts';
import { GAUGE_LIMITS } from './gauges.ts';

const GIB = 1024 ** 3;
const DAY_MS = 86_400_000;
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const idle = (tenant = 'a') => connectionOf(scripted({ async *pull() {} }), { tenant, connection: `c-${tenant}` });

async function started(world: World, more: Partial<EngineOptions> = {}, connections = [idle()]) {
  const metrics = createPrometheusMetrics();
  const engine = engineOf(world, connections, { metrics, ...more });
  await engine.start();
  undo.push(() => engine.stop());
  await pass(world.clock, 10_000);
  /** Lines of one metric, without its name. */
  const series = async (name: string) =>
    (await metrics.render()).body
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length).trim())
      .toSorted();
  return { engine, series };
}

function withLetters(world: World, letters: Partial<DeadLetterStore>): Pick<EngineOptions, 'store'> {
  const deadLetters = new Proxy(world.store.deadLetters, {
    get: (of, name) => {
      const own: unknown = Reflect.get(letters, name) ?? Reflect.get(of, name);
      return typeof own === 'function' ? (own.bind(of) as unknown) : own;
    },
  });
  return { store: { ...world.store, deadLetters } };
}

describe('dead letters', () => {
  test('are forgotten by age and by number until nothing is left to forget', async () => {
    const world = openWorld();
    const asked: (readonly [number, number])[] = [];
    const atMs = new Set<number>();
    const removals = [
      { expired: 300, evicted: 0 },
      { expired: 7, evicted: 500 },
      { expired: 0, evicted: 2 },
    ];
    await started(world, {
      ...withLetters(world, {
        forget: (beforeMs, countMax) => {
          asked.push([world.clock.now() - beforeMs, countMax]);
          if (removals.length > 0) atMs.add(world.clock.monotonic());
          return Promise.resolve(removals.shift() ?? { expired: 0, evicted: 0 });
        },
      }),
      deadLetters: { retentionMs: 45 * DAY_MS, countMax: 1000 },
    });
    expect(asked.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => [45 * DAY_MS, 1000]));
    expect([removals, atMs.size]).toEqual([[], 1]); // all within one round
  });

  test('are counted by sink and cause; a cause that is gone is 0, not what it was', async () => {
    const world = openWorld();
    const group = {
      tenant: 'a',
      connection: 'c-a',
      stream: 'docs',
      queued: 0,
      firstAtMs: 1,
      lastAtMs: 1,
      message: '',
      sampleId: 1,
    };
    const groups: DeadLetterGroup[] = [
      { ...group, stage: 'pull', code: 'record_invalid', count: 2 },
      { ...group, stage: 'pull', code: 'record_invalid', count: 3, stream: 'more' },
      { ...group, stage: 'crm', code: 'sink_rejected', count: 1 },
    ];
    const asked: (readonly string[])[] = [];
    const { series } = await started(
      world,
      withLetters(world, {
        groups: ({ tenants }) => {
          asked.push(tenants);
          return Promise.resolve(groups);
        },
      }),
      [idle('a'), idle('b')],
    );
    expect(await series('dlq_depth')).toEqual([
      '{sink="crm",reason="sink_rejected"} 1',
      '{sink="pull",reason="record_invalid"} 5',
    ]);
    expect(asked[0]).toEqual(['a', 'b']);
    groups.splice(1);
    await pass(world.clock, GAUGE_LIMITS.lettersEveryMs);
    expect(await series('dlq_depth')).toEqual([
      '{sink="crm",reason="sink_rejected"} 0',
      '{sink="pull",reason="record_invalid"} 2',
    ]);
  });
});

describe('the gauges of the queue', () => {
  const backlog = (tenants: number): Partial<LogStats> => ({
    tenants: Array.from({ length: tenants }, (_, index) => ({ tenant: `t${index}`, size: index, bytes: 1 })),
  });
  const withStats = (world: World, stats: Partial<LogStats>) => ({
    log: new Proxy(world.log, {
      get: (of, name) =>
        name === 'stats'
          ? async () => ({ ...(await of.stats()), ...stats })
          : ((Reflect.get(of, name) as () => unknown).bind(of) as unknown),
    }),
  });

  test('show the tenants with the fullest shares, and only so many of them', async () => {
    const world = openWorld();
    const { series } = await started(world, withStats(world, backlog(300)), [idle('t0'), idle('t1')]);
    const shown = await series('queue_tenant_usage_ratio');
    expect(shown).toHaveLength(GAUGE_LIMITS.tenantsMax);
    expect(shown).toContain('{tenant="t299"} 0.0598');
    expect(shown.join()).not.toContain('"t1"');
  });

  test('never get more series than their limit, however the tenants take turns', async () => {
    const world = openWorld();
    const stats = { tenants: [] as LogStats['tenants'] };
    const { series } = await started(world, withStats(world, stats), [idle('a'), idle('b')]);
    for (let turn = 0; turn < 12; turn += 1) {
      stats.tenants = Array.from({ length: 20 }, (_, index) => ({ tenant: `t${turn}-${index}`, size: 9, bytes: 1 }));
      await pass(world.clock, 5000);
    }
    expect(await series('queue_tenant_usage_ratio')).toHaveLength(GAUGE_LIMITS.tenantSeriesMax);
  });

  test('say nothing of a tenant that is alone', async () => {
    const world = openWorld();
    const { series } = await started(world);
    expect(await series('queue_tenant_usage_ratio')).toEqual([]);
  });
});

test('the gauge of a sink shows what it does: 1 for that, 0 for the others', async () => {
  const { engine, series } = await started(openWorld());
  expect((await series('sink_state')).filter((line) => line.includes('library'))).toEqual(
    ['delivering', 'detached', 'refusing', 'waiting'].map(
      (condition) => `{sink="library",condition="${condition}"} ${condition === 'delivering' ? 1 : 0}`,
    ),
  );
  expect((await engine.sinks()).map(({ name }) => name)).toContain('library');
  expect(await series('sink_suspect_attempts')).toContain('{sink="library"} 0');
});

describe('the gauges of the disk', () => {
  test('show its state, its room and the ballast; without a disk there is no claim about room', async () => {
    const world = openWorld();
    const disk = scriptedDisk({ roomBytes: 10 * GIB, totalBytes: 10 * GIB });
    const { series } = await started(world, { disk, diskLimits: { ballastBytes: 1000 } });
    expect(await series('disk_ballast_bytes')).toEqual(['1000']);
    expect(await series('disk_free_bytes')).toEqual([String(10 * GIB - 1000)]);
    disk.roomBytes = GIB;
    await pass(world.clock, 5000);
    disk.roomBytes = 900_000_000;
    await pass(world.clock, 5000);
    expect(await series('disk_state')).toEqual(['{level="full"} 0', '{level="low"} 1', '{level="ok"} 0']);
    const bare = await started(openWorld());
    expect(await bare.series('disk_state')).toEqual([]);
  });
});

test('what every sink has settled stays for as long as the setting says, and goes then', async () => {
  const world = openWorld();
  const queue = { eventsMax: 100, bytesMax: GIB, retainMs: 10 * MINUTE_MS };
  await started(world, { queue, housekeepStorage: (step) => world.housekeep(step) });
  const source = { tenant: 'a', connection: 'hook', connector: 'scripted', stream: 'docs' };
  await world.log.append({ events: [sealEvent(source, doc('kept'))] });
  await pass(world.clock, 9 * MINUTE_MS, 5000);
  await world.log.register('late-1');
  expect((await world.log.stats()).readers.find(({ reader }) => reader === 'late-1')?.lag).toBe(1);
  await world.log.unregister('late-1');
  await pass(world.clock, 2 * MINUTE_MS, 5000);
  await world.log.register('late-2');
  expect((await world.log.stats()).readers.find(({ reader }) => reader === 'late-2')?.lag).toBe(0);
});
