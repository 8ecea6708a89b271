import type { FileHandle } from 'node:fs/promises';
import { LOGS_LIMITS } from './limits.ts';

export interface RawLine {
  /** File offsets: of the first byte, and after the line's LF (of a line that was cut: after the part that was taken). */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Longer than `lineBytesMax`: only its beginning is here. */
  readonly truncated: boolean;
}

export interface ReadRange {
  readonly from: number;
  /** Nothing at or beyond this offset is read. */
  readonly to: number;
  /** `from` lies inside a line whose beginning was already taken: skip to its end first. */
  readonly cut: boolean;
}

/** Where reading stopped: never beyond the last LF, except inside a line whose beginning was taken (`cut`). */
export interface ReadEnd {
  readonly offset: number;
  readonly cut: boolean;
}

const LF = 10;
const CR = 13;
const NUL = 0;

/**
 * Hands every complete line of the range to `take`, in constant memory whatever the lines are. `take` answers false to stop
 * before that line. Bytes that are no UTF-8 become U+FFFD; a byte order mark is removed; NULs at the beginning of a line (the
 * hole that truncating leaves under a writer that keeps its offset) are no part of it.
 */
export async function readLines(
  handle: FileHandle,
  range: ReadRange,
  take: (line: RawLine) => boolean,
): Promise<ReadEnd> {
  const { lineBytesMax, chunkBytes } = LOGS_LIMITS;
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let window = buffer.subarray(0, 0); // bytes read and not yet taken
  let base = range.from; // file offset of window[0]
  let cut = range.cut;
  for (;;) {
    const at = base + window.length;
    const { bytesRead } =
      at >= range.to ? { bytesRead: 0 } : await handle.read(buffer, 0, Math.min(chunkBytes, range.to - at), at);
    if (bytesRead === 0) return cut ? { offset: at, cut } : { offset: base, cut };
    const fresh = window.length;
    window =
      fresh === 0 ? Buffer.from(buffer.subarray(0, bytesRead)) : Buffer.concat([window, buffer.subarray(0, bytesRead)]);
    let begin = 0;
    for (let lf = window.indexOf(LF, fresh); lf !== -1; lf = window.indexOf(LF, begin)) {
      if (!cut && !take(lineOf(window, begin, lf, base))) return { offset: base + begin, cut: false };
      cut = false;
      begin = lf + 1;
    }
    if (!cut && window.length - begin > lineBytesMax) {
      if (!take(lineOf(window, begin, window.length, base))) return { offset: base + begin, cut: false };
      cut = true;
    }
    // Inside a cut line nothing is kept: a line of any length needs no more memory than one chunk.
    if (cut) begin = window.length;
    base += begin;
    window = window.subarray(begin);
  }
}

function lineOf(bytes: Buffer, begin: number, lf: number, base: number): RawLine {
  const truncated = lf - begin > LOGS_LIMITS.lineBytesMax;
  const stop = truncated ? begin + LOGS_LIMITS.lineBytesMax : lf;
  let from = begin;
  while (from < stop && bytes[from] === NUL) from += 1;
  const last = !truncated && stop > from && bytes[stop - 1] === CR ? stop - 1 : stop;
  const text = bytes.toString('utf8', from, last);
  // The end of a cut line must not depend on how much of it was there when it was read.
  return {
    start: base + begin,
    end: base + (truncated ? stop : lf + 1),
    text: text.startsWith('\ufeff') ? text.slice(1) : text,
    truncated,
  };
}
