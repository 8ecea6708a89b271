// A disk that fills up under a running engine: what pauses, what is refused, and how it comes out again.

import type { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { openSqliteStorage } from '#storage/sqlite/storage.ts';
import type { EngineOptions } from './engine.ts';
import {
  connectionOf,
  doc,
  docs,
  engineOf,
  MINUTE_MS,
  OF,
  openWorld,
  pass,
  scripted,
  type World,
} from './fixtures/engine-world.ts';
import { scriptedDisk } from './fixtures/scripted-disk.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const OFTEN = { schedule: { kind: 'interval', pollIntervalMs: 5000 } } as const;
const LIMITS = { pauseFreeBytes: 2 * GIB, refuseFreeBytes: GIB, ballastBytes: 64 * MIB };

/** One document a pull, without end. */
const trickle = () =>
  scripted({
    async *pull(_, cursor) {
      const at = Number(cursor ?? 0) + 1;
      yield { events: [doc(`doc-${at}`)], cursor: at };
    },
  });

async function running(world: World, more: Partial<EngineOptions> = {}) {
  const disk = scriptedDisk({ roomBytes: 10 * GIB, totalBytes: 100 * GIB });
  const engine = engineOf(world, [connectionOf(trickle(), OFTEN)], { disk, diskLimits: LIMITS, ...more });
  await engine.start();
  await pass(world.clock, 10_000);
  const pulled = async () => Number((await world.store.streams.get(OF))?.cursor);
  return { engine, disk, pulled };
}

describe('a disk that runs low', () => {
  test('pauses every pull, refuses nobody, and lets them go on by itself', async () => {
    const world = openWorld();
    const { engine, disk, pulled } = await running(world);
    disk.roomBytes = 2 * GIB;
    await pass(world.clock, 10_000);
    const before = await pulled();
    await pass(world.clock, MINUTE_MS);
    expect(await pulled()).toBe(before);
    expect(engine.intakeRefusal('a')).toBeUndefined();
    expect(await engine.queue()).toMatchObject({
      intake: 'open',
      paused: false,
      disk: { state: 'low', ballastBytes: 64 * MIB },
    });
    disk.roomBytes = 10 * GIB;
    await pass(world.clock, MINUTE_MS);
    expect(await pulled()).toBeGreaterThan(before);
    await engine.stop();
  });

  test('gives up what is kept for sinks to come, and keeps it again when there is room', async () => {
    const world = openWorld();
    const trims: (number | undefined)[] = [];
    const queue = { eventsMax: 10_000, bytesMax: GIB, retainMs: MINUTE_MS };
    const { engine, disk } = await running(world, {
      queue,
      housekeepStorage: ({ beforeMs }) => Promise.resolve(trims.push(beforeMs)).then(() => 0),
    });
    const last = () => trims.at(-1);
    expect(last()).toBeGreaterThan(world.clock.now() - MINUTE_MS - 10_000);
    expect(last()).toBeLessThanOrEqual(world.clock.now() - MINUTE_MS);
    disk.roomBytes = 1.5 * GIB;
    await pass(world.clock, 10_000);
    expect(last()).toBeUndefined();
    disk.roomBytes = 10 * GIB;
    await pass(world.clock, 10_000);
    expect(last()).toBeDefined();
    await engine.stop();
  });
});

describe('a disk that is full', () => {
  test('refuses intake with a time to come back, and gives the ballast and the write-ahead log back', async () => {
    const world = openWorld();
    const checkpoints: boolean[] = [];
    const { engine, disk } = await running(world, {
      housekeepStorage: (step) => Promise.resolve(checkpoints.push(step.checkpoint === true)).then(() => 0),
    });
    expect([disk.held, checkpoints.includes(true)]).toEqual([64 * MIB, false]);
    disk.roomBytes = GIB / 2;
    await pass(world.clock, 10_000);
    expect([disk.held, checkpoints.at(-1)]).toEqual([0, true]);
    const refusal = engine.intakeRefusal('a');
    expect(refusal).toMatchObject({ code: 'storage_full', details: { place: '/data' } });
    const waitMs = (refusal?.retryAtMs ?? 0) - world.clock.now();
    expect(waitMs).toBeGreaterThanOrEqual(4000);
    expect(waitMs).toBeLessThanOrEqual(360_000);
    expect(await engine.queue()).toMatchObject({ intake: 'refusing', disk: { state: 'full', ballastBytes: 0 } });
    disk.roomBytes = 10 * GIB;
    await pass(world.clock, 10_000);
    expect(engine.intakeRefusal('a')).toBeUndefined();
    expect(disk.held).toBe(64 * MIB);
    await engine.stop();
  });

  test('is trimmed without a pause as long as there is something to trim', async () => {
    const world = openWorld();
    let steps = 0;
    let left = 0;
    const { engine, disk } = await running(world, {
      housekeepStorage: () => {
        steps += 1;
        return Promise.resolve(left === 0 ? 0 : left--);
      },
    });
    disk.roomBytes = 0;
    left = 1000;
    steps = 0;
    await pass(world.clock, 6000);
    for (let turn = 0; turn < 100; turn += 1) await world.clock.turn();
    expect(left).toBe(0);
    expect(steps).toBeLessThan(1010);
    await engine.stop();
  });

  test('is looked at as soon as a run could not be stored, not at the next round', async () => {
    const world = openWorld();
    const { engine, disk } = await running(world);
    disk.roomBytes = 0;
    await pass(world.clock, 2000, 100);
    const looks: number[] = [];
    disk.space = () => {
      looks.push(world.clock.monotonic());
      return Promise.resolve({ freeBytes: 0, totalBytes: 100 * GIB });
    };
    engine.noteFault(new Fault('storage_full', 'no room'));
    await world.clock.turn();
    await world.clock.turn();
    expect(looks.length).toBeGreaterThan(0);
    await engine.stop();
  });
});

describe('real SQLite that has no page left', () => {
  /** A database that may grow by so many pages; a ballast of further pages is what it may grow by when it is given back. */
  async function fillUp({ ballastPages }: { ballastPages: number }) {
    const { clock, env } = openWorld();
    let db: DatabaseSync | undefined;
    const onConnection = (one: DatabaseSync) => void (db = one);
    const world: World = { ...openSqliteStorage({ data: ':memory:', clock, onConnection }), clock, env };
    const number = (pragma: string) => Number(Object.values(db?.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
    const pageBytes = number('page_size');
    let pagesMax = number('page_count') + 300 + ballastPages;
    const disk = scriptedDisk({ roomBytes: 0, totalBytes: GIB, held: ballastPages * pageBytes });
    const limit = () => void number(`max_page_count = ${pagesMax - disk.held / pageBytes}`);
    const { holdBallast, releaseBallast } = disk;
    disk.space = () => {
      disk.roomBytes = (pagesMax - number('page_count')) * pageBytes;
      return Promise.resolve({ freeBytes: disk.roomBytes - disk.held, totalBytes: GIB });
    };
    disk.holdBallast = (...call) => holdBallast(...call).then(limit);
    disk.releaseBallast = () => releaseBallast().then(limit);
    limit();
    const text = 'Rivers carry what falls into them. '.repeat(100);
    const source = scripted({
      async *pull(_, cursor) {
        for (let at = Number(cursor ?? 0); at < 600; at += 10)
          yield { events: docs(10, `page-${at}`).map((draft) => ({ ...draft, text })), cursor: at + 10 };
      },
    });
    const engine = engineOf(world, [connectionOf(source, OFTEN)], {
      disk,
      diskLimits: { pauseFreeBytes: 0, refuseFreeBytes: 0, ballastBytes: ballastPages * pageBytes },
      housekeepStorage: (step) => world.housekeep(step),
    });
    await engine.start();
    await pass(clock, 5 * MINUTE_MS, 2000);
    const grow = async () => {
      pagesMax += 20_000;
      limit();
      await pass(clock, 5 * MINUTE_MS, 2000);
    };
    const taken = Number((await world.store.streams.get(OF))?.cursor);
    return { world, engine, disk, grow, taken, waiting: (await engine.queue()).stats.size };
  }

  test('takes nothing more, drains to its sinks on the ballast, and goes on when there is room', async () => {
    const { world, engine, disk, grow, taken, waiting } = await fillUp({ ballastPages: 1500 });
    expect(await engine.queue()).toMatchObject({ disk: { state: 'full', ballastBytes: 0 }, intake: 'refusing' });
    expect(waiting).toBe(0);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(600);
    await grow();
    expect(await world.store.library.count('a', 'wiki')).toBe(600);
    expect(disk.held).toBeGreaterThan(0);
    await engine.stop();
  });

  test('drains nothing without a ballast, loses nothing, and goes on when there is room all the same', async () => {
    const { world, engine, grow, taken, waiting } = await fillUp({ ballastPages: 0 });
    expect(waiting).toBeGreaterThan(0);
    expect(taken).toBeLessThan(600);
    await grow();
    expect(await world.store.library.count('a', 'wiki')).toBe(600);
    await engine.stop();
  });
});
