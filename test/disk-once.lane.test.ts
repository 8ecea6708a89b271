// A few of each; disk.lane.test.ts does many.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cutThePower, cutThePowerUnsynced, failASync, fillTheDisk, NO_MOUNT } from './process/disk-scenarios.ts';
import { NO_COMPILER, powerCutLibrary, shimEnv } from './process/shim.ts';
import { commitDocuments, temporaryRepository } from './process/temporary-repository.ts';
import { TIME_BOX_MS } from './process/time-box.ts';
import { startWeir } from './process/weir-process.ts';

describe('a disk that loses what was not synced when the power goes', { timeout: TIME_BOX_MS }, () => {
  it('has everything that was acknowledged', async ({ skip }) => {
    await cutThePower(powerCutLibrary() ?? skip(NO_COMPILER), 4);
  });

  it('loses acknowledged events of a server that does not sync its commits', async ({ skip }) => {
    expect(await cutThePowerUnsynced(powerCutLibrary() ?? skip(NO_COMPILER))).toBeGreaterThan(0);
  });
});

describe('a disk that fails a sync', { timeout: TIME_BOX_MS }, () => {
  it('ends the process with 3 and leaves nothing acknowledged that it lost', async ({ skip }) => {
    await failASync(powerCutLibrary() ?? skip(NO_COMPILER), 2);
  });

  it('ends weir start with 3', async ({ skip }) => {
    const library = powerCutLibrary() ?? skip(NO_COMPILER);
    const repo = temporaryRepository();
    try {
      commitDocuments(repo, 2000);
      const env = shimEnv(library, { data: join(repo.folder, '.weir'), seed: 1, syncFailsAt: 60 });
      const running = await startWeir(repo.folder, [], env);
      expect(await running.end('SIGCONT')).toBe(3); // a signal without effect: it ends by itself
      expect(running.stdout()).toContain('the disk cannot be trusted any more');
    } finally {
      repo.remove();
    }
  });
});

describe('a full disk', { timeout: TIME_BOX_MS }, () => {
  it('refuses with 503, loses nothing acknowledged, and drains when there is space again', async ({ skip }) => {
    if (!(await fillTheDisk(1))) skip(NO_MOUNT);
  });
});
