import type { Clock } from '#core/env.ts';
import type { Scope } from './scope.ts';

/**
 * One timer for any number of calls that all have the same time limit. What enters last is due last, so the entries are in
 * order by themselves: entering and leaving cost a few pointers, and the only sleep is until the first one is due.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #expire: (scope: Scope) => void;
  readonly #closing = new AbortController();
  #first: Scope | undefined;
  #last: Scope | undefined;
  #sweeping = false;

  constructor(clock: Clock, limitMs: number, expire: (scope: Scope) => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  enter(scope: Scope): void {
    scope.deadlineMs = this.#clock.monotonic() + this.#limitMs;
    scope.queued = true;
    scope.earlier = this.#last;
    if (this.#last === undefined) this.#first = scope;
    else this.#last.later = scope;
    this.#last = scope;
    if (!this.#sweeping) void this.#sweep();
  }

  /** Leaving twice, or after having expired, changes nothing. */
  leave(scope: Scope): void {
    if (!scope.queued) return;
    scope.queued = false;
    const { earlier, later } = scope;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    scope.earlier = undefined;
    scope.later = undefined;
  }

  /** Those under way, the oldest first. */
  entries(): Scope[] {
    const entries: Scope[] = [];
    for (let scope = this.#first; scope !== undefined; scope = scope.later) entries.push(scope);
    return entries;
  }

  /** Ends the timer at once. Entries stay, without a deadline. */
  close(): void {
    this.#closing.abort();
  }

  async #sweep(): Promise<void> {
    this.#sweeping = true;
    // Ends when nothing is queued: at the latest one limit after the last call. Each pass sleeps or removes an entry.
    while (this.#first !== undefined && !this.#closing.signal.aborted) {
      const scope = this.#first;
      const waitMs = scope.deadlineMs - this.#clock.monotonic();
      if (waitMs > 0) {
        await this.#clock.sleep(Math.ceil(waitMs), this.#closing.signal);
      } else {
        this.leave(scope);
        this.#expire(scope);
      }
    }
    this.#sweeping = false;
  }
}
