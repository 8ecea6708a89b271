import type { Clock } from '#core/env.ts';
import type { Fence, Leases } from '#core/leases.ts';

export const LEASE_TTL_MS = 60_000;
const RENEWALS_PER_TTL = 3; // two may be late before the lease is lost

export interface KeptLease {
  readonly fence: Fence;
  /** Aborts when the lease is lost: stop and write nothing more (I5). */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** Takes a lease and keeps it alive independently of the work, until released or lost. Undefined: somebody else owns it. */
export async function keepLease(
  leases: Leases,
  clock: Clock,
  name: string,
  owner: string,
  ttlMs = LEASE_TTL_MS,
): Promise<KeptLease | undefined> {
  const fence = await leases.acquire(name, owner, ttlMs);
  if (fence === undefined) return undefined;
  const lost = new AbortController();
  const released = new AbortController();
  const renewing = (async () => {
    // Ends with the lease; every pass waits, so it cannot spin.
    for (;;) {
      await clock.sleep(ttlMs / RENEWALS_PER_TTL, released.signal);
      if (released.signal.aborted) return;
      const renewed = await leases.renew(fence, ttlMs).catch(() => undefined);
      // A renewal that could not be made proves nothing: the lease runs on, and the next renewal tells.
      if (renewed !== false) continue;
      lost.abort();
      return;
    }
  })();
  return {
    fence,
    lost: lost.signal,
    async release() {
      released.abort();
      await renewing;
      await leases.release(fence);
    },
  };
}
