import {
  appendFile,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventDraft, JsonValue } from '#sdk/index.ts';
import { connectorHarness, type PullOutcome } from '#testing/connector-harness.ts';
import connector from './connector.ts';
import { LOGS_LIMITS } from './limits.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'weir-rotation-'))));
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

/** A reader that keeps its cursor between pulls, as the platform does. */
function reader(paths: readonly string[]): { pull: () => Promise<PullOutcome>; cursor: () => JsonValue | undefined } {
  let cursor: JsonValue | undefined;
  const harness = connectorHarness(connector, {
    metadata: { paths: [...paths], min_severity: 'low' },
    allowedPaths: [folder],
  });
  return {
    cursor: () => cursor,
    async pull() {
      const outcome = await harness.pull('lines', cursor);
      cursor = outcome.cursor;
      return outcome;
    },
  };
}

// JSON lines with one word each: different words are different templates only by chance, so samples are compared, not events.
const line = (word: string): string => `${JSON.stringify({ level: 50, msg: word })}\n`;
const wordsOf = (events: readonly EventDraft[]): string[] =>
  events.flatMap((event) =>
    (event.text ?? '')
      .split('\n')
      .filter(Boolean)
      .map((text) => String((JSON.parse(text) as { msg: string }).msg)),
  );

describe('rotation by renaming', () => {
  it.each([
    ['app.log', 'matched by no path'],
    ['app.log*', 'matched'],
  ])('with %s (the rotated file %s) loses and repeats nothing, also in mid-line', async (pattern) => {
    const tail = reader([pattern]);
    await writeFile(at('app.log'), line('one') + line('two') + line('three').slice(0, 9));
    expect(wordsOf((await tail.pull()).events)).toEqual(['one', 'two']);
    await appendFile(at('app.log'), line('three').slice(9) + line('four'));
    await rename(at('app.log'), at('app.log.1'));
    await writeFile(at('app.log'), line('five') + '{"part');
    const second = await tail.pull();
    expect(wordsOf(second.events)).toEqual(['three', 'four', 'five']);
    expect(second.skipped).toEqual({});
    // A writer that has not reopened its file yet.
    await appendFile(at('app.log.1'), line('late'));
    expect(wordsOf((await tail.pull()).events)).toEqual(['late']);
    expect((await tail.pull()).events).toEqual([]);
  });

  it('forgets a rotated file that no path matches after one run without news', async () => {
    const tail = reader(['app.log']);
    await writeFile(at('app.log'), line('one'));
    await tail.pull();
    await rename(at('app.log'), at('old'));
    await tail.pull();
    expect(tail.cursor()).toMatchObject({ files: [{ path: at('old'), left: true }] });
    await tail.pull();
    expect(tail.cursor()).toMatchObject({ files: [] });
  });

  it('says that lines may be lost when a file vanished before it was read to its end', async () => {
    const tail = reader(['app.log']);
    await writeFile(at('app.log'), line('one'));
    await tail.pull();
    await unlink(at('app.log'));
    expect((await tail.pull()).skipped).toEqual({ vanished: 1 });
  });

  it('does not take a new file with the inode of a gone one for the old one', async () => {
    const tail = reader(['app.log']);
    const keys = new Set<string>();
    for (const round of ['a', 'a', 'a', 'b']) {
      await writeFile(at('new'), line('same beginning') + line(round));
      await rename(at('new'), at('app.log'));
      const { events } = await tail.pull();
      expect(events.length).toBeGreaterThan(0);
      for (const event of events) keys.add(event.key);
      await unlink(at('app.log'));
      await tail.pull();
      await tail.pull();
    }
    expect(keys.size).toBe(8);
  });
});

