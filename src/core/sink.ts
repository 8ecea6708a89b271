import type { LogEntry } from './event-log.ts';
import type { Fault } from './fault.ts';
import type { Fence } from './leases.ts';

/** What became of one event. `stale`: the sink already holds a higher version of that key (I4), which is success. */
export type WriteResult =
  | { readonly outcome: 'written' }
  | { readonly outcome: 'stale' }
  | { readonly outcome: 'retry'; readonly fault: Fault }
  | { readonly outcome: 'reject'; readonly fault: Fault };

/** An external store that events are written to, in batches, idempotently. The delivery loop decides; a sink only answers. */
export interface Sink {
  readonly name: string;
  /** Called once before the first write. A throw means the sink is not usable yet: the partition waits and it is tried again. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Called with one partition's entries in log order; different partitions at the same time, one partition never.
   * Exactly one result per entry, in the same order. A throw means the whole sink failed: the same entries come again, no attempt
   * is used up (I6). After a timeout the write may have happened: the same ids come again (I12).
   */
  write(entries: readonly LogEntry[], signal: AbortSignal): Promise<readonly WriteResult[]>;
  /** Called once after the last write has settled. */
  close(): Promise<void>;
}

/**
 * A sink that lives in the store itself: rows and position are one transaction, so each event takes effect exactly once.
 * Same delivery loop and position table as any other sink; only the commit differs.
 */
export interface BuiltInSink {
  readonly name: string;
  /** `fenced`: another owner has the partition; nothing was written. Throws only for the store as a whole. */
  apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'>;
}
