import type { ZodType } from 'zod';
import type { Env } from './env.ts';
import type { LogEntry } from './event-log.ts';
import type { Fault } from './fault.ts';
import type { Fence } from './leases.ts';

/**
 * What became of one event. `stale`: the sink already holds a higher version of that key (I4), which is success. `retry`: not now; whether
 * the event or the sink is to blame is the delivery loop's business. `reject`: this event never, whatever else the sink takes.
 */
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
  /**
   * Called after a write has failed, by one caller at a time, until it resolves: whether the sink as a whole takes writes. Resolves when it
   * does; a throw says why not. Must touch no event: it is what tells an outage from one bad event (ADR 0007).
   */
  ping(signal: AbortSignal): Promise<void>;
  /** Called once after the last write has settled. */
  close(): Promise<void>;
}

/**
 * A sink that lives in the store itself: rows and position are one transaction, so each event takes effect exactly once.
 * Same delivery loop and position table as any other sink; only the commit differs.
 */
export interface BuiltInSink {
  readonly name: string;
  /** `fenced`: another owner has the partition; nothing was written. Throws `storage_*` for the store as a whole; any other throw is the entries' (ADR 0007). */
  apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'>;
  /**
   * Called by the owner of their partition with dead letters that are put back: rows as by `apply`, while the position stays. Idempotent and
   * guarded by version like `apply`, so it needs no fence. Absent: letters of this sink cannot be put back.
   */
  reapply?(entries: readonly LogEntry[]): Promise<void>;
}

/** What a kind of external sink may use besides its own libraries. */
export interface SinkContext {
  readonly env: Env;
  /** The name of the sink in the configuration. */
  readonly name: string;
  /** Sends a body and resolves with the answer's head and its first bytes, whatever the status; rejects with a Fault when there is none in time. Follows no redirect. */
  readonly post: (request: SinkRequest) => Promise<SinkAnswer>;
}

export interface SinkRequest {
  readonly url: string;
  readonly method?: 'POST' | 'GET' | 'HEAD' | 'OPTIONS';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface SinkAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most the first 4 KiB: enough for a reason. */
  readonly text: string;
}

/** Code that knows one kind of external store. A plain object made by `defineSink`, in a folder of its own. */
export interface SinkDefinition<Settings = unknown> {
  readonly type: string;
  readonly version: string;
  readonly title: string;
  readonly stability: 'stable' | 'beta' | 'alpha';
  readonly settings: ZodType<Settings>;
  /** Called when a configuration is read: what is worth saying about valid settings and no reason to stop. */
  warnings?(settings: Settings): readonly SinkWarning[];
  /** Pure construction; the first contact is `Sink.open`. */
  create(settings: Settings, ctx: SinkContext): Sink;
}

export interface SinkWarning {
  /** The setting it is about. */
  readonly key: string;
  readonly problem: string;
  readonly hint: string;
}
