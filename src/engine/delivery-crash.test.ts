import { describe, expect, test } from 'vitest';
import type { LogEntry } from '#core/event-log.ts';
import { LEASE_TTL_MS } from './lease-keeper.ts';
import { doc, OF, pass } from './fixtures/engine-world.ts';
import {
  keyPerPartition,
  mortal,
  never,
  openDeliveryWorld,
  partitionOfKey,
  sinkOf,
  versions,
  versionsOf,
  WRITTEN,
  type DeliveryWorld,
} from './fixtures/delivery-world.ts';

const kills = ({ event }: LogEntry): boolean => event.tags?.includes('kills') === true;
const killer = (key: string, version = 1) => doc(key, version, { tags: ['kills'] });

/** Processes that one after the other deliver to one sink, each until a write kills it; the last one lives. */
async function processes(world: DeliveryWorld, aliveMs = 90_000, max = 40) {
  const offered: (readonly LogEntry[])[] = [];
  const written: LogEntry[] = [];
  for (let deaths = 0; deaths < max; deaths += 1) {
    const { options, kill } = mortal(world);
    let dead = false;
    const { sink } = sinkOf((entries) => {
      offered.push(entries);
      if (entries.some(kills)) {
        dead = true;
        return kill();
      }
      written.push(...entries);
      return entries.map(() => WRITTEN);
    });
    const { stop } = world.deliver(world.external(sink), options);
    for (let leftMs = aliveMs; leftMs > 0 && !dead; leftMs -= 1000) await pass(world.clock, 1000, 500);
    if (!dead) {
      await stop();
      return { deaths, offered, written };
    }
    await world.clock.advance(LEASE_TTL_MS + 1000);
  }
  throw new Error(`${max} processes have died`);
}

describe('an event that kills the process each time', () => {
  test('is a dead letter after exactly max attempts, and the others are delivered', { timeout: 60_000 }, async () => {
    const world = openDeliveryWorld();
    await world.put(...versions('k', 6), killer('k', 7), ...versions('k', 12).slice(7));
    const { offered, written, deaths } = await processes(world);
    const alone = offered.filter((entries) => entries.length === 1 && entries.some(kills));
    expect(alone).toHaveLength(5);
    expect(await world.letters()).toMatchObject([{ version: 7, attempts: 5, code: 'dispatch_unfinished' }]);
    expect(deaths).toBeLessThanOrEqual(5 + 4);
    expect([...new Set(versionsOf(written, 'k'))]).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]);
    expect(await world.lagOf()).toBe(0);
  });

  test('takes no event of another partition with it', { timeout: 60_000 }, async () => {
    const world = openDeliveryWorld();
    const [bad = '', ...others] = keyPerPartition();
    await world.put(killer(bad), ...others.map((key) => doc(key)));
    await processes(world);
    expect(await world.letters()).toMatchObject([{ key: bad, attempts: 5 }]);
    expect(await world.lagOf()).toBe(0);
  });

  test('is not written once more when its attempts are used up', async () => {
    const world = openDeliveryWorld();
    await world.put(killer('k'));
    await world.log.register('outside');
    const lease = `deliver:outside/${partitionOfKey('k')}`;
    const fence = await world.leases.acquire(lease, 'old', 1000);
    if (fence === undefined) throw new Error('no lease');
    await world.log.dispatch(
      'outside',
      partitionOfKey('k'),
      { position: 1, events: 1, attempts: 4, open: true },
      fence,
    );
    await world.leases.release(fence);
    const { sink, calls } = sinkOf(never);
    const { stop } = world.deliver(world.external(sink));
    await pass(world.clock, 2000, 500);
    await stop();
    expect(calls).not.toContain('write');
    expect(await world.letters()).toMatchObject([{ attempts: 5, code: 'dispatch_unfinished' }]);
  });

  test('as a dead letter that is put back goes back to the dead after one more try', { timeout: 60_000 }, async () => {
    const world = openDeliveryWorld();
    await world.put(killer('k'));
    await processes(world);
    await world.store.deadLetters.queue({ tenants: [OF.tenant] });
    const { deaths } = await processes(world);
    expect(deaths).toBe(1);
    expect(await world.letters()).toMatchObject([{ state: 'dead', attempts: 6 }]);
  });
});

describe('a process that dies while it writes', () => {
  test('has settled nothing of it: its successor offers the same events (I1, I11)', async () => {
    const world = openDeliveryWorld();
    await world.put(...versions('k', 8));
    const first = mortal(world);
    const before = sinkOf(() => first.kill());
    world.deliver(world.external(before.sink), first.options);
    await pass(world.clock, 1000, 500);
    expect(before.sizes()).toEqual([8]);
    expect(await world.lagOf()).toBe(8);
    await world.clock.advance(LEASE_TTL_MS);
    const after = sinkOf();
    const { stop } = world.deliver(world.external(after.sink));
    await pass(world.clock, 5000, 500);
    await stop();
    expect(versionsOf(after.written, 'k')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(after.sizes()[0]).toBe(4);
    expect(await world.letters()).toEqual([]);
  });

  test('between two tries of a suspect leaves the number of its tries', async () => {
    const world = openDeliveryWorld();
    await world.put(doc('k'));
    const first = mortal(world);
    const failing = sinkOf(() => Promise.reject(new Error('no such column')));
    world.deliver(world.external(failing.sink), first.options);
    await pass(world.clock, 3000, 100);
    void first.kill();
    const tries = failing.sizes().length;
    expect(tries).toBeGreaterThan(1);
    await world.clock.advance(LEASE_TTL_MS);
    const next = sinkOf(() => Promise.reject(new Error('no such column')));
    const { stop } = world.deliver(world.external(next.sink));
    await pass(world.clock, 60_000, 500);
    await stop();
    expect(next.sizes()).toHaveLength(5 - tries);
    expect(await world.letters()).toMatchObject([{ attempts: 5, message: 'no such column' }]);
  });
});
