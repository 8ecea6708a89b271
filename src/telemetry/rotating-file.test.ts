import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '#core/fault.ts';
import { openRotatingFile } from './rotating-file.ts';

describe('openRotatingFile', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
    path = join(folder, 'weir.log');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const linesIn = (name: string): string[] => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1);

  it('creates the file for its owner alone and appends to what is there', () => {
    for (const line of ['one\n', 'two\n']) {
      const file = openRotatingFile({ path });
      file.write(line);
      file.close();
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(linesIn('weir.log')).toEqual(['one', 'two']);
  });

  it('keeps the newest lines in at most filesMax files of at most bytesMax, in order and without a gap', () => {
    const file = openRotatingFile({ path, bytesMax: 100, filesMax: 3 });
    for (let at = 100; at < 200; at += 1) file.write(`line ${at}\n`);
    file.close();
    expect(readdirSync(folder).sort()).toEqual(['weir.log', 'weir.log.1', 'weir.log.2']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(100);
    const kept = [...linesIn('weir.log.2'), ...linesIn('weir.log.1'), ...linesIn('weir.log')];
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `line ${200 - kept.length + at}`));
    expect(kept.length).toBeGreaterThan(20);
    expect(file.linesLost).toBe(0);
  });

  it('counts bytes, not characters, and what the file held before it was opened', () => {
    writeFileSync(path, 'x'.repeat(90) + '\n');
    const file = openRotatingFile({ path, bytesMax: 100 });
    file.write('ää€\n');
    file.write('ä\n');
    file.close();
    expect(statSync(path).size + statSync(`${path}.1`).size).toBe(91 + 8 + 3);
    expect(statSync(`${path}.1`).size).toBe(99);
  });

  it('writes a line longer than bytesMax whole, into a file of its own', () => {
    const file = openRotatingFile({ path, bytesMax: 10 });
    file.write('short\n');
    file.write(`${'x'.repeat(50)}\n`);
    file.close();
    expect(linesIn('weir.log')).toEqual(['x'.repeat(50)]);
    expect(linesIn('weir.log.1')).toEqual(['short']);
  });

  it('with one file allowed begins anew instead of growing', () => {
    const file = openRotatingFile({ path, bytesMax: 10, filesMax: 1 });
    for (let at = 0; at < 10; at += 1) file.write(`line ${at}\n`);
    file.close();
    expect(readdirSync(folder)).toEqual(['weir.log']);
    expect(linesIn('weir.log')).toEqual(['line 9']);
  });

  it('refuses with its place in words what cannot be opened', () => {
    expect(() => openRotatingFile({ path: folder })).toThrow(Fault);
    expect(() => openRotatingFile({ path: join(folder, 'no', 'weir.log') })).toThrow(/no\/weir\.log cannot be opened/);
  });

  it('never renames what is no regular file', () => {
    const file = openRotatingFile({ path: '/dev/null', bytesMax: 1 });
    for (let at = 0; at < 5; at += 1) file.write('line\n');
    file.close();
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(file.linesLost).toBe(0);
  });

  it('counts lines it cannot write instead of throwing, and goes on when it can again', () => {
    const file = openRotatingFile({ path, bytesMax: 10, filesMax: 2 });
    file.write('line 1\n');
    mkdirSync(`${path}.1`); // neither removable as a file nor replaceable by one
    file.write('line 2\n');
    expect(file.linesLost).toBe(1);
    rmSync(`${path}.1`, { recursive: true });
    file.write('line 3\n');
    expect([...linesIn('weir.log.1'), ...linesIn('weir.log')]).toEqual(['line 1', 'line 3']);
    file.close();
    file.write('late\n');
    expect(file.linesLost).toBe(2);
  });

  it('counts every line that a full disk refuses', { skip: process.platform !== 'linux' }, () => {
    const full = openRotatingFile({ path: '/dev/full' });
    full.write('lost\n');
    expect(full.linesLost).toBe(1);
    full.close();
  });
});
