import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realEnv } from './real-env.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

/** A result that is not what was asked for: a fast wrong answer fails the bench instead of winning it. */
export class WrongResult extends Error {}

export function verify(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new WrongResult(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: quantileOf(samples, 0.5), min: Math.min(...samples), max: Math.max(...samples), samples };
}

export function latencyOf(samplesMs: readonly number[]): Latency {
  return { p50Ms: quantileOf(samplesMs, 0.5), p99Ms: quantileOf(samplesMs, 0.99), samples: samplesMs.length };
}

/** Nearest rank, so that every figure shown was measured. */
function quantileOf(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Milliseconds by the clock. */
export async function timed(work: () => Promise<void> | void): Promise<number> {
  const startMs = realEnv.clock.monotonic();
  await work();
  return realEnv.clock.monotonic() - startMs;
}

export interface Cost {
  readonly ms: number;
  /** Of all threads of this process. Steadier than `ms` on a machine that has other things to do. */
  readonly cpuMs: number;
}

export async function costOf(work: () => Promise<void> | void): Promise<Cost> {
  const before = process.cpuUsage();
  const ms = await timed(work);
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** Gives `work` an empty folder in the temporary directory (TMPDIR chooses the disk) and removes it, whatever happens. */
export async function inFolder<T>(work: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
