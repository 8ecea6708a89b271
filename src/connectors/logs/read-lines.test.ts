import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOGS_LIMITS } from './limits.ts';
import { type RawLine, readLines } from './read-lines.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'weir-lines-'))));
afterEach(() => rm(folder, { recursive: true }));

async function linesOf(
  content: string | Buffer,
  cut = false,
): Promise<{ lines: RawLine[]; offset: number; cut: boolean }> {
  const path = join(folder, 'a.log');
  await writeFile(path, content);
  const handle = await open(path);
  const lines: RawLine[] = [];
  try {
    const { size } = await handle.stat();
    const end = await readLines(handle, { from: 0, to: size, cut }, (line) => lines.push(line) > 0);
    return { lines, ...end };
  } finally {
    await handle.close();
  }
}

describe('readLines', () => {
  it('never passes the last LF, and takes CR, byte order mark and leading NULs away', async () => {
    const { lines, offset } = await linesOf('\ufeffone\r\n\0\0two\n\nthree\0x\npart');
    expect(lines.map((line) => line.text)).toEqual(['one', 'two', '', 'three\0x']);
    expect(offset).toBe(Buffer.byteLength('\ufeffone\r\n\0\0two\n\nthree\0x\n'));
  });

  it('replaces bytes that are no UTF-8 and goes on', async () => {
    const { lines } = await linesOf(Buffer.from([0x61, 0xff, 0xc3, 0x28, 0x0a, 0x62, 0x0a]));
    expect(lines.map((line) => line.text)).toEqual(['a\ufffd\ufffd(', 'b']);
  });

  it('cuts a line of 10 MiB at its limit and finds the next one', async () => {
    const { lines, offset } = await linesOf(`${'x'.repeat(10 * 1024 * 1024)}\nnext\n`);
    expect(lines.map((line) => [line.text.length, line.truncated])).toEqual([
      [LOGS_LIMITS.lineBytesMax, true],
      [4, false],
    ]);
    expect(offset).toBe(10 * 1024 * 1024 + 6);
  });

  it('passes the end of a line whose beginning is too long, and remembers that it is inside', async () => {
    const long = await linesOf('y'.repeat(3 * 1024 * 1024));
    expect([long.offset, long.cut, long.lines.length]).toEqual([3 * 1024 * 1024, true, 1]);
    const rest = await linesOf('rest of it\nwhole\n', true);
    expect(rest.lines.map((line) => line.text)).toEqual(['whole']);
  });

  it('keeps a line of exactly the limit whole', async () => {
    const { lines } = await linesOf(`${'z'.repeat(LOGS_LIMITS.lineBytesMax)}\n`);
    expect(lines.map((line) => [line.text.length, line.truncated])).toEqual([[LOGS_LIMITS.lineBytesMax, false]]);
  });
});
