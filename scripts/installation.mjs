// Brings node_modules and the dashboard's build up to date, and does nothing when they are: a stamp holds the hash of what they were made from.
// Plain JavaScript that Node 20 parses, `node:` imports only: it runs before any dependency exists.

import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { SetupError, cleanEnv, currentPlatform, runNpm, runQuiet } from './runtime.mjs';

const LOCK_LIMITS = {
  waitMs: 10 * 60_000, // a slow network's first install; afterwards the file is named instead of waiting for ever
  pollMs: 200,
};
const INSTALL_STAMP = '.weir-install-stamp';
const DASHBOARD_STAMP = '.weir-dashboard-stamp';

/** `npm ci` in `folder` unless its stamp says that this lockfile was installed for this Node, platform and libc. */
export async function ensureInstalled({ root, folder, runtime, report, what = 'packages' }) {
  const stampFile = join(folder, 'node_modules', INSTALL_STAMP);
  const wanted = installStampOf(folder, runtime);
  if (readIfThere(stampFile) === wanted) return;
  await withLock(root, report, async () => {
    if (readIfThere(stampFile) === wanted) return; // another start did it while this one waited
    rmSync(stampFile, { force: true }); // an install that dies half-way must not look finished
    rmSync(join(root, '.runtime', 'compile-cache'), { recursive: true, force: true }); // grows with every change otherwise
    await report.phase(
      `installing ${packageCountOf(folder)} ${what}`,
      () =>
        runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
          cwd: folder,
          env: cleanEnv(process.env, runtime.node),
        }),
      ', once',
    );
    mkdirSync(join(folder, 'node_modules'), { recursive: true }); // no dependency at all: npm makes no folder
    writeFileSync(stampFile, wanted);
  });
}

function installStampOf(folder, runtime) {
  const { platform, arch, libc } = currentPlatform();
  const lockfile = readIfThere(join(folder, 'package-lock.json'));
  if (lockfile === undefined) {
    throw new SetupError(
      `${join(folder, 'package-lock.json')} is missing: restore it from the repository, it pins what is installed.`,
    );
  }
  return hashOf([lockfile, runtime.version.split('.')[0], platform, arch, libc]);
}

/** Packages npm will really put here: the lockfile lists the binaries of every platform. */
function packageCountOf(folder) {
  const { platform, arch, libc } = currentPlatform();
  const fits = (list, value) =>
    list === undefined || list.includes(value) || list.some((item) => item[0] === '!' && item !== `!${value}`);
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  return Object.entries(lock.packages ?? {}).filter(
    ([path, entry]) => path !== '' && fits(entry.os, platform) && fits(entry.cpu, arch) && fits(entry.libc, libc),
  ).length;
}

/** Builds the dashboard when its sources, the tools' versions or the result changed; a clone without a dashboard has nothing to build. */
export async function ensureDashboard({ root, runtime, report, binOf }) {
  const folder = join(root, 'dashboard');
  if (!existsSync(join(folder, 'index.html'))) return;
  const stampFile = join(root, 'node_modules', DASHBOARD_STAMP);
  const wanted = hashOf([readIfThere(join(root, 'package-lock.json')) ?? '', ...sourcesOf(folder)]);
  const isBuilt = () => readIfThere(stampFile) === wanted && existsSync(join(folder, 'dist', 'index.html'));
  if (isBuilt()) return;
  await withLock(root, report, async () => {
    if (isBuilt()) return;
    rmSync(stampFile, { force: true });
    await report.phase('building the dashboard', async () => {
      const done = await runQuiet(runtime.node, [binOf('vite'), 'build', 'dashboard', '--logLevel', 'warn'], {
        cwd: root,
        env: cleanEnv(process.env, runtime.node),
      });
      if (done.code !== 0)
        throw new SetupError(`${done.output.trim()}\nthe dashboard does not build; the lines above say where.`);
    });
    writeFileSync(stampFile, wanted);
  });
}

function sourcesOf(folder) {
  const parts = [];
  const walk = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name === 'node_modules' || (directory === folder && entry.name === 'dist')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) parts.push(relative(folder, path), readFileSync(path));
    }
  };
  walk(folder);
  return parts;
}

/** Lengths are hashed too: otherwise bytes could move from one part to the next unseen. */
function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** One installer at a time per clone. The lock names its owner's process; a dead owner's lock is taken over. */
export async function withLock(root, report, work, limits = LOCK_LIMITS) {
  const file = join(root, '.runtime', 'bootstrap.lock');
  mkdirSync(join(root, '.runtime'), { recursive: true });
  const deadlineMs = performance.now() + limits.waitMs;
  let said = false;
  while (!tryLock(file)) {
    const owner = readIfThere(file);
    if (owner !== undefined && !isAlive(owner)) {
      takeAway(file, owner);
      continue;
    }
    if (performance.now() > deadlineMs) {
      throw new SetupError(
        `process ${owner?.trim()} has been installing for ${Math.round(limits.waitMs / 60_000)} minutes: if that is not so, delete ${file} and run the same command again.`,
      );
    }
    if (!said) report.line(`waiting for process ${owner?.trim()}, which is installing in this folder`);
    said = true;
    await sleep(limits.pollMs);
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.off('exit', release);
  }
}

/** A hard link appears with its content: nobody ever reads a lock without an owner in it. */
function tryLock(file) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${process.pid}\n`);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function isAlive(owner) {
  const pid = Number.parseInt(owner, 10);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // it exists and belongs to somebody else
  }
}

/** Renaming has one winner. A loser may have caught the winner's fresh lock: it is put back unless a newer one stands there. */
function takeAway(file, deadOwner) {
  const caught = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, caught);
  } catch {
    return; // somebody else was faster
  }
  try {
    if (readIfThere(caught) !== deadOwner) linkSync(caught, file);
  } catch {
    // a newer lock stands there already
  } finally {
    rmSync(caught, { force: true });
  }
}
