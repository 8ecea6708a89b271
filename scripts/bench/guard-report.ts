import type { Opponents } from './guard-opponents.ts';
import type { SubjectName } from './guard-subjects.ts';
import { machineLine, type Machine } from './machine.ts';
import type { Spread } from './measure.ts';

export interface GuardLine {
  readonly name: SubjectName;
  readonly nsPerCall: Spread;
  /** Of the medians: what comes on top of the bare call. */
  readonly overheadNs: number;
  readonly bytesPerCall: number;
}

interface Aim {
  readonly aim: string;
  readonly measured: string;
  readonly reached: boolean;
}

export interface GuardReport {
  readonly schemaVersion: 1;
  readonly bench: 'guard';
  readonly machine: Machine;
  readonly versions: Opponents['versions'];
  readonly calls: number;
  readonly rounds: number;
  readonly lines: readonly GuardLine[];
  readonly aims: readonly Aim[];
}

const CHAIN_NS_MAX = 1500;
const CHAIN_TIMES_FASTER = 5;

/** Overheads are compared, not times: the bare call is in all of them alike and would flatter the slower one. */
export function aimsOf(lines: readonly GuardLine[]): readonly Aim[] {
  const overheadNs = (name: SubjectName): number => lines.find((line) => line.name === name)?.overheadNs ?? Number.NaN;
  const breaker = overheadNs('Weir breaker');
  const theirBreaker = overheadNs('cockatiel breaker');
  const chain = overheadNs('Weir full chain, recorded');
  const timesFaster = overheadNs('cockatiel retry + breaker + bulkhead + timeout, aggressive') / chain;
  return [
    {
      aim: 'breaker alone costs at most what cockatiel’s does',
      measured: `${breaker} ns beside ${theirBreaker} ns`,
      reached: breaker <= theirBreaker,
    },
    { aim: `full chain, recorded, in ${CHAIN_NS_MAX} ns`, measured: `${chain} ns`, reached: chain <= CHAIN_NS_MAX },
    {
      aim: `full chain, recorded, ${CHAIN_TIMES_FASTER} times faster than cockatiel’s retry + breaker + bulkhead + timeout`,
      measured: `${timesFaster.toFixed(1)} times`,
      reached: timesFaster >= CHAIN_TIMES_FASTER,
    },
  ];
}

export function printGuardReport({ machine, versions, calls, rounds, lines, aims }: GuardReport): void {
  const text = [
    machineLine(machine),
    `${calls.toLocaleString('en')} successful calls in a row, median of ${rounds} rounds; full chain: limiter, breaker, retry, bulkhead, two timeouts`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(' · '),
    '',
    row(['', 'ns/call', 'min – max', 'overhead ns', 'bytes/call']),
    ...lines.map(({ name, nsPerCall: { median, min, max }, overheadNs, bytesPerCall }) =>
      row([
        name,
        whole(median),
        `${whole(min)} – ${whole(max)}`,
        name === 'bare async call' ? '' : whole(overheadNs),
        whole(bytesPerCall),
      ]),
    ),
    '',
    ...aims.map(({ aim, measured, reached }) => `${reached ? 'reached' : 'missed '}  ${aim}: ${measured}`),
  ];
  process.stdout.write(`${text.join('\n')}\n`);
}

const WIDTHS = [62, 9, 18, 13, 12];

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0)))
    .join('')
    .trimEnd();
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
