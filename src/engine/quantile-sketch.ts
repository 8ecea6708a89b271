import { DDSketch } from '@datadog/sketches-js';

const RELATIVE_ACCURACY = 0.01; // p95 of 2000 ms is told as 1980 to 2020
const MAPPING = new DDSketch({ relativeAccuracy: RELATIVE_ACCURACY }).mapping; // value ↔ bin, the library's own
const MS_MIN = 1e-6; // shorter is zero: no clock tells less
const MS_MAX = 1e12; // longer is this: thirty years

// CallMinute.sketch: one byte of version, the zeros, then a key and a count for each bin that is not empty. Little-endian.
const VERSION = 1;
const HEAD_BYTES = 5;
const BIN_BYTES = 6;

/**
 * Durations in milliseconds whose quantiles can be merged: of minutes into an hour, of operations into a connection. A DDSketch
 * (Masson, Rim, Lee: VLDB 2019) that keeps only the bins it has: a minute of one operation rarely fills more than twenty.
 */
export class QuantileSketch {
  readonly #bins = new Map<number, number>();
  #zeros = 0;
  #count = 0;

  add(ms: number): void {
    if (ms < MS_MIN || Number.isNaN(ms)) this.#put(undefined, 1);
    else this.#put(MAPPING.key(Math.min(ms, MS_MAX)), 1);
  }

  merge(other: QuantileSketch): void {
    this.#put(undefined, other.#zeros);
    for (const [key, count] of other.#bins) this.#put(key, count);
  }

  /** The same for a stored sketch, without building it. One that cannot be read counts as empty: health must not fail for a minute. */
  mergeStored(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEAD_BYTES || (bytes.length - HEAD_BYTES) % BIN_BYTES !== 0 || view.getUint8(0) !== VERSION)
      return;
    this.#put(undefined, view.getUint32(1, true));
    for (let at = HEAD_BYTES; at < bytes.length; at += BIN_BYTES) {
      this.#put(view.getInt16(at, true), view.getUint32(at + 2, true));
    }
  }

  /** Milliseconds at quantile `q` (0 to 1), the lower of two neighbours; undefined without data. */
  at(q: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = q * (this.#count - 1);
    let passed = this.#zeros;
    if (passed > rank) return 0;
    for (const key of [...this.#bins.keys()].toSorted((a, b) => a - b)) {
      passed += this.#bins.get(key) ?? 0;
      if (passed > rank) return MAPPING.value(key);
    }
    return 0; // without bins everything is zero
  }

  /** For CallMinute.sketch. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(HEAD_BYTES + this.#bins.size * BIN_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, VERSION);
    view.setUint32(1, this.#zeros, true);
    let at = HEAD_BYTES;
    for (const [key, count] of this.#bins) {
      view.setInt16(at, key, true);
      view.setUint32(at + 2, count, true);
      at += BIN_BYTES;
    }
    return bytes;
  }

  static decode(bytes: Uint8Array): QuantileSketch {
    const sketch = new QuantileSketch();
    sketch.mergeStored(bytes);
    return sketch;
  }

  #put(key: number | undefined, count: number): void {
    this.#count += count;
    if (key === undefined) this.#zeros += count;
    else this.#bins.set(key, (this.#bins.get(key) ?? 0) + count);
  }
}
