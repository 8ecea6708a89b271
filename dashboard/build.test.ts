import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PAGE_BYTES_MAX = 60 * 1000; // gzip, everything the page loads

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-dashboard-'));
  await build({ root: import.meta.dirname, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the build', () => {
  it('holds no inline script, style, event attribute or data: address, which the Content-Security-Policy forbids', async () => {
    const html = await readFile(join(folder, 'index.html'), 'utf8');
    expect(html).not.toMatch(/<style|style=|<script(?![^>]*src=)|\son\w+=|data:/);
  });

  it(`is smaller than ${PAGE_BYTES_MAX} bytes gzip, and every name but the page's carries its hash`, async () => {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    for (const { name } of files) expect(name).toMatch(/^index\.html$|-[\w-]{8}\.(js|css|svg)$/);
    const sizes = files.map(async ({ parentPath, name }) => gzipSync(await readFile(join(parentPath, name))).length);
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(10_000); // an empty folder would be small, too
    expect(total).toBeLessThan(PAGE_BYTES_MAX);
  });
});
