import { describe, expect, it } from 'vitest';
import { countOf } from './lane.ts';
import { cutThePower, cutThePowerUnsynced, failASync, fillTheDisk, NO_MOUNT } from './process/disk-scenarios.ts';
import { NO_COMPILER, powerCutLibrary } from './process/shim.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

const CUTS = countOf({ quick: 0, change: 50, long: 1000 });
const CONTROLS = countOf({ quick: 0, change: 3, long: 20 });
const FAILURES = countOf({ quick: 0, change: 10, long: 200 });
const FILLS = countOf({ quick: 0, change: 10, long: 200 });

describe('a disk', { timeout: TIME_BOX_MS }, () => {
  it(`that loses what was not synced has everything acknowledged: ${CUTS} × power cut`, async ({ skip }) => {
    await cutThePower(powerCutLibrary() ?? skip(NO_COMPILER), CUTS);
  });

  it(`that loses what was not synced shows each server that does not sync: ${CONTROLS} ×`, async ({ skip }) => {
    const library = powerCutLibrary() ?? skip(NO_COMPILER);
    for (let run = 0; run < CONTROLS; run += 1) expect(await cutThePowerUnsynced(library)).toBeGreaterThan(0);
  });

  it(`that fails a sync ends the process with 3 and loses nothing acknowledged: ${FAILURES} × EIO`, async ({
    skip,
  }) => {
    await failASync(powerCutLibrary() ?? skip(NO_COMPILER), FAILURES);
  });

  it(`that is full refuses, loses nothing acknowledged, and drains: ${FILLS} × ENOSPC`, async ({ skip }) => {
    if (!(await fillTheDisk(FILLS))) skip(NO_MOUNT);
  });
});
