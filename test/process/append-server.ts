// A process of its own for the tests that kill, stop and starve one: the real engine on a real file behind a small HTTP server
// that answers 202 only after the log has. Its one argument is a JSON object of `ServerOptions`. It ends with its parent.

import { createServer, type IncomingMessage } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import type { AddressInfo } from 'node:net';
import { Fault, toFault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Sink } from '#core/sink.ts';
import { Engine } from '#engine/engine.ts';
import { openSqliteStorage, type SqliteStorage } from '#storage/sqlite/storage.ts';
import { noLogger } from '#telemetry/logger.ts';
import { noMetrics } from '#telemetry/metrics.ts';
import { eventOf, SENT } from './known-event.ts';
import { numbersConnections } from './numbers-connector.ts';
import { processEnv } from './process-env.ts';

export interface ServerOptions {
  readonly data: string;
  /** Address of the test's own process: the receiver of the external sink, and what the connections pull from. */
  readonly world: string;
  readonly connections?: number;
  readonly pollMs?: number;
  readonly speed?: number;
  readonly lockWaitMs?: number;
  /** Nothing runs: the state is what the file holds. */
  readonly idle?: boolean;
  /** Plants the bug that the instruments must find: commits that are not synced. */
  readonly unsynced?: boolean;
}

export interface ServerState {
  readonly size: number;
  readonly leasesLost: number;
  /** When each connection is due, wall time. */
  readonly dueAtMs: Readonly<Record<string, number | null>>;
}

const BROKEN_EXIT = 3;
const BROKEN_LOOK_MS = 20;

async function main(options: ServerOptions): Promise<void> {
  if (options.unsynced === true) plantUnsyncedCommits();
  const env = processEnv(options.speed);
  const { data, lockWaitMs } = options;
  const storage = openSqliteStorage({ data, clock: env.clock, ...(lockWaitMs === undefined ? {} : { lockWaitMs }) });
  const leases = countingLeases(storage.leases);
  const engine = new Engine({
    env,
    log: storage.log,
    leases,
    store: storage.store,
    connections: numbersConnections(options.world, options.connections ?? 0, options.pollMs ?? 1000),
    sinks: [{ sink: remoteSink(options.world), type: 'remote', from: 'oldest', accepts: () => true }],
    queue: { eventsMax: 1_000_000, bytesMax: 1024 ** 3 },
    scheduler: { runsMax: 4, runsPerTypeMax: 4, sliceMs: 30_000 },
    health: { p95MsMax: 2000, errorRatioMax: 0.1, callsMin: 10, windowMs: 3_600_000 },
    logger: noLogger,
    metrics: noMetrics,
    redact: (text) => text,
    pid: process.pid,
    writeHeartbeat: () => Promise.resolve(),
    housekeepStorage: () => storage.housekeep(),
    walBytes: () => storage.walBytes(),
  });
  if (options.idle !== true) await engine.start();
  const state = async (): Promise<ServerState> => ({
    size: (await storage.log.stats()).size,
    leasesLost: leases.lost(),
    dueAtMs: Object.fromEntries(
      engine.connections.map((one) => [one.connection, engine.nextRunAtMs(one, 'docs') ?? null]),
    ),
  });
  serve(storage, engine, state);
  // The product does this within a second (main/service.ts).
  setInterval(() => {
    if (storage.broken() !== undefined) process.exit(BROKEN_EXIT);
  }, BROKEN_LOOK_MS);
}

function serve(storage: SqliteStorage, engine: Engine, state: () => Promise<ServerState>): void {
  let stopping = false;
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      if (stopping) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const work = request.method === 'POST' ? append(storage, request) : state();
    work.then(
      (body) => answer(request.method === 'POST' ? 202 : 200, body),
      (error: unknown) => {
        const fault = toFault(error);
        answer(fault.row.http, { code: fault.code, message: fault.message });
      },
    );
  });
  server.listen(0, '127.0.0.1', () => {
    // A TCP server's address is an object.
    const { user, system } = process.cpuUsage();
    process.stdout.write(`ready ${(server.address() as AddressInfo).port} ${Math.round((user + system) / 1000)}\n`);
  });
  process.once('SIGTERM', () => {
    stopping = true;
    server.close(() => {
      void engine.stop().then(() => {
        storage.close();
        process.exit(0);
      });
    });
  });
}

/** Body: `[key, version][]`. The keys come back, so that a trace of the system calls shows which rows an answer is about. */
async function append(storage: SqliteStorage, request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  // Sent by the tests' own sender.
  const wanted = JSON.parse(text) as [key: string, version: number][];
  const result = await storage.log.append({ events: wanted.map(([key, version]) => eventOf(SENT, key, version)) });
  return { ...result, stored: wanted.map(([key, version]) => `${key}v${version}`) };
}

function remoteSink(worldUrl: string): Sink {
  const call = async (path: string, body: unknown, signal: AbortSignal): Promise<void> => {
    const answer = await fetch(worldUrl + path, { method: 'POST', body: JSON.stringify(body), signal }).catch(
      (error: unknown) => Promise.reject(new Fault('sink_unavailable', 'no answer', { cause: error })),
    );
    await answer.arrayBuffer();
    if (!answer.ok) throw new Fault('sink_unavailable', `it answered ${answer.status}`);
  };
  return {
    name: 'remote',
    open: () => Promise.resolve(),
    async write(entries, signal) {
      await call(
        '/write',
        entries.map(({ event }) => event),
        signal,
      );
      return entries.map(() => ({ outcome: 'written' }));
    },
    ping: (signal) => call('/ping', null, signal),
    close: () => Promise.resolve(),
  };
}

function countingLeases(leases: Leases): Leases & { lost(): number } {
  let lost = 0;
  return {
    acquire: (name, owner, ttlMs) => leases.acquire(name, owner, ttlMs),
    async renew(fence, ttlMs) {
      const renewed = await leases.renew(fence, ttlMs);
      if (!renewed) lost += 1;
      return renewed;
    },
    release: (fence) => leases.release(fence),
    lost: () => lost,
  };
}

/** Before the first commit and after the storage has proved its settings: nothing else would get past that proof. */
function plantUnsyncedCommits(): void {
  const exec = DatabaseSync.prototype.exec;
  const planted = new WeakSet<DatabaseSync>();
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    if (sql === 'BEGIN IMMEDIATE' && !planted.has(this)) {
      planted.add(this);
      exec.call(this, 'PRAGMA synchronous = NORMAL');
    }
    exec.call(this, sql);
  };
}

process.stdin.resume().once('end', () => process.exit(9));
try {
  // Written by `startServer`.
  await main(JSON.parse(process.argv[2] ?? '') as ServerOptions);
} catch (error) {
  const fault = toFault(error);
  process.stderr.write(`[${fault.code}] ${fault.message}\n`);
  process.exit(fault.row.exit);
}
