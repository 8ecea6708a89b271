// `npm run bench -- health`: what recording a call costs, what the recorder holds in memory, and how long the health of one
// connection over an hour takes to read when ten thousand connections are stored.

import { join } from 'node:path';
import type { CallMinute, CallStore } from '../../src/core/store.ts';
import { CallRecorder } from '../../src/engine/call-recorder.ts';
import { healthOf, metricsOf } from '../../src/engine/health-status.ts';
import { QuantileSketch } from '../../src/engine/quantile-sketch.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { readCount, readFlags } from './flags.ts';
import { fileMib, printHealthReport, type HealthReport } from './health-report.ts';
import { liveHeapBytes } from './heap.ts';
import { describeMachine } from './machine.ts';
import { inFolder, latencyOf, spreadOf, timed, verify } from './measure.ts';
import { realEnv } from './real-env.ts';

const DEFAULTS = { connections: 10_000, queries: 1000 } as const;
const OPERATIONS = ['list_files', 'get_file', 'list_changes', 'search', 'get_user'] as const;
const MINUTES = 60;
const MINUTE_MS = 60_000;
const CALLS_PER_MINUTE = 20; // of one operation of one connection
const SKETCH_POOL = 500; // different minutes, dealt out in turn: making millions of them would measure nothing else
const BATCH_ROWS = 20_000;
const RECORDED_CALLS = 1_000_000;
const RECORD_ROUNDS = 5;
const WARM_UP_QUERIES = 50;
const QUERY_MS_MAX = 1;
const THRESHOLDS = { p95MsMax: 2000, errorRatioMax: 0.1, callsMin: 10, windowMs: MINUTES * MINUTE_MS };

export const usage = 'health [--json] [--connections N] [--queries N]';

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, {
    json: { type: 'boolean' },
    connections: { type: 'string' },
    queries: { type: 'string' },
  });
  const connections = readCount('--connections', flags['connections'], DEFAULTS.connections);
  const queries = readCount('--queries', flags['queries'], DEFAULTS.queries);
  const report = await inFolder((folder) => measure(folder, connections, queries));
  if (flags['json'] === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else printHealthReport(report);
}

async function measure(folder: string, connections: number, queries: number): Promise<HealthReport> {
  const storage = openSqliteStorage({ data: join(folder, 'data'), clock: realEnv.clock });
  try {
    const { calls } = storage.store;
    say(`recording into ${connections} connections`);
    const recording = await measureRecording(connections);
    say(`storing ${connections} connections × ${OPERATIONS.length} operations × ${MINUTES} minutes`);
    const sketches = makeMinutes();
    const newest = Math.floor(realEnv.clock.now() / MINUTE_MS);
    const fillMs = await timed(() => fill(calls, sketches, connections, newest));
    const rows = connections * OPERATIONS.length * MINUTES;
    say(`${queries} queries`);
    const query = await measureQueries(calls, connections, queries, newest);
    return {
      schemaVersion: 1,
      bench: 'health',
      machine: describeMachine(),
      connections,
      operations: OPERATIONS.length,
      minutes: MINUTES,
      callsPerMinute: CALLS_PER_MINUTE,
      recording,
      stored: {
        rows,
        sketchBytesMean: Math.round(sketches.reduce((sum, { sketch }) => sum + sketch.length, 0) / sketches.length),
        fileMib: fileMib(join(folder, 'data')),
        rowsPerSecond: Math.round((rows / fillMs) * 1000),
      },
      query,
      aim: {
        aim: `a ${MINUTES}-minute health query in less than ${QUERY_MS_MAX} ms`,
        reached: query.total.p99Ms < QUERY_MS_MAX,
      },
    };
  } finally {
    storage.close();
  }
}

type StoredMinute = Pick<CallMinute, 'succeeded' | 'failed' | 'sketch'>;

function makeMinutes(): readonly StoredMinute[] {
  return Array.from({ length: SKETCH_POOL }, () => {
    const durations = new QuantileSketch();
    // Log-normal as calls over a network are: half of them within 120 ms, one in a hundred above half a second.
    for (let call = 0; call < CALLS_PER_MINUTE; call += 1) durations.add(120 * Math.exp(0.65 * gaussian()));
    return { succeeded: CALLS_PER_MINUTE, failed: 0, sketch: durations.encode() };
  });
}

/** Sum of twelve: near enough to a bell for durations. */
function gaussian(): number {
  let sum = -6;
  for (let draw = 0; draw < 12; draw += 1) sum += realEnv.random.float();
  return sum;
}

async function fill(
  calls: CallStore,
  pool: readonly StoredMinute[],
  connections: number,
  newest: number,
): Promise<void> {
  let batch: CallMinute[] = [];
  let next = 0;
  for (let index = 0; index < connections; index += 1) {
    for (let age = MINUTES - 1; age >= 0; age -= 1) {
      for (const operation of OPERATIONS) {
        const minute = pool[next++ % pool.length];
        if (minute !== undefined) batch.push({ ...connectionAt(index), operation, minute: newest - age, ...minute });
      }
    }
    if (batch.length < BATCH_ROWS && index < connections - 1) continue;
    await calls.save(batch, []);
    batch = [];
  }
}

