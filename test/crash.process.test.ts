// A few of each; crash.lane.test.ts does many.

import { describe, it } from 'vitest';
import {
  killAtAnyMoment,
  killWithRunsPending,
  raceForTheData,
  stopLongerThanALease,
  stopUnderLoad,
} from './process/crash-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

describe('a process under load', { timeout: TIME_BOX_MS }, () => {
  it('loses nothing acknowledged and repeats no effect when it is killed at any moment', async () => {
    await killAtAnyMoment(4);
  });
  it('ends with 0 on SIGTERM and cuts off no acknowledgement', () => stopUnderLoad(2));
  it('settles nothing under a lease that ran out while it was stopped, and keeps its data', () =>
    stopLongerThanALease(2));
  it('resumes pulls where they were and when they were due', () => killWithRunsPending(2));
  it('is the only one that gets the data when two start at once', () => raceForTheData(1));
});
