// Child process of delivery.ts: EVENTS SINK PARTITIONS FOLDER. Builds a backlog, measures what leases and reads cost on it, and
// drains it through the real delivery loops, or through a bare loop when SINK is `limit`.

import { sealEvent } from '../../src/core/event.ts';
import { partitionLeaseName } from '../../src/core/names.ts';
import { PARTITIONS, partitionOf } from '../../src/core/partition.ts';
import type { Sink } from '../../src/core/sink.ts';
import { builtInTarget, deliverAll, externalTarget } from '../../src/engine/delivery.ts';
import type { SqliteStorage } from '../../src/storage/sqlite/storage.ts';
import type { BacklogCosts, DeliveryResult } from './delivery.ts';
import { LimitLoops } from './limit-loops.ts';
import { latencyOf, timed, verify, type Latency } from './measure.ts';
import { realEnv } from './real-env.ts';
import { draftOf, SOURCE } from './synthetic-events.ts';
import { tell } from './watched-child.ts';
import { APPEND_EVENTS, batchMaker, PARTITION_SECRET, withStorage } from './weir-parts.ts';

const READER = { library: 'library', null: 'null', limit: 'null', 'limit-library': 'library' } as const;
const LEASE_TTL_MS = 3_600_000;
const READ_EVENTS = 256;
const SAMPLES = 1000;
const HOUSEKEEPING_MS = 5000; // as often as the product
const HOUSEKEEPING_STEPS_MAX = 20;
const LOOK_MS = 1;

const [, , count = '', sink = '', partitions = '', folder = ''] = process.argv;
const events = Number(count);
if (!Object.hasOwn(READER, sink)) throw new Error(`unknown sink ${sink}`);
const kind = sink as keyof typeof READER; // hasOwn has just proven it
const reader = READER[kind];
let written = 0; // by the sink that does nothing

await withStorage(folder, async (storage) => {
  await storage.log.register(reader);
  tell({ phase: 'building' });
  await build(storage);
  verify('events in the log', (await storage.log.stats()).size, events);
});
let openMs = 0;
const openedAtMs = realEnv.clock.monotonic();
const costs = await withStorage(folder, async (storage) => {
  await storage.log.stats();
  openMs = realEnv.clock.monotonic() - openedAtMs;
  tell({ phase: 'measuring' });
  return measure(storage);
});
tell({ phase: 'draining' });
const drainMs = kind === 'library' || kind === 'null' ? await drain() : drainBare(kind === 'limit');
tell<DeliveryResult>({ phase: 'done', result: { drainMs, openMs, costs } });
process.disconnect?.();

async function build(storage: SqliteStorage): Promise<void> {
  const batchOf = await batchMaker(storage);
  for (let start = 0; start < events; start += APPEND_EVENTS) {
    const length = Math.min(APPEND_EVENTS, events - start);
    const batch = Array.from({ length }, (_, offset) => sealEvent(SOURCE, routed(start + offset)));
    await storage.log.append(batchOf(batch, start + length));
  }
}

/** With one partition, every key is one that belongs to the first. */
function routed(index: number) {
  const draft = draftOf(index);
  if (partitions !== '1') return draft;
  for (let suffix = 0; ; suffix += 1) {
    const key = `${draft.key}~${suffix}`;
    if (partitionOf(PARTITION_SECRET, SOURCE.tenant, key) === 0) return { ...draft, key };
  }
}

async function measure({ log, leases }: SqliteStorage): Promise<BacklogCosts> {
  let turn = 0;
  const partition = (): number => (partitions === '1' ? 0 : turn++ % PARTITIONS);
  return {
    read: await sample(async () => void (await log.read(reader, partition(), READ_EVENTS))),
    lease: await sample(async () => {
      const fence = await leases.acquire(partitionLeaseName(reader, partition()), 'bench', LEASE_TTL_MS);
      if (fence === undefined || !(await leases.renew(fence, LEASE_TTL_MS))) throw new Error('the lease is taken');
      await leases.release(fence);
    }),
    stats: await sample(async () => void (await log.stats())),
  };
}

async function sample(work: () => Promise<void>): Promise<Latency> {
  const samplesMs: number[] = [];
  for (let index = 0; index < SAMPLES; index += 1) samplesMs.push(await timed(work));
  return latencyOf(samplesMs);
}

function drain(): Promise<number> {
  return withStorage(folder, async (storage) => {
    const { log, leases, store } = storage;
    const target =
      kind === 'library'
        ? builtInTarget(store.library)
        : externalTarget({ sink: nullSink(), type: 'null', from: 'oldest', accepts: () => true });
    const stop = new AbortController();
    const housekeeping = housekeep(storage, stop.signal);
    const ms = await timed(async () => {
      const delivering = deliverAll({ env: realEnv, log, leases, owner: 'bench' }, target, stop.signal);
      while ((await log.stats()).size > 0) await realEnv.clock.sleep(LOOK_MS);
      stop.abort();
      await delivering;
    });
    await housekeeping;
    if (kind === 'library')
      verify('documents in the library', await store.library.count(SOURCE.tenant, SOURCE.connection), events);
    else verify('events written to the sink', written, events);
    return ms;
  });
}

function nullSink(): Sink {
  return {
    name: reader,
    open: () => Promise.resolve(),
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
    write(entries) {
      written += entries.length;
      return Promise.resolve(entries.map(() => ({ outcome: 'written' })));
    },
  };
}

async function housekeep(storage: SqliteStorage, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    for (let step = 0; step < HOUSEKEEPING_STEPS_MAX && (await storage.housekeep()) > 0; step += 1);
    await realEnv.clock.sleep(HOUSEKEEPING_MS, stop);
  }
}

function drainBare(nothing: boolean): number {
  const limit = new LimitLoops(folder);
  const startMs = realEnv.clock.monotonic();
  const settled = nothing ? limit.discard() : limit.deliver();
  const ms = realEnv.clock.monotonic() - startMs;
  limit.close();
  verify('events settled by the bare loop', settled, events);
  return ms;
}
