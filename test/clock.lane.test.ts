import { describe, it } from 'vitest';
import { countOf } from './lane.ts';
import { faketimeLibrary, leapBothClocks, NO_FAKETIME, stepTheWallClock } from './process/clock-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

const STEPS = countOf({ quick: 0, change: 7, long: 200 });
const LEAPS = countOf({ quick: 0, change: 3, long: 100 });

describe('clocks that are stepped under load', { timeout: TIME_BOX_MS }, () => {
  it(`make nothing come early and end no lease when the monotonic clock stays true: ${STEPS} ×`, async ({ skip }) => {
    await stepTheWallClock(faketimeLibrary() ?? skip(NO_FAKETIME), STEPS);
  });
  it(`lose and repeat nothing when the monotonic clock leaps with them: ${LEAPS} ×`, async ({ skip }) => {
    await leapBothClocks(faketimeLibrary() ?? skip(NO_FAKETIME), LEAPS);
  });
});
