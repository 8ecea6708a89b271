import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import { openWorld, pass } from './fixtures/engine-world.ts';
import { keepLease, LEASE_TTL_MS } from './lease-keeper.ts';

const NAME = 'pull:a/wiki/docs';

function wrapped(leases: Leases, replaced: Partial<Leases>): Leases {
  return {
    acquire: (name, owner, ttlMs) => leases.acquire(name, owner, ttlMs),
    renew: (fence, ttlMs) => leases.renew(fence, ttlMs),
    release: (fence) => leases.release(fence),
    ...replaced,
  };
}

describe('a kept lease', () => {
  test('is held by one owner for as long as it is kept, many times its length', async () => {
    const { leases, clock } = openWorld();
    const kept = await keepLease(leases, clock, NAME, 'one');
    expect(await keepLease(leases, clock, NAME, 'two')).toBeUndefined();
    await pass(clock, 10 * LEASE_TTL_MS, 5000);
    expect(await keepLease(leases, clock, NAME, 'two')).toBeUndefined();
    expect(kept?.lost.aborted).toBe(false);
  });

  test('once released is free at once, and its keeper leaves no timer', async () => {
    const { leases, clock } = openWorld();
    const kept = await keepLease(leases, clock, NAME, 'one');
    await kept?.release();
    expect(clock.sleeping).toBe(0);
    expect(await keepLease(leases, clock, NAME, 'two')).toBeDefined();
  });

  test('is neither ended nor prolonged by a step of the wall clock (I10)', async () => {
    const { leases, clock } = openWorld();
    const kept = await keepLease(leases, clock, NAME, 'one');
    for (const stepMs of [3_600_000, -7_200_000]) {
      clock.stepWall(stepMs);
      await clock.advance(LEASE_TTL_MS);
      expect(kept?.lost.aborted).toBe(false);
      expect(await leases.acquire(NAME, 'two', 1000)).toBeUndefined();
    }
  });

  test('that somebody else has taken tells its owner, and releasing it leaves the new owner alone', async () => {
    const { leases, clock } = openWorld();
    const kept = await keepLease(leases, clock, NAME, 'one');
    if (kept === undefined) throw new Error('the lease is free');
    await leases.release(kept.fence); // as an expiry during a long pause would
    const taken = await leases.acquire(NAME, 'two', 10 * LEASE_TTL_MS);
    await clock.advance(LEASE_TTL_MS);
    expect(kept.lost.aborted).toBe(true);
    await kept.release();
    expect(taken && (await leases.renew(taken, 1000))).toBe(true);
  });

  test('outlives one renewal that could not be made', async () => {
    const { leases, clock } = openWorld();
    let failures = 1;
    const shaky = wrapped(leases, {
      renew: (fence, ttlMs) =>
        failures-- > 0 ? Promise.reject(new Fault('storage_unknown', 'no answer')) : leases.renew(fence, ttlMs),
    });
    const kept = await keepLease(shaky, clock, NAME, 'one');
    await pass(clock, 3 * LEASE_TTL_MS, 5000);
    expect(kept?.lost.aborted).toBe(false);
    expect(await leases.acquire(NAME, 'two', 1000)).toBeUndefined();
    await kept?.release();
  });

  test('that cannot be renewed any more is given up before somebody else can have it', async () => {
    const { leases, clock } = openWorld();
    const gone = wrapped(leases, { renew: () => Promise.resolve(false) });
    const kept = await keepLease(gone, clock, NAME, 'one');
    await clock.advance(LEASE_TTL_MS - 1);
    expect(kept?.lost.aborted).toBe(true);
  });
});
