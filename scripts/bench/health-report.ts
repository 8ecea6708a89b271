import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { machineLine, type Machine } from './machine.ts';
import type { Latency } from './measure.ts';

export interface HealthReport {
  readonly schemaVersion: 1;
  readonly bench: 'health';
  readonly machine: Machine;
  readonly connections: number;
  readonly operations: number;
  readonly minutes: number;
  /** Of one operation of one connection. */
  readonly callsPerMinute: number;
  readonly recording: {
    readonly oneConnectionNs: number;
    readonly allConnectionsNs: number;
    /** Live heap after every operation of every connection was called within one minute. */
    readonly heldMib: number;
    readonly bytesPerSeries: number;
  };
  readonly stored: {
    readonly rows: number;
    readonly sketchBytesMean: number;
    readonly fileMib: number;
    readonly rowsPerSecond: number;
  };
  /** `total` is the product's query; the steps are timed on another connection each time. */
  readonly query: {
    readonly total: Latency;
    readonly read: Latency;
    readonly decode: Latency;
    readonly merge: Latency;
  };
  readonly aim: { readonly aim: string; readonly reached: boolean };
}

export function fileMib(folder: string): number {
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return Math.round(bytes / 1024 ** 2);
}

export function printHealthReport(report: HealthReport): void {
  const { machine, connections, operations, minutes, callsPerMinute, recording, stored, query, aim } = report;
  const { total, read, decode, merge } = query;
  const step = (name: string, { p50Ms, p99Ms }: Latency): string =>
    `${name.padEnd(42)}${p50Ms.toFixed(3).padStart(10)}${p99Ms.toFixed(3).padStart(10)}`;
  const text = [
    machineLine(machine),
    `${whole(connections)} connections × ${operations} operations × ${minutes} minutes of ${callsPerMinute} calls: ${whole(stored.rows)} rows, sketches of ${stored.sketchBytesMean} bytes, ${whole(stored.fileMib)} MiB of files`,
    '',
    `record, one connection    ${String(recording.oneConnectionNs).padStart(6)} ns/call`,
    `record, all connections   ${String(recording.allConnectionsNs).padStart(6)} ns/call`,
    `recorder holds            ${String(recording.heldMib).padStart(6)} MiB for one minute of all (${whole(recording.bytesPerSeries)} bytes per operation of a connection; at most the last two minutes are kept)`,
    `store                     ${whole(stored.rowsPerSecond).padStart(6)} rows/s`,
    '',
    `${`health of one connection, ${total.samples} queries`.padEnd(42)}${'p50 ms'.padStart(10)}${'p99 ms'.padStart(10)}`,
    step('whole query', total),
    step('  rows out of the store', read),
    step('  sketches decoded', decode),
    step('  merged, quantiles', merge),
    '',
    `${aim.reached ? 'reached' : 'missed '}  ${aim.aim}: ${total.p99Ms.toFixed(2)} ms (p99)`,
  ];
  process.stdout.write(`${text.join('\n')}\n`);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
