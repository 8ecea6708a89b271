// Bytes of the data that change or vanish while no process looks.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import type { Event } from '#core/event.ts';
import { toFault } from '#core/fault.ts';
import { openSqliteStorage } from '#storage/sqlite/storage.ts';
import { underLoad } from './crash-scenarios.ts';
import { withCopy } from './evidence.ts';
import { eventOf, SENT, TENANT } from './known-event.ts';
import { pause, processEnv } from './process-env.ts';
import { randomBetween, withScene, type Scene } from './scene.ts';
import { NotReady } from './server-process.ts';
import { until } from './weir-process.ts';
import { World } from './world.ts';

const DATA_FILE = 'weir.sqlite';
const LOG_FILE = 'weir.sqlite-wal';
const SECTOR_BYTES = 512;
const REQUESTS_PER_FILL = 60;
const TEXT_BYTES = 300;
const SETTLE_MS_MAX = 3000;
const PAGE_ROWS = 1000;

export interface Damage {
  readonly file: typeof DATA_FILE | typeof LOG_FILE;
  /** One bit is flipped, a sector is zeros, or the file ends here. */
  readonly kind: 'bit' | 'sector' | 'cut';
  readonly at: number;
}

/** What a start on the damaged data led to. */
export interface Verdict {
  readonly damage: Damage;
  /** Exit code, of the start or of the SIGTERM after it. */
  readonly code: number | NodeJS.Signals;
  /** Of what was acknowledged, where the process ran on and its tables can be read: gone. */
  readonly lost: number;
  /** Events that the timeline shows, and documents that the library holds, not as they were sent. */
  readonly altered: number;
  readonly alteredInLibrary: number;
  /** Altered events that reached the external sink, whatever became of the process. */
  readonly alteredOutside: number;
}

export async function damageAnywhere(count: number): Promise<Verdict[]> {
  return damageEach((data) => Array.from({ length: count }, () => anyDamage(data)));
}

/** In the middle of the write-ahead log, and in each place where the data file holds the text of one event. */
export async function damageWhereItHurts(): Promise<Verdict[]> {
  return damageEach((data, { sender }) => {
    const middle = Math.floor(readFileSync(join(data, LOG_FILE)).length / 2);
    const [first] = sender.acknowledged();
    const places =
      first === undefined
        ? []
        : placesOf(readFileSync(join(data, DATA_FILE)), `${first.key}v${first.version} `.repeat(3));
    return [
      { file: LOG_FILE, kind: 'bit', at: middle },
      { file: LOG_FILE, kind: 'cut', at: middle },
      ...places.map((at) => ({ file: DATA_FILE, kind: 'bit', at }) as const),
    ];
  });
}

