// One function per line of the report: sets up untimed, measures the work, checks the result.

import { hash } from 'node:crypto';
import type { EventDraft, SealedEvent } from '../../src/core/event.ts';
import { LimitLoops, prepareEntries, type PreparedEntry } from './limit-loops.ts';
import { costOf, inFolder, latencyOf, timed, verify, type Cost, type Latency } from './measure.ts';
import { draftOf, sealedEvents, SOURCE, titleOf } from './synthetic-events.ts';
import {
  APPEND_EVENTS,
  appendSealed,
  deliver,
  endToEnd,
  PAGE_EVENTS,
  PARTITION_SECRET,
  sealAndAppend,
  withStorage,
} from './weir-parts.ts';
import type { SqliteStorage } from '../../src/storage/sqlite/storage.ts';

/** The same documents in every form a measurement starts from, made before any clock runs. */
export interface Inputs {
  readonly drafts: readonly EventDraft[];
  readonly sealed: readonly SealedEvent[];
  readonly entries: readonly PreparedEntry[];
}

export function makeInputs(count: number): Inputs {
  const sealed = sealedEvents(count);
  return {
    drafts: sealed.map((_, index) => draftOf(index)),
    sealed,
    entries: prepareEntries(sealed, PARTITION_SECRET),
  };
}

export const WEIR_PARTS = {
  append: (inputs: Inputs, around: Around = costOf) =>
    weirAppend(inputs, (storage) => around(() => appendSealed(storage, inputs.sealed))),
  'seal-append': (inputs: Inputs, around: Around = costOf) =>
    weirAppend(inputs, (storage) => around(() => sealAndAppend(storage, inputs.drafts))),
  deliver: weirDeliver,
  'end-to-end': weirEndToEnd,
} as const;

export type WeirPart = keyof typeof WEIR_PARTS;

/** Runs the work and answers what it cost; a profiler puts itself here. */
type Around = (work: () => Promise<void>) => Promise<Cost>;

function weirAppend(inputs: Inputs, run: (storage: SqliteStorage) => Promise<Cost>): Promise<Cost> {
  return inFolder((folder) =>
    withStorage(folder, async (storage) => {
      const cost = await run(storage);
      verify('events in the log', await storedEvents(storage), inputs.sealed.length);
      return cost;
    }),
  );
}

function weirDeliver(inputs: Inputs, around: Around = costOf): Promise<Cost> {
  return inFolder(async (folder) => {
    await withStorage(folder, (storage) => appendSealed(storage, inputs.sealed));
    return withStorage(folder, async (storage) => {
      const cost = await around(() => deliver(storage));
      await verifyLibrary(storage, inputs.sealed.length);
      return cost;
    });
  });
}

function weirEndToEnd(inputs: Inputs, around: Around = costOf): Promise<Cost> {
  return inFolder((folder) =>
    withStorage(folder, async (storage) => {
      const cost = await around(() => endToEnd(storage, inputs.drafts));
      await verifyLibrary(storage, inputs.sealed.length);
      return cost;
    }),
  );
}

export const LIMITS = {
  append: (inputs: Inputs) =>
    inFolder((folder) =>
      withLimit(folder, (limit) => checked(limit, inputs, 'log', () => limit.append(inputs.entries, APPEND_EVENTS))),
    ),
  deliver: (inputs: Inputs) =>
    inFolder(async (folder) => {
      await withStorage(folder, (storage) => appendSealed(storage, inputs.sealed));
      return withLimit(folder, (limit) => checked(limit, inputs, 'library', () => limit.deliver()));
    }),
  'end-to-end': (inputs: Inputs) =>
    inFolder((folder) =>
      withLimit(folder, (limit) =>
        checked(limit, inputs, 'library', () => limit.endToEnd(inputs.entries, PAGE_EVENTS)),
      ),
    ),
} as const;

async function withLimit<T>(folder: string, work: (limit: LimitLoops) => Promise<T>): Promise<T> {
  const limit = new LimitLoops(folder);
  try {
    return await work(limit);
  } finally {
    limit.close();
  }
}

