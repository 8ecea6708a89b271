/** Proof of ownership that a write carries. Every acquisition of a name gives a larger token. */
export interface Fence {
  readonly lease: string;
  readonly token: number;
}

/**
 * Time-limited ownership of a name: a stream being pulled, a (sink, partition) being delivered. Elapsed time is judged by the
 * engine's own monotonic clock (I10), so a stepped wall clock neither ends nor prolongs a lease.
 */
export interface Leases {
  /**
   * Called before work on `name` begins, by any number of would-be owners. `undefined`: it is owned, look again later. Not reentrant:
   * an owner that asks again while holding it gets `undefined` too. Every success gives a larger token than all before it, also across
   * restarts, so a fence taken over from an expired owner makes that owner's later writes answer `fenced`.
   */
  acquire(name: string, owner: string, ttlMs: number): Promise<Fence | undefined>;
  /** Called by the owner well before the lease ends. `false`: it was lost; stop at once and write nothing more. */
  renew(fence: Fence, ttlMs: number): Promise<boolean>;
  /** Called by the owner when the work is done. Releasing a lost lease changes nothing. */
  release(fence: Fence): Promise<void>;
}