async function damageEach(choose: (data: string, scene: Scene) => Damage[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  await withScene(
    async (scene) => {
      // Out, so that the log keeps what it has.
      scene.world.refuseWrite = () => true;
      scene.world.refusePing = () => true;
      await fill(scene, 'SIGTERM');
      await fill(scene, 'SIGKILL');
      const waiting = choose(scene.data, scene).entries();
      const next = async (): Promise<void> => {
        for (const [index, damage] of waiting) verdicts.push(await startOn(damage, scene, index));
      };
      await Promise.all([next(), next()]); // most of a start is waiting
    },
    { textBytes: TEXT_BYTES },
  );
  return verdicts;
}

async function fill(scene: Scene, signal: NodeJS.Signals): Promise<void> {
  const server = await scene.start();
  const stored = (): number => scene.sender.answers.get(202) ?? 0;
  const enough = stored() + REQUESTS_PER_FILL;
  await underLoad(scene, server, async () => {
    await until('enough is acknowledged', () => Promise.resolve(stored() >= enough));
    await server.end(signal);
  });
}

async function startOn(damage: Damage, scene: Scene, index: number): Promise<Verdict> {
  const data = join(scene.folder, `damaged-${index}`);
  cpSync(scene.data, data, { recursive: true });
  inflict(data, damage);
  const world = await World.open();
  try {
    const code = await runUntilSettled(scene, data, world);
    const none = { lost: 0, alteredInLibrary: 0 };
    const stored = code === 0 ? withCopy(data, (db) => compare(db, scene)) : none;
    const altered = code === 0 ? (await shown(data)).filter((event) => isAltered(event)).length : 0;
    return { damage, code, ...stored, altered, alteredOutside: world.changed.length };
  } finally {
    world.close();
    rmSync(data, { recursive: true });
  }
}

async function runUntilSettled(scene: Scene, data: string, world: World): Promise<number | NodeJS.Signals> {
  try {
    const server = await scene.start({ data, world: world.url });
    const over = new AbortController();
    void server.ended.then(() => over.abort());
    const timeout = setTimeout(() => over.abort(), SETTLE_MS_MAX);
    while (!over.signal.aborted) {
      if ((await server.state().catch(() => undefined))?.size === 0) break;
      await pause(20, over.signal);
    }
    clearTimeout(timeout);
    return await server.end('SIGTERM');
  } catch (error) {
    if (error instanceof NotReady) return error.code;
    throw error;
  }
}

function compare(db: DatabaseSync, { sender }: Scene): { lost: number; alteredInLibrary: number } {
  const rows = rowsOf(db, 'SELECT event_id FROM timeline');
  const documents = rowsOf(db, 'SELECT key, version, text FROM doc');
  if (rows === undefined || documents === undefined) return { lost: 0, alteredInLibrary: 0 };
  const ids = new Set(rows.map((row) => row['event_id']));
  const docs = new Map(documents.map((row) => [row['key'], row]));
  let lost = 0;
  let alteredInLibrary = 0;
  for (const { key, version } of sender.acknowledged()) {
    const doc = docs.get(key);
    const newest = Number(doc?.['version']);
    if (!ids.has(eventOf(SENT, key, version).event.id) || doc === undefined || newest < version) lost += 1;
    else if (doc['text'] !== eventOf(SENT, key, newest).event.text) alteredInLibrary += 1;
  }
  return { lost, alteredInLibrary };
}

/** The timeline as people see it, up to where it refuses to show more. */
async function shown(data: string): Promise<Event[]> {
  const events: Event[] = [];
  const storage = openSqliteStorage({ data, clock: processEnv().clock });
  try {
    for (let before: string | undefined, more = true; more;) {
      const { timeline } = storage.store;
      const page = await timeline.query({
        tenants: [TENANT],
        limit: PAGE_ROWS,
        ...(before === undefined ? {} : { before }),
      });
      events.push(...page.rows.map(({ event }) => event));
      before = page.next;
      more = before !== undefined;
    }
  } catch (error) {
    expect(toFault(error).code).toBe('storage_broken');
    expect(storage.broken()?.code).toBe('storage_broken');
  } finally {
    storage.close();
  }
  return events;
}

function isAltered(event: Event): boolean {
  return JSON.stringify(event) !== eventOf(SENT, event.key, event.version).payload;
}

/** Undefined: SQLite says that it is damaged. The process ran on because it read nothing there. */
function rowsOf(db: DatabaseSync, sql: string): ReturnType<ReturnType<DatabaseSync['prepare']>['all']> | undefined {
  try {
    return db.prepare(sql).all();
  } catch {
    return undefined;
  }
}

function anyDamage(data: string): Damage {
  const file = Math.random() < 0.5 ? DATA_FILE : LOG_FILE;
  const kind = (['bit', 'bit', 'sector', 'cut'] as const)[randomBetween(0, 3)] ?? 'bit';
  return { file, kind, at: randomBetween(0, readFileSync(join(data, file)).length - 1) };
}

function inflict(data: string, { file, kind, at }: Damage): void {
  const path = join(data, file);
  const bytes = readFileSync(path);
  const sector = at - (at % SECTOR_BYTES);
  if (kind === 'bit') bytes[at] = (bytes[at] ?? 0) ^ 1;
  if (kind === 'sector') bytes.fill(0, sector, sector + SECTOR_BYTES);
  writeFileSync(path, kind === 'cut' ? bytes.subarray(0, at) : bytes);
}

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + TEXT_BYTES)) places.push(at);
  return places;
}
