import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runWeir, sendRaw, type RunningWeir } from './fixtures/running-weir.ts';

let root: string;
let weir: RunningWeir;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'weir-dashboard-'));
  writeFileSync(join(root, 'secret.txt'), 'TOP SECRET');
  const dist = join(root, 'dist');
  mkdirSync(join(dist, 'assets'), { recursive: true });
  writeFileSync(join(dist, 'index.html'), '<!doctype html><title>Weir</title>');
  writeFileSync(join(dist, 'assets/index-BX12_-ab.js'), 'export {}');
  writeFileSync(join(dist, 'assets/index-BX12_-ab.css'), 'a{}');
  writeFileSync(join(dist, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  symlinkSync(join(root, 'secret.txt'), join(dist, 'link.txt'));
  weir = await runWeir({ change: { dashboardFolder: pathToFileURL(`${dist}/`) } });
});
afterAll(async () => {
  await weir.close();
  rmSync(root, { recursive: true, force: true });
});

describe('dashboard files', () => {
  test.for([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/index.html', 'text/html; charset=utf-8', 'no-cache'],
    ['/favicon.svg', 'image/svg+xml', 'no-cache'],
    ['/assets/index-BX12_-ab.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    ['/assets/index-BX12_-ab.css', 'text/css; charset=utf-8', 'public, max-age=31536000, immutable'],
  ])('%s comes with its type and how long it may be kept', async ([path = '', type, cache]) => {
    const answer = await weir.ask(path);
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': type, 'cache-control': cache, 'x-content-type-options': 'nosniff' },
    });
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  });

  test('a file the browser has is not sent again', async () => {
    const { headers } = await weir.ask('/');
    expect(await weir.ask('/', { headers: { 'if-none-match': `"old", W/${headers.etag}` } })).toMatchObject({
      status: 304,
      text: '',
    });
    expect(await weir.ask('/', { headers: { 'if-none-match': '"old"' } })).toMatchObject({ status: 200 });
  });

  test.for([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/../../secret.txt',
    '/assets/....//secret.txt',
    '/..\\secret.txt',
    '/..%5csecret.txt',
    '//secret.txt',
    '/link.txt',
    '/%00secret.txt',
    '/index.html%00.js',
    '/..%c0%afsecret.txt',
    '/assets/',
    '/assets',
    '/INDEX.HTML',
    '/etc/passwd',
    '/file:///etc/passwd',
  ])('%s leads nowhere', async (path) => {
    const host = `127.0.0.1:${weir.running.port}`;
    const answer = await weir.settle(
      sendRaw(weir.running, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (?:404|400) /);
    expect(answer).not.toContain('TOP SECRET');
  });
});

test('without a build the page says so and what to do', async () => {
  const bare = await runWeir();
  const { status, text, headers } = await bare.ask('/');
  expect(status).toBe(404);
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(text).toContain('npm start');
  await bare.close();
});
