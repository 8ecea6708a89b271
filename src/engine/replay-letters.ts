import { DEAD_LETTER_LIMITS, type DeadLetterStore, type QueuedLetter } from '#core/dead-letter.ts';
import type { Dispatch, LogEntry } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import type { WriteResult } from '#core/sink.ts';

/** How an offer of entries to a sink ended. */
export type Offered =
  | { readonly state: 'results'; readonly results: readonly WriteResult[] }
  | { readonly state: 'fenced' }
  | {
      readonly state: 'failed';
      readonly fault: Fault;
      readonly tookMs: number;
      /** Set while the call has not come back: nothing else may be written to this sink and partition before it has. */
      readonly hanging?: Promise<unknown> | undefined;
    };

/** A failure, and what to do if the sink turns out to be well. */
export interface Failure {
  readonly state: 'failed';
  readonly fault: Fault;
  readonly hanging?: Promise<unknown> | undefined;
  readonly suspected: () => Promise<'on' | 'fenced'>;
}

export type Step = Failure | { readonly state: 'on' | 'fenced' };

export interface LetterReplayOptions {
  readonly letters: Pick<DeadLetterStore, 'queued' | 'settle'>;
  readonly sink: string;
  readonly partition: number;
  readonly fence: Fence;
  readonly offer: (entries: readonly LogEntry[]) => Promise<Offered>;
}

/**
 * Puts dead letters of one partition back to their sink, under the ownership of that partition and never beside one of its writes. They
 * come after newer events of their key; the version guard of the sink decides (I4).
 */
export class LetterReplay {
  readonly #options: LetterReplayOptions;
  #limit: number = DEAD_LETTER_LIMITS.replayBatchMax;

  constructor(options: LetterReplayOptions) {
    this.#options = options;
  }

  /** Called first with the write in which an earlier owner ended. If it was a replay: half as many come, and a single one is put back. */
  async unfinished({ position, events }: Dispatch): Promise<void> {
    const { letters, sink, partition } = this.#options;
    const queued = await letters.queued(sink, partition, this.#limit);
    const from = queued.findIndex(({ entry }) => entry.position === position);
    if (from < 0) return;
    this.#limit = Math.max(1, events >> 1);
    if (events === 1) await this.#putBack(queued.slice(from, from + 1), ENDED_IN_REPLAY);
  }

  /** One batch of letters. Undefined: none is queued. */
  async next(): Promise<Step | undefined> {
    const { letters, sink, partition, offer } = this.#options;
    const queued = await letters.queued(sink, partition, this.#limit);
    if (queued.length === 0) return undefined;
    const offered = await offer(queued.map(({ entry }) => entry));
    if (offered.state === 'fenced') return offered;
    if (offered.state === 'failed') {
      const { fault, hanging } = offered;
      return { state: 'failed', fault, hanging, suspected: () => this.#suspected(queued, fault) };
    }
    return this.#settle(queued, offered.results);
  }

  /** What is to be tried again stays queued until it is known whose fault it is. */
  async #settle(queued: readonly QueuedLetter[], results: readonly WriteResult[]): Promise<Step> {
    const { letters, sink, partition, fence } = this.#options;
    const done = queued.flatMap(({ id }, index) => {
      const result = results[index];
      return result === undefined || result.outcome === 'retry' ? [] : [{ id, result }];
    });
    if (done.length > 0 && (await letters.settle(sink, partition, done, fence)) === 'fenced')
      return { state: 'fenced' };
    const at = results.findIndex(({ outcome }) => outcome === 'retry');
    const failed = results[at];
    if (failed?.outcome === 'retry') {
      const { fault } = failed;
      // Only the first: a sink that stops there has not tried the others. They stay queued and come again.
      const first = queued.slice(at, at + 1);
      return { state: 'failed', fault, suspected: async () => (await this.#putBack(first, fault)).state };
    }
    this.#limit = Math.min(DEAD_LETTER_LIMITS.replayBatchMax, this.#limit * 2);
    return { state: 'on' };
  }

  async #suspected(queued: readonly QueuedLetter[], fault: Fault): Promise<'on' | 'fenced'> {
    this.#limit = Math.max(1, queued.length >> 1);
    return queued.length > 1 ? 'on' : (await this.#putBack(queued, fault)).state;
  }

  /** One try more, and dead again: an operator looks at it before it comes another time. */
  async #putBack(queued: readonly QueuedLetter[], fault: Fault): Promise<{ readonly state: 'on' | 'fenced' }> {
    const { letters, sink, partition, fence } = this.#options;
    const results = queued.map(({ id }) => ({ id, result: { outcome: 'retry', fault } as const }));
    const done = await letters.settle(sink, partition, results, fence);
    return { state: done === 'fenced' ? 'fenced' : 'on' };
  }
}

const ENDED_IN_REPLAY = new Fault('dispatch_unfinished', 'the process ended while this letter was put back');
