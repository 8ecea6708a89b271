// The numbers of this machine as they stand. What cannot be read is null with a reason, never 0: a zero would look healthy.

import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface CpuTimes {
  /** Milliseconds since boot, summed over all cores. */
  readonly busyMs: number;
  readonly totalMs: number;
}

export interface HostReading {
  readonly cores: number;
  readonly cpuTimes: CpuTimes | null;
  readonly memoryUsedRatio: number | null;
  /** One-minute load average through cores. */
  readonly loadPerCoreRatio: number | null;
  readonly diskUsedRatio: number | null;
  /** 99th percentile since the reading before, of this process. */
  readonly eventLoopDelaySeconds: number | null;
  /** Why something is null, in words, by what it is. */
  readonly unreadable: Readonly<Record<string, string>>;
}

export type ReadHost = (diskPath: string) => Promise<HostReading>;

const FILE_CHARS_MAX = 64 * 1024; // /proc and cgroup files; beyond it something else stands there
const LOOP_RESOLUTION_MS = 20; // how often the event loop is probed
const NANOSECONDS = 1e9;

let loopDelay: ReturnType<typeof monitorEventLoopDelay> | undefined; // one per process, because the event loop is; two connections share its readings

export const readHost: ReadHost = async (diskPath) => {
  const unreadable: Record<string, string> = {};
  const orNull = async <T>(what: string, read: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await read();
    } catch (error) {
      unreadable[what] = error instanceof Error ? error.message : String(error);
      return null;
    }
  };
  const cores = cpus();
  return {
    cores: cores.length,
    cpuTimes: await orNull('cpu', () => cpuTimesOf(cores)),
    memoryUsedRatio: await orNull('memory', readMemoryUsedRatio),
    loadPerCoreRatio: await orNull('load', () => loadPerCore(cores.length)),
    diskUsedRatio: await orNull('disk', async () => diskUsedRatioOf(await statfs(diskPath))),
    eventLoopDelaySeconds: await orNull('event loop', readEventLoopDelaySeconds),
    unreadable,
  };
};

export function cpuTimesOf(
  cores: readonly { readonly times: Readonly<Record<'user' | 'nice' | 'sys' | 'idle' | 'irq', number>> }[],
): CpuTimes {
  if (cores.length === 0) throw new Error('the system lists no processors');
  let busyMs = 0;
  let idleMs = 0;
  for (const { times } of cores) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, totalMs: busyMs + idleMs };
}

/** Null when no time has passed or the counters went back, as after a reboot. */
export function cpuUsageRatioOf(before: CpuTimes | null, now: CpuTimes | null): number | null {
  if (before === null || now === null) return null;
  const totalMs = now.totalMs - before.totalMs;
  const busyMs = now.busyMs - before.busyMs;
  return totalMs > 0 && busyMs >= 0 ? Math.min(1, busyMs / totalMs) : null;
}

/** As `df` counts: blocks reserved for root are neither used nor free. */
export function diskUsedRatioOf(stat: {
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
}): number {
  const used = stat.blocks - stat.bfree;
  const usable = used + stat.bavail;
  if (usable <= 0) throw new Error('the file system has no size');
  return used / usable;
}

export interface MemoryFiles {
  readonly meminfo: string | undefined;
  /** Limit, current use and statistics of the control group, version 2 or 1. */
  readonly limit: string | undefined;
  readonly current: string | undefined;
  readonly stat: string | undefined;
}

/** Of the machine, or of the container when its limit is lower. Undefined when the files do not tell. */
export function memoryUsedRatioOf(files: MemoryFiles): number | undefined {
  const totalBytes = kibibytesIn(files.meminfo, 'MemTotal');
  const availableBytes = kibibytesIn(files.meminfo, 'MemAvailable');
  const limitBytes = numberIn(files.limit, /^(\d+)\s*$/);
  const currentBytes = numberIn(files.current, /^(\d+)\s*$/);
  if (
    limitBytes !== undefined &&
    currentBytes !== undefined &&
    limitBytes > 0 &&
    limitBytes < (totalBytes ?? Infinity)
  ) {
    // Cached file pages that are not in use are given back at once, so they count as free, as in MemAvailable.
    const inactiveBytes = numberIn(files.stat, /^(?:total_)?inactive_file (\d+)$/m) ?? 0;
    return Math.min(1, Math.max(0, currentBytes - inactiveBytes) / limitBytes);
  }
  if (totalBytes === undefined || availableBytes === undefined || totalBytes <= 0) return undefined;
  return 1 - availableBytes / totalBytes;
}

async function readMemoryUsedRatio(): Promise<number> {
  const [meminfo, limit2, current2, stat2, limit1, current1, stat1] = await Promise.all(
    [
      '/proc/meminfo',
      '/sys/fs/cgroup/memory.max',
      '/sys/fs/cgroup/memory.current',
      '/sys/fs/cgroup/memory.stat',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes',
      '/sys/fs/cgroup/memory/memory.stat',
    ].map(readIfThere),
  );
  const ratio = memoryUsedRatioOf({
    meminfo,
    limit: limit2 ?? limit1,
    current: current2 ?? current1,
    stat: stat2 ?? stat1,
  });
  return ratio ?? 1 - freemem() / totalmem(); // other systems than Linux
}

function loadPerCore(cores: number): number {
  if (process.platform === 'win32') throw new Error('this system has no load average');
  const [oneMinute] = loadavg();
  if (oneMinute === undefined || cores === 0) throw new Error('the system tells no load average');
  return oneMinute / cores;
}

function readEventLoopDelaySeconds(): number {
  if (loopDelay === undefined) {
    loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    loopDelay.enable();
  }
  // An empty histogram answers its own initial value, not zero.
  if (loopDelay.count === 0) throw new Error('measured from now on');
  const p99 = loopDelay.percentile(99) / NANOSECONDS - LOOP_RESOLUTION_MS / 1000; // the probe counts its own interval as delay
  loopDelay.reset();
  return Math.max(0, p99);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).slice(0, FILE_CHARS_MAX);
  } catch {
    return undefined; // another kernel, another version of control groups: the caller chooses from what there is
  }
}

function kibibytesIn(text: string | undefined, name: string): number | undefined {
  const kibibytes = numberIn(text, new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm'));
  return kibibytes === undefined ? undefined : kibibytes * 1024;
}

function numberIn(text: string | undefined, pattern: RegExp): number | undefined {
  const digits = text === undefined ? undefined : pattern.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
