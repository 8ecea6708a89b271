/**
 * Deficit round robin over tenants: each turn a tenant is given the same quantum of run time, and what a run has cost is taken off.
 * A tenant with a thousand connections therefore gets as much as one with three, and nobody waits for ever.
 */
export class FairQueue {
  readonly #quantumMs: number;
  readonly #deficitsMs = new Map<string, number>();
  #order: string[] = [];

  constructor(quantumMs: number) {
    this.#quantumMs = quantumMs;
  }

  /** Which of the tenants that have something due goes next; undefined when there are none. */
  pick(tenants: ReadonlySet<string>): string | undefined {
    for (const tenant of tenants) if (!this.#order.includes(tenant)) this.#order.push(tenant);
    const waiting = this.#order.filter((tenant) => tenants.has(tenant));
    if (waiting.length === 0) return undefined;
    // Bounded: the largest debt is one slice, so a few quanta bring some tenant above zero.
    for (;;) {
      const next = waiting.find((tenant) => this.#deficitOf(tenant) > 0);
      if (next !== undefined) {
        this.#order = [...this.#order.filter((tenant) => tenant !== next), next];
        return next;
      }
      for (const tenant of waiting)
        this.#deficitsMs.set(tenant, Math.min(this.#deficitOf(tenant) + this.#quantumMs, this.#quantumMs));
    }
  }

  charge(tenant: string, costMs: number): void {
    this.#deficitsMs.set(tenant, this.#deficitOf(tenant) - Math.max(costMs, 1));
  }

  #deficitOf(tenant: string): number {
    return this.#deficitsMs.get(tenant) ?? 0;
  }
}
