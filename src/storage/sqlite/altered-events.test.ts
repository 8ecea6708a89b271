// Bytes of stored events that change while nobody looks: the id is a sum over the content, so whoever reads one can tell.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sealEvent } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName } from '#core/names.ts';
import { partitionOf } from '#core/partition.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { DATA_FILE, openSqliteStorage, type SqliteStorage } from './storage.ts';

const SOURCE = { tenant: 'a', connection: 'wiki', connector: 'sample', stream: 'docs' };
const DRAFT = {
  kind: 'document',
  op: 'upsert',
  key: 'k',
  version: 1,
  time: '2026-01-01T00:00:00.000Z',
  text: 'as it was sent',
  data: null,
} as const;
const SEALED = sealEvent(SOURCE, DRAFT);
const PART = partitionOf('secret', 'a', 'k');

let clock: SimulatedClock;
let db: DatabaseSync;
let storage: SqliteStorage;

beforeEach(async () => {
  clock = new SimulatedClock();
  const onConnection = (one: DatabaseSync): void => void (db = one);
  storage = openSqliteStorage({ data: ':memory:', clock, partitionSecret: 'secret', onConnection });
  await settle(storage.log.register('timeline'));
  await settle(storage.log.append({ events: [SEALED] }));
});
afterEach(() => storage.close());

async function settle<T>(work: Promise<T>): Promise<T> {
  await clock.turn();
  return work;
}

/** `changed` is as long as what it replaces: one byte on the disk is another one. */
function alter(table: 'log' | 'timeline' | 'dead_letter_payload', changed = 'as it was lent'): void {
  expect(changed.length).toBe('as it was sent'.length);
  db.exec(`UPDATE ${table} SET payload = replace(payload, 'as it was sent', '${changed}')`);
}

async function first(): Promise<{ entry: LogEntry; fence: Fence }> {
  const [entry] = await storage.log.read('timeline', PART, 1);
  const fence = await storage.leases.acquire(partitionLeaseName('timeline', PART), 'me', 60_000);
  if (entry === undefined || fence === undefined) throw new Error('nothing to deliver');
  return { entry, fence };
}

async function refused(work: () => Promise<unknown>): Promise<string> {
  const fault = await work().then(
    () => undefined,
    (error: unknown) => error as Fault,
  );
  expect(fault?.code).toBe('storage_broken');
  expect(storage.broken()).toBe(fault); // the service ends
  expect(fault?.hint).toContain(':memory:');
  await expect(storage.log.append({ events: [] })).rejects.toBe(fault);
  return fault?.message ?? '';
}

describe('an event that was altered after it was stored', () => {
  it.for(['as it was lent', 'as it was"sent', 'as it was\\sent', 'as it was \ufffdent'])(
    'is not delivered from the log: %s',
    async (changed) => {
      alter('log', changed);
      expect(await refused(() => storage.log.read('timeline', PART, 10))).toContain(
        `event log, partition ${PART}, position 1`,
      );
    },
  );

  it('is not shown as waiting', async () => {
    alter('log');
    expect(await refused(() => storage.log.peek(['a'], 10))).toContain('position 1');
  });

  it('is not shown in the timeline', async () => {
    const { entry, fence } = await first();
    await settle(storage.store.timeline.apply(PART, [entry], fence));
    expect((await storage.store.timeline.query({ tenants: ['a'], limit: 9 })).rows).toHaveLength(1);
    alter('timeline');
    expect(await refused(() => storage.store.timeline.query({ tenants: ['a'], limit: 9 }))).toContain(
      'timeline, row 1',
    );
  });

  it('becomes no dead letter', async () => {
    const { entry, fence } = await first();
    alter('log');
    const letter = { entry, code: 'sink_rejected', message: 'no', attempts: 1 } as const;
    const commit = refused(() => storage.log.commit('timeline', PART, 1, fence, [letter]));
    await clock.turn();
    expect(await commit).toContain('position 1');
  });
});

describe('the write-ahead log', () => {
  it.for([true, false])('is left as it is by closing exactly when the storage is broken: %s', async (isBroken) => {
    const data = mkdtempSync(join(tmpdir(), 'weir-broken-'));
    storage.close();
    storage = openSqliteStorage({ data, clock, partitionSecret: 'secret', onConnection: (one) => void (db = one) });
    try {
      await settle(storage.log.register('timeline'));
      await settle(storage.log.append({ events: [SEALED] }));
      if (isBroken) alter('log');
      await storage.log.read('timeline', PART, 1).catch(() => {});
      storage.close();
      expect(existsSync(join(data, `${DATA_FILE}-wal`))).toBe(isBroken);
    } finally {
      rmSync(data, { recursive: true });
      storage = openSqliteStorage({ data: ':memory:', clock });
    }
  });
});

describe('a dead letter', () => {
  beforeEach(async () => {
    const { entry, fence } = await first();
    const letter = { entry, code: 'sink_rejected', message: 'no', attempts: 1 } as const;
    await settle(storage.log.commit('timeline', PART, 1, fence, [letter]));
  });

  it('that was altered after it was stored is not replayed', async () => {
    await settle(storage.store.deadLetters.queue({ tenants: ['a'] }));
    alter('dead_letter_payload');
    expect(await refused(() => storage.store.deadLetters.queued('timeline', PART, 9))).toContain('dead letter 1');
  });

  it('that was edited is replayed under its id, and shown in the timeline', async () => {
    const { tenant, connection, stream, connector, id } = SEALED.event;
    const edited = { id, tenant, connection, connector, stream, ...DRAFT, text: 'as somebody wants it' };
    await settle(storage.store.deadLetters.edit(['a'], 1, edited));
    await settle(storage.store.deadLetters.queue({ tenants: ['a'] }));
    const [queued] = await storage.store.deadLetters.queued('timeline', PART, 9);
    expect(queued?.entry.event).toEqual(edited);
    if (queued !== undefined) await settle(storage.store.timeline.reapply?.([queued.entry]) ?? Promise.resolve());
    const { rows } = await storage.store.timeline.query({ tenants: ['a'], limit: 9 });
    expect(rows.map(({ event }) => event)).toEqual([edited]);
  });
});
