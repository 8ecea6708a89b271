/** Enough for every (tenant, host) or credential of a large installation; beyond it the least recently used goes. */
export const KEYS_MAX = 10_000;

/**
 * One policy object per key, made when first asked for: a retry budget per tenant and host, a limiter per credential.
 * At `keysMax` the key that was asked for longest ago is forgotten and would start afresh.
 */
export class Keyed<T> {
  readonly #create: (key: string) => T;
  readonly #keysMax: number;
  readonly #entries = new Map<string, T>();

  constructor(create: (key: string) => T, keysMax = KEYS_MAX) {
    this.#create = create;
    this.#keysMax = keysMax;
  }

  of(key: string): T {
    const known = this.#entries.get(key);
    const value = known ?? this.#create(key);
    this.#entries.delete(key); // a Map keeps the order of insertion: last in, last to be forgotten
    this.#entries.set(key, value);
    if (this.#entries.size > this.#keysMax)
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    return value;
  }

  get size(): number {
    return this.#entries.size;
  }
}
