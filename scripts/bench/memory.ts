// `npm run bench -- memory`: how much memory a backlog costs while it builds up and while it drains.

import { readCount, readFlags, UsageError } from './flags.ts';
import { describeMachine, machineLine } from './machine.ts';
import { inFolder } from './measure.ts';
import { watchChild } from './watched-child.ts';

export const MEMORY_SINKS = ['both', 'library', 'timeline'] as const;
export type MemorySinks = (typeof MEMORY_SINKS)[number];

export interface MemoryResult {
  readonly buildMs: number;
  readonly drainMs: number;
  readonly fileBytes: number;
  readonly walBytes: number;
}

const EVENTS = 1_000_000;
const RSS_MIB_MAX = 300; // the promise this benchmark holds Weir to
const BYTES_PER_MIB = 1024 ** 2;

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
  const { result, rssMib, rssMibPeak } = await watchChild<MemoryResult>('memory-target.ts', [
    String(events),
    sink,
    folder,
  ]);
  return {
    rssMibBuilding: rssMib['building'] ?? 0,
    rssMibDraining: rssMib['draining'] ?? 0,
    rssMibPeak,
    buildEventsPerSecond: Math.round((events / result.buildMs) * 1000),
    drainEventsPerSecond: Math.round((events / result.drainMs) * 1000),
    fileMib: Math.round(result.fileBytes / BYTES_PER_MIB),
    walMib: Math.round(result.walBytes / BYTES_PER_MIB),
  };
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
