// The second half of the worlds of simulation-a.lane.test.ts, in a process of its own.

import { safetyTest } from './simulation/run-seeds.ts';

safetyTest(1);
