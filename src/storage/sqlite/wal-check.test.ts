import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '#core/fault.ts';
import { checkWal } from './wal-check.ts';

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
const PARTS = ['', '-wal', '-shm'] as const;

let folder = '';
let live = '';
let copy = '';
let db: DatabaseSync;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-wal-'));
  [live, copy] = [join(folder, 'live.sqlite'), join(folder, 'copy.sqlite')];
  db = new DatabaseSync(live);
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE row (n INTEGER PRIMARY KEY, text TEXT)',
  );
});
afterEach(() => {
  if (db.isOpen) db.close();
  rmSync(folder, { recursive: true });
});

function commit(count: number, chars = 500): void {
  for (let n = 0; n < count; n += 1) db.exec(`INSERT INTO row (text) VALUES (printf('%.*c', ${chars}, 'x'))`);
}

/** What stands on the disk when the process is killed now: the index is memory that belongs to the file. */
function take(parts: readonly string[] = PARTS): void {
  for (const part of PARTS) rmSync(copy + part, { force: true });
  for (const part of parts) if (existsSync(live + part)) copyFileSync(live + part, copy + part);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

function committedFrames(): number {
  return Number(db.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log']);
}

function alarm(): Fault | undefined {
  try {
    checkWal(copy);
    return undefined;
  } catch (error) {
    return error as Fault;
  }
}

/** What SQLite makes of the copy; undefined when it calls it damaged. */
function contentOf(file: string): string | undefined {
  const opened = new DatabaseSync(file);
  try {
    const whole = opened.prepare('PRAGMA integrity_check').get()?.['integrity_check'] === 'ok';
    return whole ? JSON.stringify(opened.prepare('SELECT n, text FROM row').all()) : undefined;
  } catch {
    return undefined;
  } finally {
    opened.close();
  }
}

const commits = fc.array(
  fc.record({ count: fc.integer({ min: 1, max: 9 }), chars: fc.nat(9000), merged: fc.boolean() }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

describe('a write-ahead log that was left behind', () => {
  it('is refused for any byte that changes in what was committed, and never for what did not change', () => {
    fc.assert(
      fc.property(commits, fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean(), (steps, where, cut) => {
        for (const { count, chars, merged } of steps) {
          if (merged) db.exec('PRAGMA wal_checkpoint(PASSIVE)');
          commit(count, chars);
        }
        take();
        expect(alarm()).toBeUndefined();
        const end = HEADER_BYTES + committedFrames() * FRAME_BYTES;
        const at = Math.min(end - 1, Math.floor(where * end));
        if (cut) truncateSync(`${copy}-wal`, Math.max(1, at));
        else flip(`${copy}-wal`, at);
        expect(alarm()?.code).toBe('storage_broken');
      }),
      { numRuns: 80 },
    );
  });

  it('is refused whenever SQLite would make something else of it, also when all of it is in the data file', () => {
    commit(20, 3000);
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    take();
    const intact = contentOf(copy);
    const frames = committedFrames();
    let [changed, passed] = [0, 0];
    for (let frame = -1; frame < frames; frame += 1) {
      take();
      flip(`${copy}-wal`, frame < 0 ? 20 : HEADER_BYTES + frame * FRAME_BYTES + 1000);
      const refused = alarm() !== undefined;
      if (!refused) passed += 1;
      if (contentOf(copy) === intact) continue;
      changed += 1;
      expect(refused).toBe(true);
    }
    expect(changed).toBeGreaterThan(0); // older pages came back
    expect(passed).toBeGreaterThan(0); // its header, for one: then the log is not read, and the data file has everything
  });

  it('is told of by frame and commits, with the step that helps', () => {
    commit(10);
    take();
    const frames = committedFrames();
    flip(`${copy}-wal`, HEADER_BYTES + 4 * FRAME_BYTES + 100);
    expect(alarm()?.message).toContain(`-wal: frame 5 of ${frames} is damaged`);
    expect(alarm()?.message).toMatch(/contents of ([5-9]|10) or more commits/);
    expect(alarm()?.hint).toContain(copy);
  });

  it('may be torn after its last commit', () => {
    commit(5);
    db.exec('PRAGMA cache_size = 5; BEGIN');
    commit(200, 3000); // more than the cache holds: frames of what is never committed
    take();
    const end = HEADER_BYTES + committedFramesOf(copy) * FRAME_BYTES;
    expect(readFileSync(`${copy}-wal`).length).toBeGreaterThan(end + FRAME_BYTES);
    truncateSync(`${copy}-wal`, end + 1234);
    flip(`${copy}-wal`, end + 700);
    expect(alarm()).toBeUndefined();
    db.exec('ROLLBACK');
  });
});

/** Of the copy: asking the live one would wait for its transaction. */
function committedFramesOf(file: string): number {
  return readFileSync(`${file}-shm`).readUInt32LE(16);
}

describe('an index that proves nothing raises no alarm', () => {
  it('none, after a clean close or a lost file', () => {
    commit(5);
    take(['', '-wal']);
    flip(`${copy}-wal`, 500);
    expect(alarm()).toBeUndefined();
    db.close();
    take();
    expect(alarm()).toBeUndefined();
  });

  it('of an earlier moment, whatever the log has become since', () => {
    commit(5);
    const index = readFileSync(`${live}-shm`);
    const later: (() => void)[] = [
      () => commit(5),
      () => db.exec('PRAGMA wal_checkpoint(PASSIVE)'),
      () => commit(3), // begins the log anew
      () => commit(30),
      () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
      () => commit(2),
    ];
    for (const step of later) {
      step();
      take();
      writeFileSync(`${copy}-shm`, index);
      expect(alarm()).toBeUndefined();
    }
  });

  it('of which the two copies or the sum disagree, or which another SQLite wrote', () => {
    commit(5);
    for (let at = 0; at < 96; at += 1) {
      take();
      flip(`${copy}-shm`, at);
      flip(`${copy}-wal`, 500);
      expect(alarm()).toBeUndefined();
    }
  });

  it('beside a data file that was moved away', () => {
    commit(5);
    take(['-wal', '-shm']);
    flip(`${copy}-wal`, 500);
    expect(alarm()).toBeUndefined();
  });
});
