import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { GIT_ONLY, temporaryRepository } from './process/temporary-repository.ts';
import { startWeir, until, weir, weirJson } from './process/weir-process.ts';

const MIB = 1024 ** 2;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

// Marks of one byte: how much the disk of whoever runs the tests has left does not matter.
function folderOf(ballastBytes: number): { readonly folder: string; readonly file: string } {
  const disk = `disk: { pause_below_bytes: 1, refuse_below_bytes: 1, ballast_bytes: ${ballastBytes} }\n`;
  const repository = temporaryRepository(`${GIT_ONLY}${disk}`);
  undo.push(() => repository.remove());
  return { folder: repository.folder, file: join(repository.folder, '.weir/ballast') };
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

it('a start holds the ballast back, really allocated and for its own user alone, and says so', async () => {
  const { folder, file } = folderOf(8 * MIB);
  const running = await startWeir(folder);
  await until('the ballast is there', () => Promise.resolve(sizeOf(file) === 8 * MIB));
  const { mode, blocks } = statSync(file);
  expect(mode & 0o777).toBe(0o600);
  expect(blocks * 512).toBeGreaterThanOrEqual(8 * MIB);
  expect(await weirJson(folder, ['queue', 'stats'])).toMatchObject({
    intake: 'open',
    disk: { state: 'ok', ballast_bytes: 8 * MIB },
  });
  expect(await running.end('SIGTERM')).toBe(0);
  expect(sizeOf(file)).toBe(8 * MIB);
});

it('a start goes on with a ballast that was cut off, and leaves what is there as it is', async () => {
  const { folder, file } = folderOf(3 * MIB);
  mkdirSync(join(folder, '.weir'), { mode: 0o700 });
  writeFileSync(file, 'the first part', { mode: 0o600 });
  const running = await startWeir(folder);
  await until('the ballast is whole', () => Promise.resolve(sizeOf(file) === 3 * MIB));
  expect(readFileSync(file).subarray(0, 14).toString()).toBe('the first part');
  expect(await running.end('SIGTERM')).toBe(0);
});

it('a start without one gives back what an earlier setting held', async () => {
  const { folder, file } = folderOf(0);
  mkdirSync(join(folder, '.weir'), { mode: 0o700 });
  writeFileSync(file, Buffer.alloc(MIB), { mode: 0o600 });
  const running = await startWeir(folder);
  await until('the ballast is gone', () => Promise.resolve(!existsSync(file)));
  expect(await running.end('SIGTERM')).toBe(0);
});

it('one-shot commands write no ballast', async () => {
  const { folder, file } = folderOf(8 * MIB);
  expect((await weir(folder, ['run', 'git'])).code).toBe(0);
  expect(await weirJson(folder, ['queue', 'stats'])).toMatchObject({ disk: { state: 'ok', ballast_bytes: 0 } });
  expect(existsSync(file)).toBe(false);
});
