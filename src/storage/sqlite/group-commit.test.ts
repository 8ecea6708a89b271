import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openDatabase } from './database.ts';
import { GroupCommit } from './group-commit.ts';

const MIB = 1024 * 1024;

function openWriter(onRollback: () => void = () => {}) {
  const db = new DatabaseSync(':memory:');
  db.exec(`CREATE TABLE parent (n INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE row (n INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (n) DEFERRABLE INITIALLY DEFERRED) STRICT`);
  const insert = db.prepare('INSERT INTO row (n, parent) VALUES (?, ?)');
  const writer = new GroupCommit({ db, clock: new SimulatedClock(), place: 'test', onRollback });
  const put = (n: number, parent: number | null = null): Promise<number> =>
    writer.submit(() => Number(insert.run(n, parent).changes));
  const stored = (): unknown[] =>
    db
      .prepare('SELECT n FROM row ORDER BY n')
      .all()
      .map((row) => row['n']);
  return { db, writer, put, stored };
}

async function codesOf(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => (one.status === 'fulfilled' ? 'stored' : (one.reason as Fault).code));
}

describe('jobs of one turn', () => {
  it('are stored together, and one that throws fails alone', async () => {
    let rollbacks = 0;
    const { put, stored } = openWriter(() => (rollbacks += 1));
    const jobs = [put(1), put(1), put(2)];
    expect(await codesOf(jobs)).toEqual(['stored', 'internal', 'stored']);
    expect(stored()).toEqual([1, 2]);
    expect(rollbacks).toBe(2); // the group's, and that of the bad job alone
  });

  it('fail alone as well when only their COMMIT refuses them', async () => {
    const { put, stored } = openWriter();
    expect(await codesOf([put(1), put(2, 99), put(3)])).toEqual(['stored', 'internal', 'stored']);
    expect(stored()).toEqual([1, 3]);
  });
});

describe('a transaction', () => {
  it('lets nobody in between its first job and its COMMIT', async () => {
    const { db, writer } = openWriter();
    const seen: boolean[] = [];
    const look = (): void => void seen.push(db.isTransaction);
    const jobs = [1, 2, 3].map(() =>
      writer.submit(() => {
        expect(db.isTransaction).toBe(true);
        // Whatever an await inside a transaction would let run: promises that settled, timers and I/O that are due.
        queueMicrotask(look);
        process.nextTick(look);
        setImmediate(look);
      }),
    );
    await Promise.all(jobs);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual(Array.from({ length: 9 }, () => false));
  });
});

describe('after an error of the disk', () => {
  const ioError = new Fault('storage_broken', 'the disk reported an error', { details: { place: 'test' } });
  const fail = (): never => {
    throw ioError;
  };

  it('nothing of the group is stored, nor anything that already waited behind it', async () => {
    const { put, stored, writer } = openWriter();
    const behind: Promise<number>[] = [];
    const failing = writer.submit(fail, 10_000); // so large that the next job waits for another transaction
    behind.push(put(1), put(2));
    expect(await codesOf([failing, ...behind])).toEqual(['storage_broken', 'storage_broken', 'storage_broken']);
    expect(stored()).toEqual([]);
    expect(writer.broken).toBe(ioError);
    expect(await codesOf([put(3)])).toEqual(['storage_broken']);
  });

  it('a rollback that fails too rejects the jobs and breaks the writer, and never hangs it', async () => {
    const { put, writer } = openWriter(fail);
    const bad = writer.submit(() => {
      throw new Error('a defect of this job');
    });
    expect(await codesOf([bad, put(1)])).toEqual(['storage_broken', 'storage_broken']);
    expect(writer.broken?.code).toBe('storage_broken');
    expect(await codesOf([put(2)])).toEqual(['storage_broken']);
  });
});

describe('the write-ahead log', () => {
  let folder = '';
  const opened: DatabaseSync[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-merge-'));
  });
  afterEach(() => {
    for (const db of opened.splice(0)) db.close();
    rmSync(folder, { recursive: true });
  });

  /** `onMerge` stands for the disk. */
  function openOnDisk(onMerge: () => void = () => {}) {
    const file = join(folder, 'file.sqlite');
    const db = openDatabase(file);
    opened.push(db);
    db.exec('CREATE TABLE blob (n INTEGER PRIMARY KEY, bytes BLOB) STRICT; PRAGMA synchronous = OFF');
    const exec = db.exec.bind(db);
    db.exec = (sql) => {
      if (sql.startsWith('PRAGMA wal_checkpoint')) onMerge();
      exec(sql);
    };
    const writer = new GroupCommit({ db, clock: new SimulatedClock(), place: file, onRollback: () => {} });
    const insert = db.prepare('INSERT INTO blob (bytes) VALUES (zeroblob(?))');
    const put = (bytes: number): Promise<unknown> => writer.submit(() => insert.run(bytes));
    return { file, writer, put };
  }

  function sqliteError(errcode: number): Error {
    return Object.assign(new Error('as SQLite throws it'), { errcode });
  }

  it('stays below 24 MiB while 100 MB are written in commits of 16 KB', async () => {
    const { file, put } = openOnDisk();
    let walBytesMax = 0;
    for (let n = 0; n < 6400; n += 1) {
      await put(16_000);
      walBytesMax = Math.max(walBytesMax, statSync(`${file}-wal`).size);
    }
    expect(statSync(file).size).toBeGreaterThan(80 * MIB);
    expect(walBytesMax).toBeLessThan(24 * MIB);
    expect(walBytesMax).toBeGreaterThan(12 * MIB); // and is not merged at each commit
  });

  it.for([10, 266, 11, 26])('breaks the writer when merging it fails with SQLite code %d', async (code) => {
    let merges = 0;
    const { put, writer } = openOnDisk(() => {
      merges += 1;
      throw sqliteError(code);
    });
    await put(17 * MIB); // durable before the merge
    expect(writer.broken?.code).toBe('storage_broken');
    expect(await codesOf([put(1)])).toEqual(['storage_broken']);
    expect(merges).toBe(1);
  });

  it.for([13, 5])('is merged by a later commit after SQLite code %d', async (code) => {
    let merges = 0;
    const { put, writer } = openOnDisk(() => {
      merges += 1;
      if (merges < 3) throw sqliteError(code);
    });
    await put(17 * MIB);
    for (let n = 0; n < 4; n += 1) await put(1);
    expect(writer.broken).toBeUndefined();
    expect(merges).toBe(3);
  });
});
