// The one script behind every npm command: chooses or provisions Node, installs what the lockfile says, builds the dashboard, then hands over.
// Plain JavaScript that Node 20 parses, `node:` imports only. Says what it does on stderr, one line per phase, and nothing when there is nothing to do.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ensureDashboard, ensureInstalled, withLock } from './installation.mjs';
import {
  NODE_FLAGS,
  SetupError,
  cleanEnv,
  createReporter,
  findRuntime,
  provisionRuntime,
  runForeground,
  runQuiet,
  secondsSince,
} from './runtime.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const report = createReporter();

const COMMANDS = {
  start: { help: 'run Weir; flags are passed to `weir start`', run: start, dashboard: true },
  test: { help: 'run the tests; arguments are passed to the test runner', run: test, dashboard: true },
  check: { help: 'format, lint, types, architecture, dead code', run: check, dashboard: false },
  bench: { help: 'run the benchmarks; arguments are passed on', run: bench, dashboard: false },
  mutate: { help: 'run the mutation tests; arguments are the parts to mutate', run: mutate, dashboard: false },
  run: { help: 'run an installed command under the chosen Node: run CMD [args…]', run: runTool, dashboard: false },
};

async function main([name, ...args]) {
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const lines = Object.entries(COMMANDS).map(([key, { help }]) => `  ${key.padEnd(6)} ${help}`);
    throw new SetupError([`usage: node scripts/bootstrap.mjs COMMAND [arguments…]`, ...lines].join('\n'));
  }
  const found = findRuntime(root);
  const runtime =
    found ?? (await withLock(root, report, async () => findRuntime(root) ?? provisionRuntime(root, report)));
  if (!runtime.host && (name === 'start' || found === undefined)) {
    report.line(`Node ${process.versions.node} is too old, using Node ${runtime.version} from .runtime/`);
  }
  await ensureInstalled({ root, folder: root, runtime, report });
  if (command.dashboard) await dashboardFor(name, runtime);
  return command.run({ node: runtime.node, runtime, env: cleanEnv(process.env, runtime.node) }, args);
}

/** A page that does not build must not keep events from flowing; to the tests it is a failure like any other. */
async function dashboardFor(name, runtime) {
  try {
    await ensureDashboard({ root, runtime, report, binOf });
  } catch (error) {
    if (name !== 'start' || !(error instanceof SetupError)) throw error;
    report.line(`${error.message}\nstarting without it`);
  }
}

function start({ node, env }, args) {
  return runForeground(node, [...NODE_FLAGS, join(root, 'bin', 'weir.mjs'), 'start', ...args], { env });
}

function test({ node, env }, args) {
  return runForeground(node, [binOf('vitest'), 'run', ...args], { env, cwd: root });
}

function runTool({ node, env }, [tool, ...args]) {
  if (tool === undefined)
    throw new SetupError('run needs the name of an installed command, for example: run tsc --version');
  return runForeground(node, [binOf(tool), ...args], { env });
}

async function bench({ node, runtime, env }, args) {
  const folder = join(root, 'scripts', 'bench');
  if (!existsSync(join(folder, 'run.ts')))
    throw new SetupError('scripts/bench/run.ts does not exist in this clone: there is no benchmark to run.');
  if (existsSync(join(folder, 'package.json'))) {
    await ensureInstalled({ root, folder, runtime, report, what: 'packages of the benchmarks' });
  }
  return runForeground(node, [join(folder, 'run.ts'), ...args], { env });
}

async function mutate({ node, runtime, env }, args) {
  const folder = join(root, 'scripts', 'mutation');
  await ensureInstalled({ root, folder, runtime, report, what: 'packages of the mutation tests' });
  return runForeground(node, [join(folder, 'run.ts'), ...args], { env });
}

/** As many at once as there are cores, the slow ones first; every one runs to its end, so that one pass shows everything. */
async function check({ node, env }, args) {
  if (args.length > 0) throw new SetupError(`check takes no arguments, got: ${args.join(' ')}`);
  const startedMs = performance.now();
  const waiting = checksOf();
  const failed = [];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { name, tool, toolArgs } = next;
      const stepMs = performance.now();
      const done = await runQuiet(node, [binOf(tool), ...toolArgs], { cwd: root, env: { ...env, NO_COLOR: '1' } });
      report.line(`${done.code === 0 ? 'ok    ' : 'FAILED'}  ${name.padEnd(18)} ${secondsSince(stepMs)}`);
      if (done.code !== 0) failed.push({ name, output: done.output });
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  for (const { name, output } of failed) report.line(`\n──── ${name} ────\n${output.trim()}`);
  const verdict = failed.length === 0 ? 'all checks passed' : `failed: ${failed.map(({ name }) => name).join(', ')}`;
  report.line(`${verdict} (${secondsSince(startedMs)})`);
  return failed.length === 0 ? 0 : 1;
}

function checksOf() {
  return [
    { name: 'lint', tool: 'oxlint', toolArgs: ['--type-aware', '--quiet'] },
    { name: 'format', tool: 'prettier', toolArgs: ['--check', '.'] },
    { name: 'types', tool: 'tsc', toolArgs: ['--noEmit', '-p', 'tsconfig.json'] },
    ...(existsSync(join(root, 'dashboard', 'tsconfig.json'))
      ? [{ name: 'dashboard types', tool: 'tsc', toolArgs: ['--noEmit', '-p', 'dashboard/tsconfig.json'] }]
      : []),
    { name: 'architecture', tool: 'vitest', toolArgs: ['run', 'test/architecture.test.ts'] },
    { name: 'dead code', tool: 'knip', toolArgs: ['--no-progress'] },
  ];
}

/** The script behind `node_modules/.bin/NAME`: a link elsewhere, on Windows a small shell file that names it. */
function binOf(name) {
  const file = join(root, 'node_modules', '.bin', name);
  if (!existsSync(file))
    throw new SetupError(
      `node_modules/.bin/${name} does not exist: no installed package brings a command of that name.`,
    );
  if (process.platform !== 'win32') return realpathSync(file);
  const target = /"\$basedir\/([^"]+)"\s+"\$@"/.exec(readFileSync(file, 'utf8'))?.[1];
  if (target === undefined) throw new SetupError(`node_modules/.bin/${name} does not name its script; run npm ci.`);
  return join(dirname(file), target);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  report.line(error.message);
  process.exitCode = error.exitCode;
}