function connectionAt(index: number): { tenant: string; connection: string } {
  return { tenant: 'default', connection: `connection-${String(index).padStart(6, '0')}` };
}

/** What one call pays, and what the recorder holds when every operation of every connection was called in this minute. */
async function measureRecording(connections: number): Promise<HealthReport['recording']> {
  const fewNs: number[] = [];
  const one = newRecorder();
  for (let round = 0; round < RECORD_ROUNDS; round += 1) fewNs.push(await recordNs(one, 1));
  const before = liveHeapBytes();
  const all = newRecorder();
  const manyNs: number[] = [];
  for (let round = 0; round < RECORD_ROUNDS; round += 1) manyNs.push(await recordNs(all, connections));
  const heldBytes = liveHeapBytes() - before;
  await all.flush(); // keeps it alive until it was weighed
  const series = connections * OPERATIONS.length;
  return {
    oneConnectionNs: Math.round(spreadOf(fewNs).median),
    allConnectionsNs: Math.round(spreadOf(manyNs).median),
    heldMib: Math.round(heldBytes / 1024 ** 2),
    bytesPerSeries: Math.round(heldBytes / series),
  };
}

function newRecorder(): CallRecorder {
  const store: CallStore = {
    save: () => Promise.resolve(),
    minutes: () => Promise.resolve([]),
    failures: () => Promise.resolve([]),
    forget: () => Promise.resolve(),
  };
  // A clock that stands still: a minute that ends in between would double what is held.
  const clock = { ...realEnv.clock, now: () => MINUTE_MS };
  return new CallRecorder({ clock, store, redact: (text) => text });
}

async function recordNs(recorder: CallRecorder, connections: number): Promise<number> {
  const refs = Array.from({ length: connections }, (_, index) => connectionAt(index));
  const durations = Array.from({ length: 1024 }, () => 120 * Math.exp(0.65 * gaussian()));
  const ms = await timed(() => {
    for (let call = 0; call < RECORDED_CALLS; call += 1) {
      const ref = refs[call % connections];
      const operation = OPERATIONS[Math.floor(call / connections) % OPERATIONS.length];
      const durationMs = durations[call % durations.length];
      if (ref !== undefined && operation !== undefined && durationMs !== undefined)
        recorder.record(ref, { operation, durationMs });
    }
  });
  return (ms * 1e6) / RECORDED_CALLS;
}

/** The product's own query, then the same in its three steps, so that the report can say where the time goes. */
async function measureQueries(
  calls: CallStore,
  connections: number,
  queries: number,
  newest: number,
): Promise<HealthReport['query']> {
  const samples = { total: [] as number[], read: [] as number[], decode: [] as number[], merge: [] as number[] };
  // As many minutes as were stored: the query goes back one minute further than the window, and that one does not exist.
  const clock = { ...realEnv.clock, now: () => newest * MINUTE_MS };
  const recorder = new CallRecorder({ clock, store: calls, redact: (text) => text });
  for (let query = 0; query < WARM_UP_QUERIES + queries; query += 1) {
    const of = connectionAt(Math.floor(realEnv.random.float() * connections));
    const totalMs = await timed(async () => {
      const health = healthOf(await recorder.metrics(of, THRESHOLDS.windowMs), THRESHOLDS);
      verify('calls in the window', health.metrics.totalCalls, MINUTES * OPERATIONS.length * CALLS_PER_MINUTE);
    });
    const other = connectionAt(Math.floor(realEnv.random.float() * connections));
    const steps = await timeSteps(calls, other, newest - MINUTES);
    if (query < WARM_UP_QUERIES) continue;
    samples.total.push(totalMs);
    samples.read.push(steps.readMs);
    samples.decode.push(steps.decodeMs);
    samples.merge.push(steps.mergeMs);
  }
  return {
    total: latencyOf(samples.total),
    read: latencyOf(samples.read),
    decode: latencyOf(samples.decode),
    merge: latencyOf(samples.merge),
  };
}

async function timeSteps(calls: CallStore, of: ReturnType<typeof connectionAt>, since: number) {
  let rows: readonly CallMinute[] = [];
  const readMs = await timed(async () => {
    rows = await calls.minutes(of, since);
  });
  let decoded: QuantileSketch[] = [];
  const decodeMs = await timed(() => {
    decoded = rows.map(({ sketch }) => QuantileSketch.decode(sketch));
  });
  const mergeMs = await timed(() => {
    const whole = new QuantileSketch();
    for (const sketch of decoded) whole.merge(sketch);
    const { p95Ms = 0 } = metricsOf(rows.length * CALLS_PER_MINUTE, 0, whole);
    verify('p95 between 200 and 600 ms', p95Ms > 200 && p95Ms < 600, true);
  });
  return { readMs, decodeMs, mergeMs };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
