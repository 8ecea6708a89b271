import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { openRegistry, openSinkRegistry } from './registry.ts';

const folders: string[] = [];

/** A folder of connectors: directory name to the files in it. */
function folderOf(tree: Readonly<Record<string, Readonly<Record<string, string>>>>): URL {
  const root = mkdtempSync(join(tmpdir(), 'registry-'));
  folders.push(root);
  for (const [name, files] of Object.entries(tree)) {
    mkdirSync(join(root, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), text);
  }
  return pathToFileURL(`${root}/`);
}
const connector = (type: string) => `export default { type: '${type}', streams: {} };\n`;

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('the registry of connectors', () => {
  test('is the folder listing: every directory with an entry file, sorted, and nothing else', () => {
    const folder = folderOf({
      slack: { 'connector.js': connector('slack') },
      git: { 'connector.ts': connector('git') },
      drafts: { 'README.md': 'not one yet' },
      'Not A Name': { 'connector.js': connector('x') },
    });
    writeFileSync(new URL('connector.js', folder), connector('file'));
    expect(openRegistry(folder).types).toEqual(['git', 'slack']);
  });

  test('loads a type once, however many ask at the same time', async () => {
    const registry = openRegistry(folderOf({ slack: { 'connector.js': connector('slack') } }));
    const [one, two] = await Promise.all([registry.load('slack'), registry.load('slack')]);
    expect(one.type).toBe('slack');
    expect(two).toBe(one);
  });

  test.for(['nope', '../engine', '__proto__'])(
    'the unknown type %s is refused, naming those there are',
    async (type) => {
      const registry = openRegistry(folderOf({ git: { 'connector.js': connector('git') } }));
      await expect(registry.load(type)).rejects.toMatchObject({
        code: 'config_invalid',
        message: expect.stringContaining('git') as unknown,
      });
    },
  );

  test('a folder whose code says that it is another type is refused', async () => {
    const registry = openRegistry(folderOf({ git: { 'connector.js': connector('hg') } }));
    await expect(registry.load('git')).rejects.toMatchObject({ code: 'internal' });
  });

  test('a connector without a default export is refused', async () => {
    const registry = openRegistry(folderOf({ git: { 'connector.js': 'export const type = "git";\n' } }));
    await expect(registry.load('git')).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('the registry of sinks', () => {
  test('is a folder listing of its own, by another entry file', async () => {
    const folder = folderOf({
      http: { 'sink.js': `export default { type: 'http' };\n` },
      git: { 'connector.js': connector('git') },
    });
    const registry = openSinkRegistry(folder);
    expect(registry.types).toEqual(['http']);
    expect((await registry.load('http')).type).toBe('http');
    await expect(registry.load('git')).rejects.toMatchObject({
      code: 'config_invalid',
      message: 'there is no sink type git; there are http',
    });
  });

  test('loads what this repository ships', async () => {
    const registry = openSinkRegistry(new URL('../sinks/', import.meta.url));
    expect(registry.types).toContain('http');
    for (const type of registry.types) expect((await registry.load(type)).settings).toBeDefined();
  });
});
