// The same work through the product: its storage, its puller, its delivery loops.

import { z } from 'zod';
import type { ConnectorContext, Page } from '../../src/core/connector.ts';
import { sealEvent, type EventDraft, type SealedEvent } from '../../src/core/event.ts';
import type { AppendBatch } from '../../src/core/event-log.ts';
import { streamLeaseName } from '../../src/core/names.ts';
import type { BuiltInSink } from '../../src/core/sink.ts';
import { Activities } from '../../src/engine/activity.ts';
import { Backpressure } from '../../src/engine/backpressure.ts';
import type { Connection } from '../../src/engine/connection.ts';
import { builtInTarget, deliverAll } from '../../src/engine/delivery.ts';
import { pullSlice, type PullerOptions } from '../../src/engine/puller.ts';
import { openSqliteStorage, type SqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { verify } from './measure.ts';
import { realEnv } from './real-env.ts';
import { SOURCE } from './synthetic-events.ts';

export const APPEND_EVENTS = 512; // events of one append and so of one transaction
export const PAGE_EVENTS = 500; // events of one page of the synthetic connector
const LEASE_TTL_MS = 3_600_000;
const SLICE_MS = 3_600_000; // a benchmark is one slice
const QUEUE_LIMITS = { eventsMax: 1_000_000_000, bytesMax: 2 ** 50 }; // asked as in the product, but never reached
const LOOK_MS = 1; // how often it is looked whether the sinks have settled everything
const CONNECTOR_VERSION = '1.0.0';
/** Partitions the same in every run and in the bare loops. */
export const PARTITION_SECRET = 'bench';

export async function withStorage<T>(folder: string, work: (storage: SqliteStorage) => Promise<T>): Promise<T> {
  const storage = openSqliteStorage({ data: folder, clock: realEnv.clock, partitionSecret: PARTITION_SECRET });
  try {
    return await work(storage);
  } finally {
    storage.close();
  }
}

/** Takes the stream's lease and answers what turns events and a position into the batch a puller would append. */
export async function batchMaker({
  leases,
}: SqliteStorage): Promise<(events: readonly SealedEvent[], next: number) => AppendBatch> {
  const fence = await leases.acquire(streamLeaseName(SOURCE), 'bench', LEASE_TTL_MS);
  if (fence === undefined) throw new Error('the lease of a new database is taken');
  const { tenant, connection, stream } = SOURCE;
  return (events, next) => ({
    events,
    checkpoint: {
      stream: { tenant, connection, stream },
      connectorVersion: CONNECTOR_VERSION,
      cursor: { next },
      fence,
    },
  });
}

/** One caller, one batch after the other. */
export async function appendSealed(storage: SqliteStorage, events: readonly SealedEvent[]): Promise<void> {
  const batchOf = await batchMaker(storage);
  for (let start = 0; start < events.length; start += APPEND_EVENTS) {
    await storage.log.append(batchOf(events.slice(start, start + APPEND_EVENTS), start + APPEND_EVENTS));
  }
}

/** The same, with checking and sealing each draft on the way. */
export async function sealAndAppend(storage: SqliteStorage, drafts: readonly EventDraft[]): Promise<void> {
  const batchOf = await batchMaker(storage);
  for (let start = 0; start < drafts.length; start += APPEND_EVENTS) {
    const events = drafts.slice(start, start + APPEND_EVENTS).map((draft) => sealEvent(SOURCE, draft));
    await storage.log.append(batchOf(events, start + APPEND_EVENTS));
  }
}

/** The delivery loops of these sinks, going on until `stop`. */
export function startDelivery(
  storage: SqliteStorage,
  sinks: readonly BuiltInSink[],
): { settled(): Promise<void>; stop(): Promise<void> } {
  const stopping = new AbortController();
  const options = { env: realEnv, log: storage.log, leases: storage.leases, owner: 'bench' };
  const delivering = Promise.all(sinks.map((sink) => deliverAll(options, builtInTarget(sink), stopping.signal)));
  return {
    async settled() {
      while ((await storage.log.stats()).size > 0) await realEnv.clock.sleep(LOOK_MS);
    },
    async stop() {
      stopping.abort();
      await delivering;
    },
  };
}

/** From a filled log into the library. */
export async function deliver(storage: SqliteStorage): Promise<void> {
  await storage.log.register(storage.store.library.name);
  const delivery = startDelivery(storage, [storage.store.library]);
  await delivery.settled();
  await delivery.stop();
}

/** Pull → log → delivery → library, until the last document is searchable. */
export async function endToEnd(storage: SqliteStorage, drafts: readonly EventDraft[]): Promise<void> {
  await storage.log.register(storage.store.library.name);
  const delivery = startDelivery(storage, [storage.store.library]);
  await pullAll(storage, drafts.length, (index) => drafts[index]);
  await delivery.settled();
  await delivery.stop();
}

/** One slice of the real puller over a source that gives `count` drafts in pages. */
export async function pullAll(
  storage: SqliteStorage,
  count: number,
  draftAt: (index: number) => EventDraft | undefined,
): Promise<void> {
  const backpressure = new Backpressure(QUEUE_LIMITS);
  const { log, leases, store } = storage;
  const options: PullerOptions = {
    env: realEnv,
    log,
    leases,
    store,
    activities: new Activities(),
    mustPause: async () => backpressure.update(await log.stats()),
    contextOf,
    sliceMs: SLICE_MS,
    redact: (text) => text,
  };
  const run = await pullSlice(options, {
    connection: connectionOf(count, draftAt),
    stream: SOURCE.stream,
    signal: new AbortController().signal,
  });
  verify('outcome of the run', `${run.outcome} ${run.message ?? ''}`.trim(), 'succeeded');
  verify('events appended by the run', run.counts.appended, count);
}

function connectionOf(count: number, draftAt: (index: number) => EventDraft | undefined): Connection {
  const { tenant, connection, stream, connector: type } = SOURCE;
  return {
    tenant,
    connection,
    connector: {
      type,
      version: CONNECTOR_VERSION,
      title: 'Documents made from a seed',
      stability: 'stable',
      config: z.unknown(),
      limits: { callTimeoutMs: 1000, pollIntervalMsDefault: 60_000 },
      check: () => Promise.resolve([]),
      streams: { [stream]: { title: 'Documents', cursor: z.json(), pull: () => pagesOf(count, draftAt) } },
    },
    enabled: true,
    config: {},
    schedule: { kind: 'interval', pollIntervalMs: 60_000 },
    batchSize: PAGE_EVENTS,
    allowedPaths: [],
    guard: {},
  };
}

// oxlint-disable-next-line typescript/require-await -- a stream is asynchronous by contract; this one has nothing to wait for
async function* pagesOf(
  count: number,
  draftAt: (index: number) => EventDraft | undefined,
): AsyncGenerator<Page<{ next: number }>, void, undefined> {
  for (let start = 0; start < count; start += PAGE_EVENTS) {
    const events: EventDraft[] = [];
    for (let index = start; index < Math.min(start + PAGE_EVENTS, count); index += 1) {
      const draft = draftAt(index);
      if (draft !== undefined) events.push(draft);
    }
    yield { events, cursor: { next: start + events.length } };
  }
}

/** The connectors of the benchmark call nothing. */
function never(): Promise<never> {
  return Promise.reject(new Error('no http in a benchmark'));
}

function contextOf(
  { tenant, connection, config, batchSize, allowedPaths }: Connection,
  _runId: string,
  signal: AbortSignal,
): ConnectorContext {
  const { clock, random } = realEnv;
  return {
    ...{ tenant, connection, config, batchSize, allowedPaths, clock, random, signal },
    log: () => undefined,
    gauge: () => undefined,
    call: (_operation, fn) => fn(signal),
    http: { baseUrl: undefined, request: () => never(), stream: () => never() },
  };
}
