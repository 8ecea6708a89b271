import type { Clock } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Scope } from './scope.ts';

export const TIMEOUT_DEFAULTS = {
  /** One try: connect, send, read the whole answer. */
  attemptTimeoutMs: 30_000,
  /** The whole call: all tries, the waits between them, and the wait for a place. */
  overallTimeoutMs: 120_000,
} as const;

export interface TimeoutOptions {
  /** For the message: the connection. */
  readonly name: string;
  readonly timeoutMs: number;
}

/**
 * Ends work that takes too long with `upstream_timeout`, whether it heeds its signal or not. What it did may have happened
 * all the same (I12): repeat only what is idempotent.
 */
export class Timeout {
  readonly #queue: DeadlineQueue;
  readonly #leave = (scope: Scope): void => this.#queue.leave(scope);

  constructor(clock: Clock, { name, timeoutMs }: TimeoutOptions) {
    this.#queue = new DeadlineQueue(clock, timeoutMs, (scope) => {
      const message = `${scope.operation} of ${name} got no answer within ${timeoutMs} ms; it may have happened all the same`;
      scope.stop(new Fault('upstream_timeout', message, { details: { connection: name, operation: scope.operation } }));
    });
  }

  /** `next` gets its scope: its signal aborts at the deadline, and when the scope it is part of is stopped. */
  run<T>(scope: Scope, next: (scope: Scope) => Promise<T>): Promise<T> {
    this.#queue.enter(scope);
    return scope.race(next, this.#leave);
  }

  /** What is under way, the oldest first. */
  running(): readonly Scope[] {
    return this.#queue.entries();
  }

  close(): void {
    this.#queue.close();
  }
}
