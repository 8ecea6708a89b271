// The job queue most Node teams would take for this: BullMQ on a local Redis, carrying the same events, doing nothing with them.

import { createRequire } from 'node:module';
import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import type { Event } from '../../src/core/event.ts';
import { costOf, inFolder, verify, type Cost } from './measure.ts';
import { REDIS_COMMAND, startRedis, type AppendFsync } from './redis-server.ts';

const PACKAGE = 'bullmq'; // in the lockfile of this folder, not of the product
const ADD_JOBS = 512; // jobs of one addBulk, as many as events of one append
const CONCURRENCY = 64; // jobs in work at once: the fastest of 16, 64, 128 and 256 on the machine this was written on
const QUEUE = 'bench';

/** Processor time is this process's alone: what Redis itself uses is not in it. */
export interface QueueCosts {
  readonly add: Cost;
  /** Everything is in the queue, then a worker takes it. */
  readonly process: Cost;
  /** A worker runs while the jobs are added. */
  readonly both: Cost;
}

// Only what is used here. The package is installed with the benchmarks alone, so types of its own would break the type check of a
// clone that never ran them.
interface Closable {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}
interface JobQueue extends Closable {
  addBulk(jobs: readonly { name: string; data: Event; opts: { removeOnComplete: true } }[]): Promise<unknown>;
  getJobCountByTypes(...types: string[]): Promise<number>;
}
interface JobWorker extends Closable {
  on(event: 'completed', listener: (job: { readonly data: Event }) => void): unknown;
  on(event: 'failed' | 'error', listener: (...details: unknown[]) => void): unknown;
  run(): Promise<void>;
}
interface BullMq {
  readonly Queue: new (name: string, options: object) => JobQueue;
  readonly Worker: new (name: string, work: () => Promise<void>, options: object) => JobWorker;
}

export interface Opponent {
  readonly versions: { readonly bullmq: string; readonly redis: string };
  measure(events: readonly Event[], appendfsync: AppendFsync): Promise<QueueCosts>;
}

/** Throws with the reason when the package or the server is not there. */
export async function loadBullMq(): Promise<Opponent> {
  const banner = execFileSync(REDIS_COMMAND, ['--version'], { encoding: 'utf8' });
  const require = createRequire(import.meta.url);
  const module: unknown = await import(pathToFileURL(require.resolve(PACKAGE)).href);
  const manifest: unknown = require(`${PACKAGE}/package.json`);
  const bullmq = module as BullMq; // the exact version is locked beside this file
  return {
    versions: { bullmq: (manifest as { version: string }).version, redis: /v=([\d.]+)/.exec(banner)?.[1] ?? 'unknown' },
    measure: (events, appendfsync) =>
      inFolder(async (folder) => {
        const redis = await startRedis(folder, appendfsync);
        try {
          return await measure(bullmq, events, redis.port);
        } finally {
          await redis.stop();
        }
      }),
  };
}

async function measure({ Queue, Worker }: BullMq, events: readonly Event[], port: number): Promise<QueueCosts> {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  const newWorker = async (): Promise<JobWorker> => {
    const worker = new Worker(QUEUE, () => Promise.resolve(), { connection, concurrency: CONCURRENCY, autorun: false });
    await worker.waitUntilReady();
    return worker;
  };
  const first = await newWorker();
  const add = await costOf(() => addAll(queue, events));
  const process = await costOf(() => processAll(first, events));
  await first.close();
  const second = await newWorker();
  const both = await costOf(async () => void (await Promise.all([processAll(second, events), addAll(queue, events)])));
  await second.close();
  verify(
    'jobs left in the queue',
    await queue.getJobCountByTypes('waiting', 'active', 'completed', 'failed', 'delayed'),
    0,
  );
  await queue.close();
  return { add, process, both };
}

async function addAll(queue: JobQueue, events: readonly Event[]): Promise<void> {
  for (let start = 0; start < events.length; start += ADD_JOBS) {
    const chunk = events.slice(start, start + ADD_JOBS);
    await queue.addBulk(chunk.map((data) => ({ name: 'event', data, opts: { removeOnComplete: true } })));
  }
}

/** Resolves when every event has been seen once. */
function processAll(worker: JobWorker, events: readonly Event[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const missing = new Set(events.map(({ id }) => id));
    worker.on('failed', (_job, error) => reject(new Error('a job failed', { cause: error })));
    worker.on('error', reject);
    worker.on('completed', ({ data }) => {
      missing.delete(data.id);
      if (missing.size === 0) resolve();
    });
    worker.run().catch(reject);
  });
}
