import type { Readable } from 'node:stream';

export interface ByteReader {
  /** Exactly `count` bytes; undefined when the stream ended before. */
  take(count: number): Promise<Buffer | undefined>;
  /** Text up to a line feed, without it; undefined when the stream ended before, or the line is longer than `bytesMax`. */
  takeLine(bytesMax: number): Promise<string | undefined>;
}

/** Reads a stream on demand: what nobody asked for stays in the pipe. */
export function byteReader(stream: Readable): ByteReader {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Buffer[] = [];
  let heldBytes = 0;

  const more = async (): Promise<boolean> => {
    // A stream destroyed by its process' end counts as ended.
    const next = await chunks.next().catch(() => undefined);
    if (next === undefined || next.done === true) return false;
    const chunk = next.value as Buffer; // a pipe without an encoding gives buffers
    held.push(chunk);
    heldBytes += chunk.length;
    return true;
  };
  const joined = (): Buffer => {
    const whole = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
    held = [whole];
    return whole;
  };
  const cut = (count: number): Buffer => {
    const whole = joined();
    held = [whole.subarray(count)];
    heldBytes = whole.length - count;
    return whole.subarray(0, count);
  };
  return {
    async take(count) {
      while (heldBytes < count) if (!(await more())) return undefined;
      return cut(count);
    },
    async takeLine(bytesMax) {
      for (;;) {
        const at = joined().indexOf(0x0a);
        if (at >= 0) return cut(at + 1).toString('latin1', 0, at);
        if (heldBytes > bytesMax || !(await more())) return undefined;
      }
    },
  };
}
