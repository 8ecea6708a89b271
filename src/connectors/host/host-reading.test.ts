import { describe, expect, it } from 'vitest';
import { cpuTimesOf, cpuUsageRatioOf, diskUsedRatioOf, memoryUsedRatioOf, readHost } from './host-reading.ts';

const MEMINFO = `MemTotal:        8000000 kB
MemFree:          500000 kB
MemAvailable:    6000000 kB
Buffers:          100000 kB
`;
const none = { meminfo: undefined, limit: undefined, current: undefined, stat: undefined };

describe('memoryUsedRatioOf', () => {
  it('counts what is not available, so caches count as free', () => {
    expect(memoryUsedRatioOf({ ...none, meminfo: MEMINFO })).toBeCloseTo(0.25, 10);
  });

  it.each([
    ['version 2', 'anon 1\ninactive_file 250\nactive_file 9\n'],
    ['version 1', 'cache 1\ninactive_file 9999\ntotal_inactive_file 250\n'.replace('inactive_file 9999\n', '')],
  ])('takes the limit of a control group of %s when it is lower', (_, stat) => {
    expect(memoryUsedRatioOf({ meminfo: MEMINFO, limit: '1000\n', current: '750\n', stat })).toBe(0.5);
  });

  it.each(['max\n', '9223372036854771712\n', '', 'x'])('ignores the limit %j, which limits nothing', (limit) => {
    expect(memoryUsedRatioOf({ meminfo: MEMINFO, limit, current: '750\n', stat: undefined })).toBeCloseTo(0.25, 10);
  });

  it('says nothing rather than something wrong when the files do not tell', () => {
    expect(memoryUsedRatioOf(none)).toBeUndefined();
    expect(memoryUsedRatioOf({ ...none, meminfo: 'MemTotal: many' })).toBeUndefined();
  });
});

describe('cpuUsageRatioOf', () => {
  it('is the busy share of the time between two readings', () => {
    expect(cpuUsageRatioOf({ busyMs: 100, totalMs: 1000 }, { busyMs: 350, totalMs: 2000 })).toBe(0.25);
  });

  it('is unknown at the first reading, after a reboot and when no time passed', () => {
    const times = { busyMs: 100, totalMs: 1000 };
    expect(cpuUsageRatioOf(null, times)).toBeNull();
    expect(cpuUsageRatioOf(times, { busyMs: 1, totalMs: 10 })).toBeNull();
    expect(cpuUsageRatioOf(times, times)).toBeNull();
  });

  it('adds the times of all cores', () => {
    const times = { user: 1, nice: 2, sys: 3, irq: 4, idle: 10 };
    expect(cpuTimesOf([{ times }, { times }])).toEqual({ busyMs: 20, totalMs: 40 });
    expect(() => cpuTimesOf([])).toThrow(/no processors/);
  });
});

describe('diskUsedRatioOf', () => {
  it('leaves out what is reserved for root, as df does', () => {
    expect(diskUsedRatioOf({ blocks: 1000, bfree: 400, bavail: 200 })).toBe(0.75);
    expect(() => diskUsedRatioOf({ blocks: 0, bfree: 0, bavail: 0 })).toThrow(/no size/);
  });
});

describe('readHost', () => {
  it('reads believable numbers from this machine', async () => {
    const reading = await readHost('/');
    expect(reading.cores).toBeGreaterThan(0);
    expect(reading.cpuTimes?.totalMs).toBeGreaterThan(0);
    for (const ratio of [reading.memoryUsedRatio, reading.diskUsedRatio]) {
      expect(ratio).toBeGreaterThanOrEqual(0);
      expect(ratio).toBeLessThanOrEqual(1);
    }
  });

  it('reads the rest when one number cannot be read, and says why', async () => {
    const reading = await readHost('/no/such/place');
    expect(reading.diskUsedRatio).toBeNull();
    expect(reading.unreadable['disk']).toMatch(/ENOENT/);
    expect(reading.memoryUsedRatio).not.toBeNull();
  });
});
