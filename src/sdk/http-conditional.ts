// RFC 9110 §13: asking again costs nothing when nothing changed, and with most vendors counts against no limit.

export const CONDITIONAL_LIMITS = {
  entriesMax: 1_000, // per connection; the one used longest ago goes first, which costs one full answer
  validatorCharsMax: 1_024, // a longer ETag is not kept
} as const;

export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The last validators of each (stream, URL) of one connection. */
export class ConditionalCache {
  readonly #entries = new Map<string, Validators>(); // in order of use
  readonly #entriesMax: number;

  constructor(entriesMax: number = CONDITIONAL_LIMITS.entriesMax) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Headers that ask for an answer only if there is a new one; none when nothing is known. */
  headersFor(stream: string, url: string): Readonly<Record<string, string>> {
    const key = keyOf(stream, url);
    const known = this.#entries.get(key);
    if (known === undefined) return {};
    this.#entries.delete(key);
    this.#entries.set(key, known);
    return {
      ...(known.etag === undefined ? {} : { 'if-none-match': known.etag }),
      ...(known.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
    };
  }

  /** Takes the place of what was known. An answer without validators makes the next one full. */
  keep(stream: string, url: string, headers: ReadonlyMap<string, string>): void {
    const key = keyOf(stream, url);
    this.#entries.delete(key);
    const etag = shortEnough(headers.get('etag'));
    const lastModified = shortEnough(headers.get('last-modified'));
    if (etag === undefined && lastModified === undefined) return;
    this.#entries.set(key, {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#entries.delete(oldest);
  }
}

function keyOf(stream: string, url: string): string {
  return `${stream}\n${url}`;
}

function shortEnough(value: string | undefined): string | undefined {
  return value !== undefined && value.length <= CONDITIONAL_LIMITS.validatorCharsMax ? value : undefined;
}
