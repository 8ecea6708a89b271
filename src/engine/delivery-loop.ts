import type { DeadLetterStore } from '#core/dead-letter.ts';
import type { Env } from '#core/env.ts';
import type { DeadLetterDraft, EventLog } from '#core/event-log.ts';
import type { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import type { WriteResult } from '#core/sink.ts';
import type { Target } from './delivery-target.ts';
import type { Permits } from './permits.ts';
import type { SinkHealth } from './sink-health.ts';

export type OutcomeCounts = Readonly<Record<WriteResult['outcome'], number>>;

/** What every partition of one sink shares. */
export interface DeliveryLoop {
  readonly env: Env;
  readonly log: EventLog;
  readonly target: Target;
  readonly health: SinkHealth;
  readonly permits: Permits;
  readonly attemptsMax: number;
  readonly letters?: Pick<DeadLetterStore, 'queued' | 'settle'> | undefined;
  readonly onBatch?: ((sink: string, counts: OutcomeCounts, durationMs: number) => void) | undefined;
  readonly onFault?: ((sink: string, fault: Fault, nextInMs: number) => void) | undefined;
  readonly onDeadLetter?: ((sink: string, letter: DeadLetterDraft) => void) | undefined;
}

/** One ownership of one partition. */
export interface Ownership {
  readonly partition: number;
  readonly fence: Fence;
  /** Aborts when Weir stops or the lease is lost. */
  readonly signal: AbortSignal;
}
