// `npm run bench -- memory`: how much memory a backlog costs while it builds up and while it drains. A child does the work with Node's
// own settings; this process looks at it from outside once a second, because a child that is busy could not look at itself.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCount, readFlags, UsageError } from './flags.ts';
import { describeMachine, machineLine } from './machine.ts';
import { inFolder } from './measure.ts';

export const MEMORY_SINKS = ['both', 'library', 'timeline'] as const;
export type MemorySinks = (typeof MEMORY_SINKS)[number];

/** What the child says when a phase begins or everything is done. */
export type MemoryMessage =
  | { readonly phase: 'building' | 'draining' }
  | {
      readonly phase: 'done';
      readonly buildMs: number;
      readonly drainMs: number;
      readonly fileBytes: number;
      readonly walBytes: number;
    };

const EVENTS = 1_000_000;
const RSS_MIB_MAX = 300; // the promise this benchmark holds Weir to
const SAMPLE_MS = 1000;
const KIB_PER_MIB = 1024;
const PRODUCT_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']; // those of NODE_FLAGS in scripts/runtime.mjs that change memory

export const usage = `memory [--json] [--events N] [--sink ${MEMORY_SINKS.join('|')}]`;

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, { json: { type: 'boolean' }, events: { type: 'string' }, sink: { type: 'string' } });
  const events = readCount('--events', flags['events'], EVENTS);
  const sink = MEMORY_SINKS.find((known) => known === (flags['sink'] ?? 'both'));
  if (sink === undefined) throw new UsageError(`--sink ${String(flags['sink'])}: there are ${MEMORY_SINKS.join(', ')}`);
  const measured = await inFolder((folder) => watch(events, sink, folder));
  const report = {
    schemaVersion: 1,
    bench: 'memory',
    machine: describeMachine(),
    events,
    sink,
    ...measured,
    rssMibMax: RSS_MIB_MAX,
    reached: measured.rssMibPeak < RSS_MIB_MAX,
  };
  process.stdout.write(flags['json'] === true ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
}

type Measured = Awaited<ReturnType<typeof watch>>;

async function watch(events: number, sink: MemorySinks, folder: string) {
  const child = fork(join(import.meta.dirname, 'memory-target.ts'), [String(events), sink, folder], {
    execArgv: [...PRODUCT_NODE_FLAGS],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const peaks = { starting: 0, building: 0, draining: 0 };
  let phase: keyof typeof peaks = 'starting';
  let done: Extract<MemoryMessage, { phase: 'done' }> | undefined;
  let highWaterKib = 0;
  const look = (): void => {
    const { rssKib, peakKib } = readStatus(child);
    peaks[phase] = Math.max(peaks[phase], rssKib);
    highWaterKib = Math.max(highWaterKib, peakKib);
  };
  child.on('message', (message) => {
    look();
    const said = message as MemoryMessage; // from memory-target.ts, typed there
    if (said.phase === 'done') done = said;
    else phase = said.phase;
    process.stderr.write(`${said.phase}\n`);
  });
  const sampling = setInterval(look, SAMPLE_MS);
  const [code] = (await once(child, 'exit')) as [number | null]; // `exit` gives the exit code first
  clearInterval(sampling);
  process.removeListener('exit', kill);
  if (code !== 0 || done === undefined) throw new Error(`the measured process ended with ${String(code)}`);
  const { buildMs, drainMs, fileBytes, walBytes } = done;
  return {
    rssMibBuilding: mib(peaks.building),
    rssMibDraining: mib(peaks.draining),
    /** The kernel's own high-water mark: what sampling once a second cannot miss. */
    rssMibPeak: mib(highWaterKib),
    buildEventsPerSecond: Math.round((events / buildMs) * 1000),
    drainEventsPerSecond: Math.round((events / drainMs) * 1000),
    fileMib: Math.round(fileBytes / KIB_PER_MIB ** 2),
    walMib: Math.round(walBytes / KIB_PER_MIB ** 2),
  };
}

function readStatus({ pid }: ChildProcess): { rssKib: number; peakKib: number } {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    return {
      rssKib: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      peakKib: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    };
  } catch {
    return { rssKib: 0, peakKib: 0 }; // it has just ended
  }
}

function mib(kib: number): number {
  return Math.round(kib / KIB_PER_MIB);
}

function textOf(
  report: Measured & { readonly events: number; readonly sink: string; readonly reached: boolean },
): string {
  const {
    events,
    sink,
    rssMibBuilding,
    rssMibDraining,
    rssMibPeak,
    buildEventsPerSecond,
    drainEventsPerSecond,
    fileMib,
    walMib,
    reached,
  } = report;
  return [
    machineLine(describeMachine()),
    `${events.toLocaleString('en')} events, drained into ${sink === 'both' ? 'timeline and library' : sink}`,
    '',
    `building up   ${String(rssMibBuilding).padStart(5)} MiB RSS   ${buildEventsPerSecond.toLocaleString('en').padStart(8)} events/s`,
    `draining      ${String(rssMibDraining).padStart(5)} MiB RSS   ${drainEventsPerSecond.toLocaleString('en').padStart(8)} events/s`,
    `at most       ${String(rssMibPeak).padStart(5)} MiB RSS   file ${fileMib} MiB, write-ahead log ${walMib} MiB`,
    '',
    `${reached ? 'reached' : 'missed '}  under ${RSS_MIB_MAX} MiB`,
    '',
  ].join('\n');
}
