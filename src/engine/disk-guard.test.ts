import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noLogger } from '#telemetry/logger.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { DISK_GUARD, DiskGuard, marksOf, nextDiskState, type DiskLimits } from './disk-guard.ts';
import { scriptedDisk } from './fixtures/scripted-disk.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const BALLAST = 64 * MIB;
const MARKS = { pauseBytes: 1000, refuseBytes: 100 };

function guardOf(roomBytes: number, limits: Partial<DiskLimits> = {}, held = 0) {
  const clock = new SimulatedClock();
  const disk = scriptedDisk({ roomBytes, totalBytes: 10 * GIB, held });
  const guard = new DiskGuard({ disk, limits: { ballastBytes: BALLAST, ...limits }, clock, logger: noLogger });
  /** Looks, and lets what was begun in the background end. */
  const tend = async () => {
    await guard.tend();
    await clock.turn();
  };
  return { disk, guard, clock, tend };
}

describe('the marks', () => {
  test.each([
    [2 * GIB, 512 * MIB, 128 * MIB],
    [10 * GIB, GIB, 0.03 * 10 * GIB],
    [40 * GIB, 4 * GIB, GIB],
    [4000 * GIB, 4 * GIB, GIB],
  ])('of a disk of %i bytes are %i and %i', (totalBytes, pauseBytes, refuseBytes) => {
    const marks = marksOf({ ballastBytes: 0 }, totalBytes);
    expect(marks.pauseBytes).toBeCloseTo(pauseBytes, 3);
    expect(marks.refuseBytes).toBeCloseTo(Math.min(refuseBytes, GIB), 3);
  });

  test('are what the settings say, and 0 switches one off', () => {
    const marks = marksOf({ pauseFreeBytes: 7, refuseFreeBytes: 0, ballastBytes: 0 }, GIB);
    expect(marks).toEqual({ pauseBytes: 7, refuseBytes: 0 });
    expect(nextDiskState('ok', 0, { pauseBytes: 0, refuseBytes: 0 })).toBe('ok');
  });
});