async function checked(limit: LimitLoops, inputs: Inputs, reached: 'log' | 'library', work: () => void): Promise<Cost> {
  const cost = await costOf(work);
  verify(
    'rows in the log',
    limit.db.prepare('SELECT count(*) AS count FROM log').get()?.['count'],
    inputs.sealed.length,
  );
  if (reached === 'library') {
    verify(
      'documents',
      limit.db.prepare('SELECT count(*) AS count FROM doc WHERE deleted = 0').get()?.['count'],
      inputs.sealed.length,
    );
    const last = inputs.sealed.length - 1;
    const hit = limit.db.prepare('SELECT rowid FROM doc_text WHERE doc_text MATCH ?').get(`title:"${titleOf(last)}"`);
    verify('the last document is searchable', hit !== undefined, true);
  }
  return cost;
}

async function storedEvents({ log, store }: SqliteStorage): Promise<number> {
  await log.register('bench');
  const { size } = await log.stats();
  verify('events counted with the cursor', (await store.streams.get(SOURCE))?.eventsTotal, size);
  return size;
}

/** Everything is settled, every document is there, and the last one can be found by its words. */
async function verifyLibrary({ log, store }: SqliteStorage, count: number): Promise<void> {
  const { tenant, connection } = SOURCE;
  verify('events left to deliver', (await log.stats()).size, 0);
  verify('documents in the library', await store.library.count(tenant, connection), count);
  const found = await store.library.search({ tenants: [tenant], words: `"${titleOf(count - 1)}"`, limit: 1 });
  verify('key of the last document, searched for', found.results[0]?.key, draftOf(count - 1).key);
}

/** Commit latency of single-event appends: `callers` at once, each waiting for its own commit before the next. */
export function weirLatency(callers: number, events: readonly SealedEvent[]): Promise<Latency> {
  return inFolder((folder) =>
    withStorage(folder, async (storage) => {
      const samplesMs: number[] = [];
      const waiting = events.values();
      const caller = async (): Promise<void> => {
        for (const sealed of waiting)
          samplesMs.push(await timed(async () => void (await storage.log.append({ events: [sealed] }))));
      };
      await Promise.all(Array.from({ length: callers }, caller));
      await storage.log.register('bench');
      verify('events in the log', (await storage.log.stats()).size, events.length);
      return latencyOf(samplesMs);
    }),
  );
}

export function limitLatency(events: readonly SealedEvent[]): Promise<Latency> {
  const entries = prepareEntries(events, PARTITION_SECRET);
  return inFolder((folder) =>
    withLimit(folder, async (limit) => {
      const samplesMs: number[] = [];
      for (const entry of entries) samplesMs.push(await timed(() => limit.append([entry], 1)));
      return latencyOf(samplesMs);
    }),
  );
}

/** Proves that the loops write the rows Weir writes: otherwise the distance between the two would mean nothing. */
export async function verifySameRows(inputs: Inputs): Promise<void> {
  const weir = await inFolder(async (folder) => {
    await withStorage(folder, (storage) => endToEnd(storage, inputs.drafts));
    return withLimit(folder, (limit) => Promise.resolve(rowsOf(limit)));
  });
  const loop = await inFolder((folder) =>
    withLimit(folder, (limit) => {
      limit.endToEnd(inputs.entries, PAGE_EVENTS);
      return Promise.resolve(rowsOf(limit));
    }),
  );
  for (const [table, rows] of Object.entries(weir)) verify(`rows of ${table} in the bare loop`, loop[table], rows);
}

function rowsOf({ db }: LimitLoops): Record<string, string> {
  const contents = {
    log: 'SELECT part, n, tenant, bytes_total, payload FROM log ORDER BY part, n',
    seen: 'SELECT tenant, event_id FROM seen ORDER BY 1, 2',
    entity: 'SELECT * FROM entity ORDER BY key',
    head: 'SELECT * FROM head ORDER BY part',
    position: 'SELECT * FROM position ORDER BY part',
    stream: 'SELECT tenant, connection, stream, cursor, connector_version, reconcile_due, events_total FROM stream',
    doc: 'SELECT tenant, connection, stream, key, version, deleted, title, url, text, time FROM doc ORDER BY key',
    link: 'SELECT doc.key, link.target, link.rel FROM link JOIN doc ON doc.id = link.doc_id ORDER BY 1, 2, 3',
  };
  return Object.fromEntries(
    Object.entries(contents).map(([table, sql]) => [table, hash('sha256', JSON.stringify(db.prepare(sql).all()))]),
  );
}
