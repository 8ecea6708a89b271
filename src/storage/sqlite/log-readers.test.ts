import { describe, expect, it } from 'vitest';
import type { ReadFrom, TenantBacklog } from '#core/event-log.ts';
import { partitionLeaseName } from '#core/names.ts';
import { partitionOf } from '#core/partition.ts';
import { sample } from '#testing/event-samples.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openSqliteStorage } from './storage.ts';

const SECRET = 'one that is known';
const PART = 5;
const COUNT = 7_000; // more than a search looks at in one go, many times over

/** Two tenants' entries in turn, all in one partition, a second apart, settled by nobody. */
async function manyEntries() {
  const clock = new SimulatedClock();
  const storage = openSqliteStorage({ data: ':memory:', clock, partitionSecret: SECRET });
  await storage.log.register('r');
  const keys = { a: keyOf('a'), b: keyOf('b') };
  const append = (version: number) =>
    storage.log.append({
      events: (['a', 'b'] as const).map((tenant) =>
        sample({ of: { tenant, connection: 'wiki', stream: 'pages' }, key: keys[tenant], version }),
      ),
    });
  const startMs = clock.now();
  for (let version = 1; version <= COUNT / 2; version += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, at) => append(version + at)));
    await clock.advance(1_000);
  }
  return { clock, startMs, append, ...storage };
}

function keyOf(tenant: string): string {
  for (let at = 0; ; at += 1) if (partitionOf(SECRET, tenant, `key-${at}`) === PART) return `key-${at}`;
}

type World = Awaited<ReturnType<typeof manyEntries>>;

async function commitNext({ log, leases }: World, reader: string, count: number): Promise<void> {
  const lease = partitionLeaseName(reader, PART);
  for (let batch = 0; batch < count; batch += 1) {
    const fence = await leases.acquire(lease, 'owner', 1_000_000);
    const last = (await log.read(reader, PART, 512)).at(-1);
    if (fence === undefined || last === undefined) return;
    await log.commit(reader, PART, last.position, fence);
    await leases.release(fence);
  }
}

/** Counted entry by entry, through a reader that begins where the slowest one stands. */
async function expectTrueBacklog({ log }: World, reader: string): Promise<void> {
  const stats = await log.stats();
  const [slowest] = stats.readers.toSorted((one, other) => other.lag - one.lag);
  expect(slowest?.reader).toBe(reader);
  const entries = await log.peek(['a', 'b'], COUNT * 2);
  const backlogs = [...Map.groupBy(entries, ({ event }) => event.tenant)].map(([tenant, own]) => ({
    tenant,
    size: own.length,
    bytes: own.reduce((sum, { event }) => sum + Buffer.byteLength(JSON.stringify(event)), 0),
  }));
  const inOrder = (of: readonly TenantBacklog[]) => of.toSorted((one, other) => (one.tenant < other.tenant ? -1 : 1));
  expect(inOrder(stats.tenants)).toEqual(inOrder(backlogs));
  expect(stats.size).toBe(entries.length);
}

describe('a reader that is moved over a large log', () => {
  const moves: Record<string, (world: World) => Promise<unknown>> = {
    rewind: ({ log, startMs }) => log.rewind('r', { sinceMs: startMs + 5_500 }),
    register: ({ log, startMs }) => log.register('new', { sinceMs: startMs + 5_500 }),
    unregister: ({ log }) => log.unregister('r'),
  };

  for (const [name, move] of Object.entries(moves)) {
    it(`leaves room for other writes while its entries are looked at: ${name}`, async () => {
      const world = await manyEntries();
      await world.log.register('fast', 'newest');
      if (name === 'register') await commitNext(world, 'r', COUNT);
      const order: string[] = [];
      const moving = move(world).then(() => order.push(name));
      for (let version = COUNT; version < COUNT + 3; version += 1)
        await world.append(version).then(() => order.push('append'));
      await moving;
      expect(order).toEqual(['append', 'append', 'append', name]);
      world.close();
    });
  }

  const froms: Record<string, ReadFrom> = {
    oldest: 'oldest',
    newest: 'newest',
    'a time': { sinceMs: Date.UTC(2026, 0, 1) + 3_500 },
    'a time to come': { sinceMs: Date.UTC(2027, 0, 1) },
  };
  for (const [name, from] of Object.entries(froms)) {
    it(`ends with the true backlog of each tenant, whatever is appended, settled and trimmed meanwhile: from ${name}`, async () => {
      const world = await manyEntries();
      await world.log.register('other');
      await commitNext(world, 'r', 9);
      await commitNext(world, 'other', 7);
      await world.log.trim();
      const moving = world.log.rewind('r', from);
      for (let round = 1; round <= 3; round += 1) {
        await world.append(COUNT + round);
        await commitNext(world, 'other', 1);
        await world.log.trim();
      }
      await moving;
      await expectTrueBacklog(world, name === 'oldest' || name === 'a time' ? 'r' : 'other');
      world.close();
    });
  }

  it('an entry that comes during the search is found by it', async () => {
    const world = await manyEntries();
    const sinceMs = world.clock.now() + 60_000;
    const moving = world.log.rewind('r', { sinceMs });
    world.clock.stepWall(60_000);
    await world.append(COUNT);
    expect(await moving).toBe(2);
    world.close();
  });

  it('nothing is trimmed while a search counts on it, and everything after it', async () => {
    const world = await manyEntries();
    await commitNext(world, 'r', COUNT);
    const moving = world.log.rewind('r', { sinceMs: world.startMs });
    const trimmed = await world.log.trim();
    expect([trimmed, await moving]).toEqual([0, COUNT]);
    await commitNext(world, 'r', COUNT);
    expect(await world.log.trim()).toBeGreaterThan(0);
    world.close();
  });
});
