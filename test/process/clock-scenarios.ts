// Clocks that are stepped under a process's feet, with libfaketime.

import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { expectAllThereOnce, underLoad } from './crash-scenarios.ts';
import { pause } from './process-env.ts';
import { withScene, type Scene } from './scene.ts';
import { until } from './weir-process.ts';
import type { World } from './world.ts';

export const NO_FAKETIME = 'clocks cannot be stepped here: that needs libfaketime (Debian package faketime)';

export function faketimeLibrary(): string | undefined {
  return globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
}

/** Seconds the clock is off, one after the other. */
const STEPS: readonly (readonly number[])[] = [
  [3600, 0, 3600],
  [-3600, 0, -3600],
  [31_536_000, 0, 31_536_000],
  [-31_536_000, 0, -31_536_000],
  [11, -11, 11, -11, 11, -11],
];
// The monotonic clock never goes back; forward it goes when a machine was suspended.
const LEAPS: readonly (readonly number[])[] = [
  [11, 3600, 7200],
  [86_400, 31_536_000],
];
const SETTLED_MS = 250; // from a refusal to the next step: until then the wait that follows from it has been worked out
const WAIT_MS = 600;
const SINK_WAIT_MS_MIN = 400 * 0.8; // the shortest first wait for a sink that is out

/** Wall clock stepped, monotonic clock true: nothing comes too early, and no lease ends. */
export async function stepTheWallClock(library: string, count: number): Promise<void> {
  for (let run = 0; run < count; run += 1) {
    await withScene(async (scene) => {
      expect(await loadThrough(scene, library, STEPS[run % STEPS.length] ?? [], 'wall')).toBe(0);
      expect(pagesTooEarly(scene.world)).toEqual([]);
      expect(pingsTooEarly(scene.world)).toEqual([]);
    });
  }
}

/** Both clocks leap: leases end and are taken anew; nothing is lost or repeated by it. */
export async function leapBothClocks(library: string, count: number): Promise<void> {
  for (let run = 0; run < count; run += 1) {
    await withScene(async (scene) => {
      expect(await loadThrough(scene, library, LEAPS[run % LEAPS.length] ?? [], 'both')).toBeGreaterThan(0);
    });
  }
}

/** Returns how many leases were lost. */
async function loadThrough(
  scene: Scene,
  library: string,
  offsets: readonly number[],
  clocks: 'wall' | 'both',
): Promise<number> {
  const { world } = scene;
  const file = join(scene.folder, 'offset');
  writeFileSync(file, '+0');
  const keepMonotonic = clocks === 'wall' ? '1' : '0';
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: keepMonotonic,
    NO_FAKE_STAT: '1',
  };
  const server = await scene.start({ connections: 2, pollMs: 50 }, { env });
  for (const offset of offsets) {
    world.numbersMax += 100;
    await underLoad(scene, server, async () => {
      writeFileSync(file, `${offset < 0 ? '' : '+'}${offset}`);
      // A leap longer than a lease ends what was being written, so that nobody judges how it ended.
      if (clocks === 'wall') await refuseOnceEach(world);
      await pause(SETTLED_MS);
    });
  }
  await scene.settle(server);
  const { leasesLost } = await server.state();
  await expectAllThereOnce(scene, server);
  return leasesLost;
}

async function refuseOnceEach(world: World): Promise<void> {
  const toRefuse = new Set(['page', 'write', 'ping']);
  world.refusePage = () => (toRefuse.delete('page') ? WAIT_MS : undefined);
  world.refuseWrite = () => toRefuse.delete('write');
  // Asked only after a write was refused.
  world.refusePing = () => toRefuse.delete('ping');
  await until('a page, a write and a ping were refused', () => Promise.resolve(toRefuse.size === 0));
}

function pagesTooEarly({ pages }: World): unknown[] {
  return pages.filter((page, index) => {
    const next = pages.slice(index + 1).find(({ connection }) => connection === page.connection);
    return page.refused && next !== undefined && next.atMs - page.atMs < WAIT_MS;
  });
}

function pingsTooEarly({ pings }: World): unknown[] {
  return pings.filter((ping, index) => {
    const next = pings[index + 1];
    return ping.refused && next !== undefined && next.atMs - ping.atMs < SINK_WAIT_MS_MIN;
  });
}