describe('the state', () => {
  test('is entered below its mark and left an eighth above it', () => {
    const free = [1000, 999, 1124, 1125, 999, 99, 112, 113, 1124, 1125];
    const seen: string[] = [];
    free.reduce<ReturnType<typeof nextDiskState>>((state, bytes) => {
      const next = nextDiskState(state, bytes, MARKS);
      seen.push(next);
      return next;
    }, 'ok');
    expect(seen).toEqual(['ok', 'low', 'low', 'ok', 'low', 'full', 'full', 'low', 'low', 'ok']);
  });

  test('is never milder than its mark, nor worse than what is free allows, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { minLength: 1 }), (free) => {
        let state = nextDiskState('ok', 2000, MARKS);
        for (const bytes of free) {
          state = nextDiskState(state, bytes, MARKS);
          if (bytes < MARKS.refuseBytes) expect(state).toBe('full');
          else if (bytes < MARKS.pauseBytes) expect(state).not.toBe('ok');
          if (bytes >= MARKS.pauseBytes * DISK_GUARD.recoverRatio) expect(state).toBe('ok');
          if (bytes >= MARKS.refuseBytes * DISK_GUARD.recoverRatio) expect(state).not.toBe('full');
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('does not flutter while what is free moves by less than an eighth of a mark', () => {
    fc.assert(
      fc.property(fc.nat(1500), fc.array(fc.nat(12)), (base, noise) => {
        let state = nextDiskState('ok', base, MARKS);
        let toggles = 0;
        for (const part of noise) {
          const next = nextDiskState(state, base + part, MARKS);
          if (next !== state) toggles += 1;
          state = next;
        }
        expect(toggles).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the ballast', () => {
  test('is written when there is room for it above the upper mark, once', async () => {
    const { disk, guard, tend } = guardOf(5 * GIB);
    await tend();
    await tend();
    expect(disk.calls).toEqual([`hold ${BALLAST}`]);
    expect(guard.view).toEqual({
      state: 'ok',
      freeBytes: 5 * GIB - BALLAST,
      totalBytes: 10 * GIB,
      ballastBytes: BALLAST,
    });
  });

  test('is not written where writing it would bring the disk below the upper mark', async () => {
    const { disk, tend } = guardOf(GIB + BALLAST - 1, { pauseFreeBytes: GIB });
    await tend();
    expect(disk.calls).toEqual([]);
    disk.roomBytes += 1;
    await tend();
    expect(disk.held).toBe(BALLAST);
  });

  test('stays while the disk is low, is given back when it is full, and comes back with the room', async () => {
    const { disk, guard, tend } = guardOf(5 * GIB);
    await tend();
    disk.roomBytes = GIB;
    await tend();
    expect([guard.state, disk.held]).toEqual(['low', BALLAST]);
    disk.roomBytes = 200 * MIB;
    await tend();
    expect([guard.state, disk.held]).toEqual(['full', 0]);
    await tend();
    expect(disk.calls).toEqual([`hold ${BALLAST}`, 'release']);
    disk.roomBytes = 5 * GIB;
    await tend();
    expect([guard.state, disk.held]).toEqual(['ok', BALLAST]);
  });

  test('goes on being written where an earlier process was cut off, and shrinks with its setting', async () => {
    const half = guardOf(5 * GIB, {}, BALLAST / 2);
    await half.tend();
    expect(half.disk.held).toBe(BALLAST);
    const large = guardOf(5 * GIB, { ballastBytes: MIB }, BALLAST);
    await large.tend();
    expect(large.disk.held).toBe(MIB);
    const none = guardOf(5 * GIB, { ballastBytes: 0 }, BALLAST);
    await none.tend();
    expect(none.disk.calls).toEqual(['release']);
  });

  test('is written in the background: looking does not wait for it, and a full disk or the end stops it', async () => {
    const { disk, guard, tend } = guardOf(5 * GIB);
    disk.slow = new Promise(() => {});
    await tend();
    await tend();
    expect(disk.calls).toEqual([`hold ${BALLAST}`]);
    disk.roomBytes = 0;
    await tend();
    expect(disk.calls.slice(1)).toEqual(['stopped']);
    disk.roomBytes = 5 * GIB;
    await tend();
    await guard.close();
    expect(disk.calls.slice(2)).toEqual([`hold ${BALLAST}`, 'stopped']);
  });

  test('that cannot be written is tried again later, not at every look', async () => {
    const { disk, clock, tend } = guardOf(5 * GIB);
    const { holdBallast } = disk;
    let tries = 0;
    disk.holdBallast = () => {
      tries += 1;
      return Promise.reject(new Error('no space'));
    };
    await tend();
    await clock.advance(DISK_GUARD.ballastRetryMs - 1);
    await tend();
    expect([tries, disk.held]).toEqual([1, 0]);
    disk.holdBallast = holdBallast;
    await clock.advance(1);
    await tend();
    expect(disk.held).toBe(BALLAST);
  });
});

describe('a storage that says it is full', () => {
  const off = { pauseFreeBytes: 0, refuseFreeBytes: 0 };

  test('is believed although the marks are off, until there is room for the ballast twice over', async () => {
    const { disk, guard, tend } = guardOf(5 * GIB, off);
    await tend();
    disk.roomBytes = BALLAST;
    guard.noteFull();
    await tend();
    expect([guard.state, disk.held]).toEqual(['full', 0]);
    await tend();
    expect([guard.state, disk.held]).toEqual(['full', 0]);
    disk.roomBytes = 2 * BALLAST;
    await tend();
    expect([guard.state, disk.held]).toEqual(['ok', BALLAST]);
  });

  test('on a disk with plenty of room met a quota of its own: the ballast would not help it', async () => {
    const { disk, guard, tend } = guardOf(5 * GIB);
    await tend();
    guard.noteFull();
    await tend();
    expect([guard.state, disk.calls]).toEqual(['ok', [`hold ${BALLAST}`]]);
  });

  test('asks for a look at once, but not for one after the other', async () => {
    const { guard, clock, tend } = guardOf(5 * GIB);
    expect(guard.noteFull()).toBe(true);
    await tend();
    expect(guard.noteFull()).toBe(false);
    await clock.advance(DISK_GUARD.urgentLookMs);
    expect(guard.noteFull()).toBe(true);
  });
});

test('refreshing looks again only when the last look is old, and touches nothing', async () => {
  const { disk, guard, clock } = guardOf(5 * GIB);
  await guard.refresh();
  disk.roomBytes = 0;
  await guard.refresh();
  expect(guard.state).toBe('ok');
  await clock.advance(DISK_GUARD.lookMs);
  await guard.refresh();
  expect([guard.state, disk.calls]).toEqual(['full', []]);
});

test('a disk that cannot be asked stops nobody who only wants to know; who looks after it is told', async () => {
  const { disk, guard } = guardOf(5 * GIB);
  disk.space = () => Promise.reject(new Error('not supported'));
  await guard.refresh();
  expect([guard.state, guard.view]).toEqual(['ok', undefined]);
  await expect(guard.tend()).rejects.toThrow('not supported');
});
