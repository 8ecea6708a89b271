// Thousands of worlds, the first half. A kind of fault that hardly ever happened proves nothing, so each is counted.

import { safetyTest } from './simulation/run-seeds.ts';

safetyTest(0);