describe('rotation by copying and truncating', () => {
  it('starts again at 0 and counts the possible loss', async () => {
    const tail = reader(['app.log']);
    await writeFile(at('app.log'), line('one') + line('two'));
    await tail.pull();
    await truncate(at('app.log'));
    await appendFile(at('app.log'), line('three'));
    const outcome = await tail.pull();
    expect(wordsOf(outcome.events)).toEqual(['three']);
    expect(outcome.skipped).toEqual({ truncated: 1, possible_loss: 1 });
    expect((await tail.pull()).pages).toEqual([]);
  });

  it.each(['app.log', 'app.log*'])(
    'with %s finds in the copy what was written before the truncation',
    async (pattern) => {
      const tail = reader([pattern]);
      await writeFile(at('app.log'), line('one'));
      await tail.pull();
      await appendFile(at('app.log'), line('two'));
      await copyFile(at('app.log'), at('app.log.1'));
      await truncate(at('app.log'));
      await appendFile(at('app.log'), line('three'));
      const outcome = await tail.pull();
      expect(wordsOf(outcome.events)).toEqual(['two', 'three']);
      expect(outcome.skipped).toEqual({ truncated: 1 });
    },
  );

  it('notices a file that was truncated and has grown beyond the offset again, even with the same first lines', async () => {
    const tail = reader(['app.log']);
    const banner = line('banner '.repeat(400));
    await writeFile(at('app.log'), banner + line('one'));
    await tail.pull();
    await truncate(at('app.log'));
    await appendFile(at('app.log'), banner + line('two') + line('three') + line('four'));
    const outcome = await tail.pull();
    expect(wordsOf(outcome.events).filter((word) => word.length < 10)).toEqual(['two', 'three', 'four']);
    expect(outcome.skipped).toMatchObject({ truncated: 1 });
  });

  it('notices a replaced file by its first bytes when those before the offset are the same', async () => {
    const tail = reader(['app.log']);
    const end = line('end '.repeat(400));
    await writeFile(at('app.log'), line('first') + end);
    await tail.pull();
    await writeFile(at('app.log'), line('other') + end);
    const outcome = await tail.pull();
    expect(wordsOf(outcome.events)).toContain('other');
    expect(outcome.skipped).toMatchObject({ truncated: 1 });
  });

  it('does not read a copy of a file that is still there, whole or in the making', async () => {
    const tail = reader(['app.log*']);
    await writeFile(at('app.log'), line('long '.repeat(300)) + line('two'));
    await tail.pull();
    await writeFile(at('app.log.1'), (await readFile(at('app.log'))).subarray(0, 20));
    expect((await tail.pull()).events).toEqual([]);
    await copyFile(at('app.log'), at('app.log.1'));
    expect((await tail.pull()).events).toEqual([]);
    await appendFile(at('app.log'), line('three'));
    expect(wordsOf((await tail.pull()).events)).toEqual(['three']);
    await truncate(at('app.log'));
    await appendFile(at('app.log'), line('four'));
    expect(wordsOf((await tail.pull()).events)).toEqual(['four']);
  });

  it('reads a new file that begins like the one that was renamed', async () => {
    const tail = reader(['app.log*']);
    await writeFile(at('app.log'), line('same') + line('more'));
    await tail.pull();
    await rename(at('app.log'), at('app.log.1'));
    await tail.pull();
    await writeFile(at('app.log'), line('same'));
    expect(wordsOf((await tail.pull()).events)).toEqual(['same']);
  });

  it('gives equal lines after a truncation keys of their own', async () => {
    const tail = reader(['app.log']);
    const keys: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      await writeFile(at('app.log'), line('same'));
      keys.push(...(await tail.pull()).events.map((event) => event.key));
      await truncate(at('app.log'));
      await tail.pull();
    }
    expect(new Set(keys).size).toBe(3);
  });
});

describe('more files than are followed', () => {
  it('leaves the surplus out, says so, and never puts a known file out for a new one', async () => {
    const tail = reader(['*.log']);
    const name = (n: number): string => at(`m${String(n).padStart(4, '0')}.log`);
    for (let n = 0; n < LOGS_LIMITS.filesMax + 1; n += 1) await writeFile(name(n), line(`w${n}`));
    const first = await tail.pull();
    expect([first.events.length, first.skipped]).toEqual([LOGS_LIMITS.filesMax, { over_file_limit: 1 }]);
    await writeFile(at('a.log'), line('new'));
    await appendFile(name(LOGS_LIMITS.filesMax - 1), line('known'));
    expect(wordsOf((await tail.pull()).events)).toEqual(['known']);
  });
});

describe('what may be read', () => {
  const harness = (paths: string[], allowed = folder) =>
    connectorHarness(connector, { metadata: { paths, min_severity: 'low' }, allowedPaths: [allowed] });

  it('refuses a link that leads outside and a path outside, and reads the rest', async () => {
    await mkdir(at('in'));
    await writeFile(at('secret.log'), line('secret'));
    await writeFile(at('in/app.log'), line('fine'));
    await symlink(at('secret.log'), at('in/evil.log'));
    const all = await harness(['*.log'], at('in')).pull('lines');
    expect(wordsOf(all.events)).toEqual(['fine']);
    expect(all.skipped).toEqual({ path_not_allowed: 1 });
    for (const path of ['evil.log', '../secret.log', '../*.log', '/etc/nothing/there.log', '/etc/*.conf']) {
      await expect(harness([path], at('in')).pull('lines')).rejects.toMatchObject({ code: 'path_not_allowed' });
      expect(await harness([path], at('in')).ctx.config).toBeDefined();
    }
  });

  it('refuses what is no regular file before opening it, and counts compressed files', async () => {
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [at('pipe.log')]);
    await mkdir(at('dir.log'));
    await writeFile(at('app.log'), line('fine'));
    await writeFile(at('app.log.1.gz'), 'x');
    const outcome = await harness(['*.log*']).pull('lines');
    expect(wordsOf(outcome.events)).toEqual(['fine']);
    expect(outcome.skipped).toEqual({ source_invalid: 1, compressed: 1 });
    await expect(harness(['pipe.log']).pull('lines')).rejects.toMatchObject({ code: 'source_invalid' });
  });

  it('reads a file with two names once, and finds files below directories', async () => {
    await mkdir(at('a/b'), { recursive: true });
    await writeFile(at('a/b/app.log'), line('deep'));
    await link(at('a/b/app.log'), at('a/other.log'));
    expect(wordsOf((await harness(['**/*.log', 'a/?/app.log']).pull('lines')).events)).toEqual(['deep']);
  });

  it('says in check what each path matches and what is wrong with it', async () => {
    await writeFile(at('app.log'), line('fine'));
    await symlink('/etc/passwd', at('evil.log'));
    const check = async (path: string) => connector.check(harness([path]).ctx as never);
    expect(await check('app.log')).toEqual([{ ok: true, message: 'app.log: 1 file can be read' }]);
    expect(await check('none-*.log')).toEqual([{ ok: true, message: 'none-*.log: no file matches yet' }]);
    expect(await check('none.log')).toEqual([{ ok: true, message: 'none.log: no file matches yet' }]);
    expect(await check('/etc/passwd')).toMatchObject([{ ok: false, fault: { code: 'path_not_allowed' } }]);
    expect(await check('*.log')).toMatchObject([{ ok: true }, { ok: false, fault: { code: 'path_not_allowed' } }]);
  });
});
