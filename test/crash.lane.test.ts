import { describe, it } from 'vitest';
import { countOf } from './lane.ts';
import {
  killAtAnyMoment,
  killWithRunsPending,
  percentile,
  raceForTheData,
  stopLongerThanALease,
  stopUnderLoad,
} from './process/crash-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

const KILLS = countOf({ quick: 0, change: 80, long: 2000 });
const STOPS = countOf({ quick: 0, change: 15, long: 500 });
const ZOMBIES = countOf({ quick: 0, change: 20, long: 1000 });
const PENDING = countOf({ quick: 0, change: 10, long: 500 });
const RACES = countOf({ quick: 0, change: 10, long: 500 });

describe('a process under load', { timeout: TIME_BOX_MS }, () => {
  it(`loses nothing acknowledged and repeats no effect: ${KILLS} × kill -9`, async ({ annotate }) => {
    const readyMs = await killAtAnyMoment(KILLS);
    const [p50, p99] = [0.5, 0.99].map((ratio) => Math.round(percentile(readyMs, ratio)));
    await annotate(`ready again: median ${p50} ms, p99 ${p99} ms`);
  });
  it(`ends with 0 on SIGTERM and cuts off no acknowledgement: ${STOPS} ×`, () => stopUnderLoad(STOPS));
  it(`settles nothing under a lease that ran out while it was stopped: ${ZOMBIES} × SIGSTOP`, () =>
    stopLongerThanALease(ZOMBIES));
  it(`resumes pulls where they were and when they were due: ${PENDING} ×`, () => killWithRunsPending(PENDING));
  it(`is the only one that gets the data when two start at once: ${RACES} ×`, () => raceForTheData(RACES));
});
