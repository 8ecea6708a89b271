// What Leases promise (P11). Only the monotonic clock may end a lease (I10); a token says who came last.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fence } from '#core/leases.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, withStorage } from './engine-harness.ts';
import { hold } from './event-samples.ts';

const DAY_MS = 86_400_000;
const TEN_YEARS_MS = 3650 * DAY_MS;

export function leasesSuite(openHarness: OpenHarness): void {
  describe('leases', () => {
    givesOneOwner(openHarness);
    growsTokens(openHarness);
    ignoresWallClock(openHarness);
    holdsForEveryProgram(openHarness);
  });
}

function givesOneOwner(openHarness: OpenHarness): void {
  it('a name that is owned is given to nobody else until it ends or is released', () =>
    withStorage(openHarness, async ({ leases, clock }) => {
      const first = await leases.acquire('n', 'first', 1_000);
      expect(first?.lease).toBe('n');
      expect(await leases.acquire('n', 'second', 1_000)).toBeUndefined();
      await clock.advance(950);
      expect(await leases.acquire('n', 'second', 1_000)).toBeUndefined();
      await clock.advance(100);
      expect(await leases.acquire('n', 'second', 1_000)).toBeDefined();
      expect(await leases.acquire('n', 'first', 1_000)).toBeUndefined();
    }));

  it('names do not touch each other', () =>
    withStorage(openHarness, async (session) => {
      await hold(session, 'n', 'first');
      for (const name of ['N', 'n ', 'n/1', '%', '', "n'--"])
        expect(await session.leases.acquire(name, 'second', 1_000)).toBeDefined();
    }));

  it('of many owners that ask at once exactly one is answered with a fence', () =>
    withStorage(openHarness, async ({ leases }) => {
      const fences = await Promise.all(
        Array.from({ length: 20 }, (_, owner) => leases.acquire('n', `owner-${owner}`, 1_000)),
      );
      expect(fences.filter((fence) => fence !== undefined)).toHaveLength(1);
    }));

  it('renew prolongs from now and keeps the token', () =>
    withStorage(openHarness, async (session) => {
      const { leases, clock } = session;
      const fence = await hold(session, 'n', 'first', 1_000);
      for (let time = 0; time < 5; time += 1) {
        await clock.advance(900);
        expect(await leases.renew(fence, 1_000)).toBe(true);
        expect(await leases.acquire('n', 'second', 1_000)).toBeUndefined();
      }
      expect(await leases.renew(fence, 1_000)).toBe(true);
      await clock.advance(1_050);
      const second = await hold(session, 'n', 'second', 1_000);
      expect(second.token).toBeGreaterThan(fence.token);
    }));

  it('renew answers false when the name was taken over, and prolongs nothing', () =>
    withStorage(openHarness, async (session) => {
      const { leases, clock } = session;
      const stale = await hold(session, 'n', 'first', 1_000);
      await clock.advance(1_050);
      const fence = await hold(session, 'n', 'second', 1_000);
      expect(await leases.renew(stale, DAY_MS)).toBe(false);
      expect(await leases.renew({ lease: 'never given out', token: 1 }, DAY_MS)).toBe(false);
      expect(await leases.renew({ ...fence, token: fence.token + 1 }, DAY_MS)).toBe(false);
      await clock.advance(1_050);
      expect(await leases.acquire('n', 'third', 1_000)).toBeDefined();
    }));

  it('release frees the name at once', () =>
    withStorage(openHarness, async (session) => {
      await session.leases.release(await hold(session, 'n', 'first'));
      expect(await session.leases.acquire('n', 'second', 1_000)).toBeDefined();
    }));

  it('releasing a lost lease changes nothing for its new owner', () =>
    withStorage(openHarness, async (session) => {
      const { leases, clock } = session;
      const stale = await hold(session, 'n', 'first', 1_000);
      await clock.advance(1_050);
      const fence = await hold(session, 'n', 'second', 10_000);
      await leases.release(stale);
      await leases.release({ lease: 'never given out', token: 1 });
      expect(await leases.acquire('n', 'third', 1_000)).toBeUndefined();
      expect(await leases.renew(fence, 1_000)).toBe(true);
    }));

  it('is refused to its own owner as to anybody else, and stays as it was', () =>
    withStorage(openHarness, async (session) => {
      const { leases } = session;
      const fence = await hold(session, 'n', 'first', 1_000);
      expect(await leases.acquire('n', 'first', 1_000)).toBeUndefined();
      expect(await leases.renew(fence, 1_000)).toBe(true);
    }));
}

