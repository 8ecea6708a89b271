// Disks that lose, fail, fill and rot. Each function is one scenario, done `count` times.

import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { expectAllThereOnce, underLoad } from './crash-scenarios.ts';
import { expectAcknowledgedStored, expectNotReady, lostIn, withCopy } from './evidence.ts';
import { inScenes, randomBetween, withScene, type Scene } from './scene.ts';
import { NotReady, type ServerProcess } from './server-process.ts';
import { shimEnv } from './shim.ts';
import { until } from './weir-process.ts';

const POWER_CUT = 77;
const CHANGES_MIN = 20;
const CHANGES_MAX = 15_000; // a log of 4000 pages is merged into the data file at about 9,000
const PULLING = { connections: 2, pollMs: 50 } as const;
const BIG = { textBytes: 6000 } as const;

/** What is not synced is lost, in part and torn: nothing acknowledged may be among it. */
export async function cutThePower(library: string, count: number): Promise<void> {
  const use = async (scene: Scene): Promise<void> => {
    await cutOnce(scene, library, false);
    expectAcknowledgedStored(scene.data, scene.sender);
    await expectAllThereOnce(scene, await scene.start(PULLING));
  };
  await inScenes(count, use, { ...BIG, roundsMax: 1 });
}

/** The control: the same with commits that are not synced. Returns how many acknowledged events were lost. */
export async function cutThePowerUnsynced(library: string): Promise<number> {
  let lost = 0;
  await withScene(async (scene) => {
    await cutOnce(scene, library, true);
    lost = withCopy(scene.data, (db) => lostIn(db, scene.sender)).length;
  }, BIG);
  return lost;
}

async function cutOnce(scene: Scene, library: string, unsynced: boolean): Promise<void> {
  const { data, world } = scene;
  world.numbersMax = 100;
  const seed = randomBetween(1, 1e9);
  // As often early as late: half of the runs end below the geometric mean.
  const cutAfter = Math.round(CHANGES_MIN * (CHANGES_MAX / CHANGES_MIN) ** (unsynced ? 0.8 : Math.random()));
  const env = shimEnv(library, { data, seed, cutAfter });
  try {
    const server = await scene.start({ ...PULLING, unsynced }, { env });
    await underLoad(scene, server, async () => expect(await server.ended).toBe(POWER_CUT));
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    expect(error.code).toBe(POWER_CUT);
  }
}

// Up to behind the third merge of the log, which comes at about every hundredth sync of it. Each merge syncs both files.
const SYNCS = { 'weir.sqlite-wal': { min: 10, max: 300 }, 'weir.sqlite': { min: 1, max: 6 } } as const;
const BROKEN = 3;

/**
 * The disk fails one sync, of the log and of the data file in turn, and claims from then on that all is well: whoever goes on
 * acknowledges what is lost.
 */
export async function failASync(library: string, count: number): Promise<void> {
  let turn = 0;
  const use = async (scene: Scene): Promise<void> => {
    const { data, world } = scene;
    world.numbersMax = 100;
    const syncFailsOf = turn++ % 2 === 0 ? 'weir.sqlite' : 'weir.sqlite-wal';
    const syncFailsAt = randomBetween(SYNCS[syncFailsOf].min, SYNCS[syncFailsOf].max);
    const env = shimEnv(library, { data, seed: randomBetween(1, 1e9), syncFailsAt, syncFailsOf });
    try {
      const server = await scene.start(PULLING, { env });
      await underLoad(scene, server, async () => expect(await server.ended).toBe(BROKEN));
    } catch (error) {
      expectNotReady(error, 'storage_broken');
    }
    expectAcknowledgedStored(data, scene.sender);
    await expectAllThereOnce(scene, await scene.start(PULLING));
  };
  await inScenes(count, use, { ...BIG, roundsMax: 1 });
}

const DISK_MIB = 96;
const LEFT_BYTES = 512 * 1024;
const REFUSALS_PER_FILL = 15;
const FILLS_PER_DISK_MAX = 10;

export const NO_MOUNT = 'a small file system cannot be mounted here: that needs the rights of root';

/** The disk is full, then it has room again, and so on; the process stays the same. False: skipped, see `NO_MOUNT`. */
export async function fillTheDisk(count: number): Promise<boolean> {
  let mounted = true;
  const use = async (scene: Scene, fills: number): Promise<void> => {
    mounted &&= mountSmall(scene.data);
    if (!mounted) return;
    try {
      await fillAgainAndAgain(scene, fills);
    } finally {
      execFileSync('umount', ['-l', scene.data]);
    }
  };
  await inScenes(count, use, { ...BIG, roundsMax: FILLS_PER_DISK_MAX });
  return mounted;
}

async function fillAgainAndAgain(scene: Scene, fills: number): Promise<void> {
  const server = await scene.start(PULLING);
  for (let fill = 0; fill < fills; fill += 1) {
    scene.world.numbersMax += 50;
    await fillOnce(scene, server);
    await scene.settle(server);
  }
  expect([...scene.sender.answers.keys()].toSorted()).toEqual([202, 503]);
  await expectAllThereOnce(scene, server);
}

async function fillOnce(scene: Scene, server: ServerProcess): Promise<void> {
  const { data, sender } = scene;
  const filler = join(data, 'filler');
  const { bavail, bsize } = statfsSync(data);
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)));
  const refusals = (): number => sender.answers.get(503) ?? 0;
  const enough = refusals() + REFUSALS_PER_FILL;
  await underLoad(scene, server, () => until('the disk is full', () => Promise.resolve(refusals() >= enough)));
  expectAcknowledgedStored(data, sender);
  rmSync(filler);
}

function mountSmall(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
