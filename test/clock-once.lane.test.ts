// A few of each; clock.lane.test.ts does many.

import { describe, it } from 'vitest';
import { faketimeLibrary, leapBothClocks, NO_FAKETIME, stepTheWallClock } from './process/clock-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

describe('clocks that are stepped under load', { timeout: TIME_BOX_MS }, () => {
  it('make nothing come early and end no lease when the monotonic clock stays true', async ({ skip }) => {
    await stepTheWallClock(faketimeLibrary() ?? skip(NO_FAKETIME), 1);
  });
  it('lose and repeat nothing when the monotonic clock leaps with them', async ({ skip }) => {
    await leapBothClocks(faketimeLibrary() ?? skip(NO_FAKETIME), 1);
  });
});