function growsTokens(openHarness: OpenHarness): void {
  it('every new owner gets a larger token, also after releases, restarts and process deaths', () =>
    withStorage(openHarness, async (session) => {
      let newest = 0;
      for (let turn = 0; turn < 12; turn += 1) {
        const fence = await hold(session, 'n', `owner-${turn}`, 1_000);
        expect(fence.token).toBeGreaterThan(newest);
        newest = fence.token;
        if (turn % 2 === 0) await session.leases.release(fence);
        if (turn % 3 === 1) await session.reopen();
        if (turn % 4 === 3) await session.crash();
        await session.clock.advance(1_050);
      }
    }));

  it('an owner of before a restart cannot renew after somebody else has taken the name', () =>
    withStorage(openHarness, async (session) => {
      const stale = await hold(session, 'n', 'first', 1_000);
      await session.crash();
      await session.clock.advance(1_050);
      await hold(session, 'n', 'second');
      expect(await session.leases.renew(stale, 1_000)).toBe(false);
    }));
}

function ignoresWallClock(openHarness: OpenHarness): void {
  for (const stepMs of [-TEN_YEARS_MS, -11_000, 11_000, TEN_YEARS_MS]) {
    it(`a wall clock stepped by ${stepMs} ms neither ends nor prolongs a lease`, () =>
      withStorage(openHarness, async (session) => {
        const { leases, clock } = session;
        const fence = await hold(session, 'n', 'first', 1_000);
        clock.stepWall(stepMs);
        expect(await leases.acquire('n', 'second', 1_000)).toBeUndefined();
        expect(await leases.renew(fence, 1_000)).toBe(true);
        clock.stepWall(-2 * stepMs);
        expect(await leases.acquire('n', 'second', 1_000)).toBeUndefined();
        await clock.advance(1_050);
        expect(await leases.acquire('n', 'second', 1_000)).toBeDefined();
      }));
  }
}

interface Move {
  readonly move: 'acquire' | 'renew' | 'release' | 'advance' | 'step';
  readonly owner: string;
  readonly ms: number;
}

function holdsForEveryProgram(openHarness: OpenHarness): void {
  const move = fc.record<Move>({
    move: fc.constantFrom('acquire', 'acquire', 'renew', 'release', 'advance', 'step'),
    owner: fc.constantFrom('o1', 'o2', 'o3'),
    ms: fc.constantFrom(100, 900, 1_100, 5_000),
  });

  it(
    'never are two owners within their time, and never does a token come twice for two owners (P11)',
    { timeout: PROPERTY_TIMEOUT_MS },
    async () => {
      const property = fc.asyncProperty(fc.array(move, { maxLength: 40, size: 'max' }), (moves) =>
        withStorage(openHarness, async ({ leases, clock }) => {
          /** By owner: its newest fence and the time until which it may trust it. */
          const held = new Map<string, { readonly fence: Fence; readonly untilMs: number }>();
          const ownerOfToken = new Map<number, string>();
          for (const { move: kind, owner, ms } of moves) {
            const own = held.get(owner);
            if (kind === 'advance') await clock.advance(ms);
            if (kind === 'step') clock.stepWall(ms % 200 === 100 ? -ms * 1_000 : ms * 1_000);
            if (kind === 'acquire') {
              const fence = await leases.acquire('n', owner, 1_050);
              if (fence !== undefined) held.set(owner, { fence, untilMs: clock.monotonic() + 1_050 });
            }
            if (kind === 'renew' && own !== undefined && (await leases.renew(own.fence, 1_050))) {
              held.set(owner, { fence: own.fence, untilMs: clock.monotonic() + 1_050 });
            }
            if (kind === 'release' && own !== undefined) {
              await leases.release(own.fence);
              held.delete(owner);
            }
            expect([...held.values()].filter(({ untilMs }) => untilMs > clock.monotonic()).length).toBeLessThanOrEqual(
              1,
            );
            for (const [name, { fence }] of held) {
              expect(ownerOfToken.get(fence.token) ?? name).toBe(name);
              ownerOfToken.set(fence.token, name);
            }
          }
        }),
      );
      await fc.assert(property, runsOf('heavy'));
    },
  );
}
