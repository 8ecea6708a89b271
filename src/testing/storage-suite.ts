import type { OpenHarness } from './engine-harness.ts';
import { eventLogSuite } from './event-log-suite.ts';
import { leasesSuite } from './leases-suite.ts';
import { librarySuite } from './library-suite.ts';
import { storeSuite } from './store-suite.ts';
import { tenantIsolationSuite } from './tenant-isolation-suite.ts';
import { timelineSuite } from './timeline-suite.ts';

/** Everything an engine must pass that offers log, leases and store at once. */
export function storageSuite(openHarness: OpenHarness): void {
  leasesSuite(openHarness);
  eventLogSuite(openHarness);
  storeSuite(openHarness);
  timelineSuite(openHarness);
  librarySuite(openHarness);
  tenantIsolationSuite(openHarness);
}
