#!/usr/bin/env node
// The `weir` command. Node 20 must be able to parse this file: it is what says, or cures, that the host's Node is too old.

import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const EXIT_UNEXPECTED = 3; // Node's own 1 means "unhealthy" and 13 means nothing to the scripts that call `weir`
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const isInstalledPackage = root.split(sep).includes('node_modules');
const isClone = !isInstalledPackage && existsSync(join(root, 'src', 'main.ts'));

/** One line, whatever the error holds: control characters would let an error message write to the terminal. */
function fail(text) {
  const clean = text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  process.stderr.write(`weir: ${clean}\n`);
}

function describeCrash(error) {
  if (!(error instanceof Error)) return `unexpected error: ${String(error)}`;
  if (error.code === 'ERR_MODULE_NOT_FOUND' && /Cannot find package/.test(error.message)) {
    return `a dependency is missing (${error.message.split(' imported from')[0]}): run npm start or npm ci first`;
  }
  const place = placeOf(error);
  return `unexpected ${error.name}: ${error.message}${place === undefined ? '' : ` (at ${place})`}`;
}

/** The innermost frame of our own code, relative to the root. */
function placeOf(error) {
  for (const line of (error.stack ?? '').split('\n')) {
    const [, file, at] = /(?:\(|at |async )((?:file:|\/|[A-Za-z]:).*?):(\d+):\d+\)?$/.exec(line) ?? [];
    const path = file?.replace(pathToFileURL(root).href, root);
    if (path?.startsWith(`${root}${sep}`) && !path.includes('node_modules'))
      return `${path.slice(root.length + 1)}:${at}`;
  }
  return undefined;
}

async function runHere() {
  process.on('uncaughtException', (error) => {
    fail(describeCrash(error));
    process.exit(EXIT_UNEXPECTED);
  });
  let settled = false;
  process.once('beforeExit', () => {
    if (settled) return;
    fail('ended while work was still pending; this is a defect in Weir, nothing acknowledged is lost');
    process.exitCode = EXIT_UNEXPECTED;
  });
  // Without the accessor no parsed document can reach Object.prototype, however the process was started.
  // oxlint-disable-next-line no-proto
  delete Object.prototype.__proto__;
  module.enableCompileCache(compileCacheFolder());
  const entry = isClone ? join(root, 'src', 'main.ts') : join(root, 'dist', 'main.js');
  const { main } = await import(pathToFileURL(entry).href);
  await main(process);
  settled = true;
}

/** Inside the clone when possible, so that removing the clone removes it; `undefined` is Node's own folder. */
function compileCacheFolder() {
  if (!isClone) return undefined;
  try {
    mkdirSync(join(root, '.runtime'), { recursive: true });
    accessSync(join(root, '.runtime'), constants.W_OK);
    return join(root, '.runtime', 'compile-cache');
  } catch {
    return undefined;
  }
}

async function runElsewhere(runtimes) {
  const { NODE_FLAGS, NODE_MIN, cleanEnv, createReporter, findRuntime, provisionRuntime, runForeground } = runtimes;
  let runtime = findRuntime(root);
  if (runtime === undefined) {
    if (!isClone) {
      fail(
        `needs Node ${NODE_MIN} or newer and this is Node ${process.versions.node}: install a newer Node and run the same command again`,
      );
      return EXIT_UNEXPECTED;
    }
    runtime = await provisionRuntime(root, createReporter());
  }
  return runForeground(runtime.node, [...NODE_FLAGS, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    env: cleanEnv(process.env, runtime.node),
  });
}

if (isClone && !existsSync(join(root, 'node_modules'))) {
  fail('the dependencies are not installed: run npm start or npm ci first');
  process.exitCode = EXIT_UNEXPECTED;
} else if (Number.parseInt(process.versions.node, 10) >= 24) {
  // Not awaited: Node answers an unsettled top-level await with code 13 and a warning of its own.
  void runHere();
} else {
  try {
    process.exitCode = await runElsewhere(await import('../scripts/runtime.mjs'));
  } catch (error) {
    fail(describeCrash(error).replace(/^unexpected SetupError: /, ''));
    process.exitCode = EXIT_UNEXPECTED;
  }
}
