import type { Clock } from '#core/env.ts';
import type { Fence, Leases } from '#core/leases.ts';

const TOKENS_PER_BOOT = 2 ** 32;

interface Held {
  readonly token: number;
  readonly untilMs: number;
}

/**
 * Leases of one process, in memory: the process lock already keeps every other process out, so only the tokens must outlive it.
 * They do through the boot number, which is durable before the first lease is given: a restart raises every fence.
 */
export class ProcessLeases implements Leases {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  #token: number;

  constructor(clock: Clock, boot: number) {
    this.#clock = clock;
    this.#token = boot * TOKENS_PER_BOOT;
  }

  acquire(name: string, _owner: string, ttlMs: number): Promise<Fence | undefined> {
    const held = this.#held.get(name);
    // Monotonic: a wall clock stepped back would keep a dead owner's lease alive (I10).
    const nowMs = this.#clock.monotonic();
    if (held !== undefined && held.untilMs > nowMs) return Promise.resolve(undefined);
    this.#token += 1;
    this.#held.set(name, { token: this.#token, untilMs: nowMs + ttlMs });
    return Promise.resolve({ lease: name, token: this.#token });
  }

  renew(fence: Fence, ttlMs: number): Promise<boolean> {
    if (!this.holds(fence, fence.lease)) return Promise.resolve(false);
    this.#held.set(fence.lease, { token: fence.token, untilMs: this.#clock.monotonic() + ttlMs });
    return Promise.resolve(true);
  }

  release(fence: Fence): Promise<void> {
    if (this.#held.get(fence.lease)?.token === fence.token) this.#held.delete(fence.lease);
    return Promise.resolve();
  }

  /**
   * Called inside the transaction that moves a reader: its owner is fenced from here on. Not undone when that transaction is: an
   * owner that lost its lease for nothing asks for it again.
   */
  revoke(lease: string): void {
    this.#held.delete(lease);
  }

  /** Called inside a write's transaction, synchronously, so that nothing happens between the check and the commit (I5). */
  holds(fence: Fence, lease: string): boolean {
    const held = this.#held.get(lease);
    // The name too: a live fence of another stream or partition proves nothing about this one.
    return fence.lease === lease && held?.token === fence.token && held.untilMs > this.#clock.monotonic();
  }
}
