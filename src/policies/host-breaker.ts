import type { CircuitBreaker, Permit } from './circuit-breaker.ts';

/** What the guard needs of a breaker: a connection's own, or one tenant's view of a host's. */
export type Breaker = Pick<CircuitBreaker, 'allow' | 'recordSuccess' | 'recordFailure' | 'release' | 'getStats'>;

/**
 * One circuit for a host that several tenants call. Its failures count only once two tenants have met them since the last
 * success: what one tenant alone meets may be that tenant's own account, and must not stop the others.
 */
export class HostBreaker {
  readonly #circuit: CircuitBreaker;
  #failing:
    | { readonly tenants: 'none' }
    | { readonly tenants: 'one'; readonly tenant: string }
    | { readonly tenants: 'several' } = { tenants: 'none' };

  constructor(circuit: CircuitBreaker) {
    this.#circuit = circuit;
  }

  /** The breaker to hand to the guards of this tenant's connections. */
  forTenant(tenant: string): Breaker {
    return {
      allow: () => this.#circuit.allow(),
      getStats: () => this.#circuit.getStats(),
      release: (permit) => this.#circuit.release(permit),
      recordSuccess: (permit) => {
        this.#failing = { tenants: 'none' };
        this.#circuit.recordSuccess(permit);
      },
      recordFailure: (permit) => this.#recordFailure(permit, tenant),
    };
  }

  #recordFailure(permit: Permit, tenant: string): void {
    const failing = this.#failing;
    if (failing.tenants === 'none') this.#failing = { tenants: 'one', tenant };
    if (failing.tenants === 'one' && failing.tenant !== tenant) this.#failing = { tenants: 'several' };
    // A trial was asked for by a circuit that several tenants have opened: its failure counts whoever made it.
    if (permit.trial || this.#failing.tenants === 'several') this.#circuit.recordFailure(permit);
  }
}
