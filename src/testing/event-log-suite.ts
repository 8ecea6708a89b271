import { describe } from 'vitest';
import { appendSuite } from './append-suite.ts';
import { deliverySuite } from './delivery-suite.ts';
import type { OpenHarness } from './engine-harness.ts';
import { logRefinementSuite } from './log-refinement-suite.ts';
import { logViewSuite } from './log-view-suite.ts';
import { retentionSuite } from './retention-suite.ts';

/** Every clause of the EventLog contract, and the comparison with the model (P13). */
export function eventLogSuite(openHarness: OpenHarness): void {
  describe('event log', () => {
    appendSuite(openHarness);
    deliverySuite(openHarness);
    retentionSuite(openHarness);
    logViewSuite(openHarness);
    logRefinementSuite(openHarness);
  });
}
