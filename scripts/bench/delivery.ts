// `npm run bench -- delivery`: how fast a backlog leaves the log, into the library and into a sink that does nothing, from one
// partition and from all, beside a bare loop over SQLite; and what leases, reads and a start cost while it lies there.

import { readCount, readFlags, UsageError } from './flags.ts';
import { describeMachine, machineLine } from './machine.ts';
import { inFolder, type Latency } from './measure.ts';
import { watchChild, type Watched } from './watched-child.ts';

export interface BacklogCosts {
  readonly read: Latency;
  readonly lease: Latency;
  readonly stats: Latency;
}

export interface DeliveryResult {
  readonly drainMs: number;
  /** From opening the data to the first figures of the queue. */
  readonly openMs: number;
  readonly costs: BacklogCosts;
}

const EVENTS = 1_000_000;
const SINKS = ['limit', 'null', 'limit-library', 'library'] as const;
const PARTITIONS = [1, 16] as const;
const NAMES = {
  limit: 'limit: read',
  null: 'Weir, null sink',
  'limit-library': 'limit: library',
  library: 'Weir, library',
} as const;

export const usage = 'delivery [--json] [--events N] [--partitions 1|16]';

interface Line {
  readonly sink: (typeof SINKS)[number];
  readonly partitions: number;
  readonly eventsPerSecond: number;
  readonly rssMib: number;
  readonly measured: Watched<DeliveryResult>;
}

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, {
    json: { type: 'boolean' },
    events: { type: 'string' },
    partitions: { type: 'string' },
  });
  const chosen = PARTITIONS.filter(
    (count) => flags['partitions'] === undefined || flags['partitions'] === String(count),
  );
  if (chosen.length === 0)
    throw new UsageError(`--partitions ${String(flags['partitions'])}: there are ${PARTITIONS.join(', ')}`);
  const events = readCount('--events', flags['events'], EVENTS);
  const lines: Line[] = [];
  for (const partitions of chosen) {
    for (const sink of SINKS) {
      process.stderr.write(`${NAMES[sink]}, ${partitions} partitions\n`);
      const measured = await inFolder((folder) =>
        watchChild<DeliveryResult>('delivery-target.ts', [String(events), sink, String(partitions), folder]),
      );
      const eventsPerSecond = Math.round((events / measured.result.drainMs) * 1000);
      lines.push({ sink, partitions, eventsPerSecond, rssMib: measured.rssMib['draining'] ?? 0, measured });
    }
  }
  const report = { schemaVersion: 1, bench: 'delivery', machine: describeMachine(), events, lines };
  process.stdout.write(flags['json'] === true ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(events, lines));
}

function textOf(events: number, lines: readonly Line[]): string {
  const limitOf = ({ sink, partitions }: Line): number | undefined =>
    lines.find((line) => line.partitions === partitions && line.sink === LIMIT_OF[sink])?.eventsPerSecond;
  return [
    machineLine(describeMachine()),
    `a backlog of ${events.toLocaleString('en')} events of about 1.1 kB`,
    '',
    `${'draining'.padEnd(18)}${'partitions'.padStart(12)}${'events/s'.padStart(12)}${'of limit'.padStart(10)}${'RSS'.padStart(10)}`,
    ...lines.map((line) => {
      const limit = limitOf(line);
      const ratio = limit === undefined ? '' : (line.eventsPerSecond / limit).toFixed(2);
      return `${NAMES[line.sink].padEnd(18)}${String(line.partitions).padStart(12)}${line.eventsPerSecond.toLocaleString('en').padStart(12)}${ratio.padStart(10)}${`${line.rssMib} MiB`.padStart(10)}`;
    }),
    '',
    'at that backlog',
    ...PARTITIONS.flatMap((partitions) => costLines(lines, partitions)),
    '',
  ].join('\n');
}

const LIMIT_OF: Readonly<Record<Line['sink'], Line['sink'] | undefined>> = {
  null: 'limit',
  library: 'limit-library',
  limit: undefined,
  'limit-library': undefined,
};

function costLines(lines: readonly Line[], partitions: number): readonly string[] {
  const line = lines.find((one) => one.partitions === partitions && one.sink === 'library');
  if (line === undefined) return [];
  const { costs, openMs } = line.measured.result;
  const text = (name: string, { p50Ms, p99Ms }: Latency): string =>
    `  ${name.padEnd(34)}p50 ${p50Ms.toFixed(3)} ms   p99 ${p99Ms.toFixed(3)} ms`;
  return [
    `  ${partitions} partition${partitions === 1 ? '' : 's'}: open ${Math.round(openMs)} ms`,
    text('read of 256 events', costs.read),
    text('lease: acquire, renew, release', costs.lease),
    text('figures of the queue', costs.stats),
  ];
}
