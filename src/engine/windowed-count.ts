/** How much something grew within a window of monotonic time. Holds one entry per moment of growth, none while nothing grows. */
export class WindowedCount {
  readonly #windowMs: number;
  #added: { readonly atMs: number; readonly amount: number }[] = [];
  #last: number | undefined;

  /** `from`: where counting begins; absent, at the first total observed. */
  constructor(windowMs: number, from?: number) {
    this.#windowMs = windowMs;
    this.#last = from;
  }

  /** Called with a running total. Only its rises count: a fall is forgetting, not growth. */
  observe(total: number, nowMs: number): number {
    const amount = Math.max(0, total - (this.#last ?? total));
    this.#last = total;
    this.#added = this.#added.filter(({ atMs }) => nowMs - atMs < this.#windowMs);
    if (amount > 0) this.#added.push({ atMs: nowMs, amount });
    return this.#added.reduce((sum, one) => sum + one.amount, 0);
  }
}
