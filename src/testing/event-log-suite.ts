import { describe } from 'vitest';
import { appendSuite } from './append-suite.ts';
import { backlogSuite } from './backlog-suite.ts';
import { deliverySuite } from './delivery-suite.ts';
import { dispatchSuite } from './dispatch-suite.ts';
import type { OpenHarness } from './engine-harness.ts';
import { logRefinementSuite } from './log-refinement-suite.ts';
import { logViewSuite } from './log-view-suite.ts';
import { readerEndSuite } from './reader-end-suite.ts';
import { readerSuite } from './reader-suite.ts';
import { retentionSuite } from './retention-suite.ts';

/** Every clause of the EventLog contract, and the comparison with the model (P13). */
export function eventLogSuite(openHarness: OpenHarness): void {
  describe('event log', () => {
    appendSuite(openHarness);
    deliverySuite(openHarness);
    dispatchSuite(openHarness);
    readerSuite(openHarness);
    readerEndSuite(openHarness);
    retentionSuite(openHarness);
    logViewSuite(openHarness);
    backlogSuite(openHarness);
    logRefinementSuite(openHarness);
  });
}
