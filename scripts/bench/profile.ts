// Where the time of one part goes: a child process does the work under the V8 profiler, and its self times are added up by function.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WeirPart } from './log-measurements.ts';

const TOP_FUNCTIONS = 25;
const ROOT = resolve(import.meta.dirname, '..', '..');

/** The part of the `.cpuprofile` format that is read here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/ */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Node on top of the stack at each sample. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export async function profileParts(parts: readonly WeirPart[], events: number): Promise<void> {
  const folder = join(tmpdir(), 'weir-bench-profiles');
  mkdirSync(folder, { recursive: true });
  for (const part of parts) {
    const file = join(folder, `${part}.cpuprofile`);
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'profile-target.ts'), part, String(events), file],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child.stdout.setEncoding('utf8');
    let rate = '';
    child.stdout.on('data', (text: string) => (rate += text));
    const [code] = (await once(child, 'close')) as [number | null]; // `close` gives the exit code first
    if (code !== 0) throw new Error(`profiling ${part} failed`);
    const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile; // written by V8 a moment ago
    process.stdout.write(
      `${part}: ${rate.trim()} events/s under the profiler; ${file} opens in any DevTools\n${topFunctions(profile)}\n\n`,
    );
  }
}

/** The functions that were on top of the stack for longest, one line each. */
export function topFunctions({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(
    nodes.map(({ id, callFrame }) => [
      id,
      `${callFrame.functionName || '(anonymous)'}  ${placeOf(callFrame.url, callFrame.lineNumber)}`,
    ]),
  );
  // Starting the profiler is the first thing it sees.
  const own = new Set(nodes.flatMap(({ id, callFrame }) => (callFrame.url === 'node:inspector' ? [id] : [])));
  const selfUs = new Map<string, number>();
  let totalUs = 0;
  for (const [index, id] of samples.entries()) {
    const us = timeDeltas[index] ?? 0;
    if (own.has(id)) continue;
    const name = names.get(id) ?? 'unknown';
    selfUs.set(name, (selfUs.get(name) ?? 0) + us);
    totalUs += us;
  }
  const top = [...selfUs].sort(([, a], [, b]) => b - a).slice(0, TOP_FUNCTIONS);
  return top
    .map(
      ([name, us]) =>
        `${((us / totalUs) * 100).toFixed(1).padStart(6)} %  ${(us / 1000).toFixed(0).padStart(7)} ms  ${name}`,
    )
    .join('\n');
}

function placeOf(url: string, lineNumber: number): string {
  if (url === '') return '';
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return `${path.startsWith(ROOT) ? path.slice(ROOT.length + 1) : path}:${lineNumber + 1}`;
}
