// What is peculiar to dead letters in SQLite: files of the release before, and the memory of streams with raw letters.

import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { streamLeaseName } from '#core/names.ts';
import { partitionOf } from '#core/partition.ts';
import { sample, SAMPLE_STREAM } from '#testing/event-samples.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openDatabase } from './database.ts';
import { DATA_FILE, openSqliteStorage, type SqliteStorage } from './storage.ts';

const SECRET = 'the secret of this file';
const FIRST_STEP = new URL('./migrations/0001-initial.sql', import.meta.url);

let root = '';
let storage: SqliteStorage | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-letters-'));
});

afterEach(() => {
  storage?.close();
  storage = undefined;
  rmSync(root, { recursive: true });
});

function open(): SqliteStorage {
  storage = openSqliteStorage({ data: root, clock: new SimulatedClock() });
  return storage;
}

interface OldLetter {
  readonly stage: string;
  readonly key: string;
  readonly eventId?: string;
  readonly payload?: string;
}

/** A data file as the first release left it. */
function writeOldFile(letters: readonly OldLetter[]): void {
  const db = openDatabase(join(root, DATA_FILE));
  const sql = readFileSync(FIRST_STEP, 'utf8');
  db.exec(sql);
  db.prepare('INSERT INTO migration (number, name, checksum) VALUES (1, ?, ?)').run(
    'initial',
    hash('sha256', sql, 'hex'),
  );
  db.prepare("INSERT INTO setting (name, value) VALUES ('partition_secret', ?)").run(SECRET);
  const insert = db.prepare(`
    INSERT INTO dead_letter (tenant, connection, stage, stream, key, event_id, code, message, payload, attempts, first_at_ms, last_at_ms)
    VALUES ('a', 'wiki', ?, 'pages', ?, ?, 'record_invalid', 'no title', ?, 3, 1000, 2000)`);
  for (const { stage, key, eventId = '', payload = null } of letters) insert.run(stage, key, eventId, payload);
  db.close();
}

describe('dead letters of the release before', () => {
  const event = sample({ key: 'k', version: 7 });
  const cutPayload = `"${'x'.repeat(256 * 1024 - 1)}`;

  it('survive with their reason, count and content, and show their last try', async () => {
    writeOldFile([
      { stage: 'sink', key: 'k', eventId: event.event.id, payload: event.payload },
      { stage: 'pull', key: 'raw', payload: '{"a":1}' },
      { stage: 'pull', key: 'cut', payload: cutPayload },
      { stage: 'pull', key: 'none' },
    ]);
    const { deadLetters } = open().store;
    const listed = await deadLetters.list({ tenants: ['a'] }, 10);
    const found = await Promise.all(listed.toReversed().map(({ id }) => deadLetters.get(['a'], id)));
    const same = {
      ...{
        ...SAMPLE_STREAM,
        code: 'record_invalid',
        message: 'no title',
        attempts: 3,
        firstAtMs: 1000,
        lastAtMs: 2000,
      },
      ...{ state: 'dead', edited: false, editedPayload: undefined },
      history: [{ atMs: 2000, code: 'record_invalid', message: 'no title' }],
    };
    const raw = { ...same, stage: 'pull', eventId: undefined, version: undefined };
    const whole = { payload: event.payload, payloadBytes: event.payload.length, payloadCut: false };
    expect(found).toEqual([
      { ...same, id: 1, stage: 'sink', key: 'k', eventId: event.event.id, version: 7, ...whole },
      { ...raw, id: 2, key: 'raw', payload: '{"a":1}', payloadBytes: 7, payloadCut: false },
      { ...raw, id: 3, key: 'cut', payload: cutPayload, payloadBytes: cutPayload.length, payloadCut: true },
      { ...raw, id: 4, key: 'none', payload: undefined, payloadBytes: 0, payloadCut: false },
    ]);
  });

  it('are replayed in the partition of their key', async () => {
    writeOldFile([{ stage: 'sink', key: 'k', eventId: event.event.id, payload: event.payload }]);
    const { deadLetters } = open().store;
    expect(await deadLetters.queue({ tenants: ['a'] })).toBe(1);
    const queued = await deadLetters.queued('sink', partitionOf(SECRET, 'a', 'k'), 10);
    expect(queued).toEqual([{ id: 1, entry: { position: 0, observedAtMs: 1000, event: event.event } }]);
  });

  it('go when their record comes through', async () => {
    writeOldFile([{ stage: 'pull', key: 'k', payload: '{"a":1}' }]);
    const { log, store } = open();
    await log.append({ events: [event] });
    expect(await store.deadLetters.list({ tenants: ['a'] }, 10)).toEqual([]);
  });
});

describe('raw letters', () => {
  it('are still resolved after an append that had resolved the last of its stream was undone', async () => {
    const { log, leases, store } = open();
    const fence = await leases.acquire(streamLeaseName(SAMPLE_STREAM), 'puller', 60_000);
    if (fence === undefined) throw new Error('nobody else pulls');
    const checkpoint = { stream: SAMPLE_STREAM, connectorVersion: '1.0.0', cursor: 1, fence };
    await log.append({ events: [], failures: [{ key: 'k', code: 'record_invalid', message: 'm' }], checkpoint });
    const lost = { ...checkpoint, fence: { ...fence, token: fence.token + 1 } };
    // Both wait for one commit: the second refuses, so the first is undone and done again.
    const first = log.append({ events: [sample({ key: 'k' })] });
    const second = log.append({ events: [], checkpoint: lost });
    await expect(second).rejects.toMatchObject({ code: 'fenced' });
    expect(await first).toEqual({ accepted: 1, duplicates: 0 });
    expect(await store.deadLetters.list({ tenants: ['a'] }, 10)).toEqual([]);
  });
});
