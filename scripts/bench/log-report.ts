import { spreadOf, type Latency, type Spread } from './measure.ts';
import { machineLine, type Machine } from './machine.ts';

type Fsync = 'everysec' | 'always';
export type LineName =
  | `limit: ${'append' | 'deliver' | 'end to end'}`
  | `Weir ${'append' | 'seal + append' | 'deliver' | 'end to end'}`
  | `BullMQ ${'add' | 'process' | 'add + process'}, ${Fsync}`;

interface Sample {
  readonly eventsPerSecond: number;
  /** Microseconds of processor time of this process, all its threads. */
  readonly cpuUsPerEvent: number;
}

/** One sample a round for each line, in the order they were first measured. */
export type Samples = { [line in LineName]?: Sample[] };

/** What each line of Weir is held against. Sealing is part of every pull, so its limit is the same append. */
const COUNTERPARTS = {
  'Weir append': { limit: 'limit: append', queue: 'add' },
  'Weir seal + append': { limit: 'limit: append', queue: 'add' },
  'Weir deliver': { limit: 'limit: deliver', queue: 'process' },
  'Weir end to end': { limit: 'limit: end to end', queue: 'add + process' },
} as const;

export interface ReportLine {
  readonly name: string;
  readonly eventsPerSecond: Spread;
  readonly cpuUsPerEvent: Spread;
  /** Of the medians; absent where there is nothing to compare with. */
  readonly ratioToLimit?: number;
  readonly ratioToBullmq?: { readonly everysec: number; readonly always: number };
}

export interface LatencyLine extends Latency {
  readonly name: string;
}

interface Aim {
  readonly aim: string;
  readonly reached: boolean;
  readonly ratio: number;
}

export interface LogReport {
  readonly schemaVersion: 1;
  readonly bench: 'log';
  readonly machine: Machine;
  readonly bullmq: { readonly absent: string } | { readonly bullmq: string; readonly redis: string };
  readonly events: number;
  /** Events carried by BullMQ. */
  readonly queueEvents: number;
  readonly eventBytesMean: number;
  readonly rounds: number;
  readonly lines: readonly ReportLine[];
  readonly latency: readonly LatencyLine[];
  readonly aims: readonly Aim[];
  /** Every measurement counted its rows and looked up its last document; a wrong result ends the bench instead. */
  readonly verified: true;
}

export function toLines(samples: Samples): readonly ReportLine[] {
  const median = (line: LineName): number | undefined => {
    const taken = samples[line];
    return taken === undefined ? undefined : spreadOf(taken.map((sample) => sample.eventsPerSecond)).median;
  };
  return Object.entries(samples).map(([name, taken]) => {
    const eventsPerSecond = spreadOf(taken.map((sample) => sample.eventsPerSecond));
    const cpuUsPerEvent = spreadOf(taken.map((sample) => sample.cpuUsPerEvent));
    if (!isCompared(name)) return { name, eventsPerSecond, cpuUsPerEvent };
    const { limit, queue } = COUNTERPARTS[name];
    const ratioTo = (other: number | undefined): number | undefined =>
      other === undefined ? undefined : round2(eventsPerSecond.median / other);
    const ratioToLimit = ratioTo(median(limit));
    const everysec = ratioTo(median(`BullMQ ${queue}, everysec`));
    const always = ratioTo(median(`BullMQ ${queue}, always`));
    return {
      name,
      eventsPerSecond,
      cpuUsPerEvent,
      ...(ratioToLimit === undefined ? {} : { ratioToLimit }),
      ...(everysec === undefined || always === undefined ? {} : { ratioToBullmq: { everysec, always } }),
    };
  });
}

function isCompared(name: string): name is keyof typeof COUNTERPARTS {
  return Object.hasOwn(COUNTERPARTS, name);
}

export function aimsOf(lines: readonly ReportLine[]): readonly Aim[] {
  const line = (name: keyof typeof COUNTERPARTS): ReportLine | undefined =>
    lines.find((candidate) => candidate.name === name);
  const aims: { readonly aim: string; readonly ratio: number | undefined; readonly least: number }[] = [
    { aim: 'append at 0.70 of the limit', ratio: line('Weir append')?.ratioToLimit, least: 0.7 },
    { aim: 'end to end at 0.60 of the limit', ratio: line('Weir end to end')?.ratioToLimit, least: 0.6 },
    {
      aim: 'end to end 3 times BullMQ add + process, everysec',
      ratio: line('Weir end to end')?.ratioToBullmq?.everysec,
      least: 3,
    },
    {
      aim: 'end to end 3 times BullMQ add + process, always',
      ratio: line('Weir end to end')?.ratioToBullmq?.always,
      least: 3,
    },
  ];
  return aims.flatMap(({ aim, ratio, least }) =>
    ratio === undefined ? [] : [{ aim, ratio, reached: ratio >= least }],
  );
}

export function printReport(report: LogReport): void {
  const { machine, bullmq, events, queueEvents, eventBytesMean, rounds, lines, latency, aims } = report;
  const text = [
    machineLine(machine),
    `${events} events of ${eventBytesMean} bytes, median of ${rounds} rounds`,
    'absent' in bullmq
      ? bullmq.absent
      : `BullMQ ${bullmq.bullmq} on Redis ${bullmq.redis}, ${queueEvents} of the same events; fsync every second or always (as durable as Weir)`,
    '',
    row(['', 'events/s', 'min – max', 'CPU µs/event', 'of limit', '× BullMQ everysec', '× BullMQ always']),
    ...lines.map(({ name, eventsPerSecond: { median, min, max }, cpuUsPerEvent, ratioToLimit, ratioToBullmq }) =>
      row([
        name,
        whole(median),
        `${whole(min)} – ${whole(max)}`,
        cpuUsPerEvent.median.toFixed(1),
        figure(ratioToLimit),
        figure(ratioToBullmq?.everysec),
        figure(ratioToBullmq?.always),
      ]),
    ),
    '',
    row(['commit of one event', 'p50 ms', 'p99 ms']),
    ...latency.map(({ name, p50Ms, p99Ms }) => row([name, p50Ms.toFixed(2), p99Ms.toFixed(2)])),
    '',
    ...aims.map(({ aim, ratio, reached }) => `${reached ? 'reached' : 'missed '}  ${aim}: ${ratio.toFixed(2)}`),
  ];
  process.stdout.write(`${text.join('\n')}\n`);
}

const WIDTHS = [34, 10, 19, 14, 10, 19, 17];

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join('')
    .trimEnd();
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function figure(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
