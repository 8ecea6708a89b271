// SQLite takes the first bad frame of its write-ahead log for the end of it, so damage there loses commits without a word. What the
// log must hold stands beside it in the index that a process leaves behind when it is killed, until the next one opens the file.
// https://sqlite.org/fileformat2.html#walformat and https://sqlite.org/walformat.html

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { endianness } from 'node:os';
import { Fault } from '#core/fault.ts';

const FORMAT = 3_007_000;
const MAGIC = 0x377f0682; // its lowest bit: the checksums are over big-endian words
const INDEX_BYTES = 100;
const INDEX_COPY_BYTES = 48;
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const CHUNK_FRAMES = 64; // read at once: 258 KiB with pages of 4 KiB
const NATIVE_IS_BIG = endianness() === 'BE';

interface Index {
  readonly bytes: Buffer;
  readonly pageBytes: number;
  /** How many frames were committed, and how many of them the data file holds as well. */
  readonly frames: number;
  readonly merged: number;
  readonly salt: Buffer;
}

interface Found {
  /** How many frames from the first on are as they were written, and how many commits these are. */
  readonly frames: number;
  readonly commits: number;
  /** Of the commits after that, as far as their frames can be told. */
  readonly commitsLost: number;
}

/**
 * Called with the process lock held and before SQLite opens the file. Throws `storage_broken` when committed frames are not there any
 * more. Says nothing when there is no index that is whole and of this log: after a clean close and, as a rule, after a power cut.
 */
export function checkWal(file: string): void {
  const place = `${file}-wal`;
  // Without its data file a log means nothing: SQLite deletes it.
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  const index = readFrom(`${file}-shm`, readIndex);
  if (index === undefined || index.frames === 0) return;
  const found = readFrom(place, (fd, bytes) => readLog(fd, bytes, index));
  if (found === undefined || found.frames >= index.frames) return;
  // All of it is in the data file, and nothing older would be taken from here instead.
  if (index.merged >= index.frames && found.commits === 0) return;
  // Another program that had the file open may have merged the log meanwhile.
  if (readFrom(`${file}-shm`, readIndex)?.bytes.equals(index.bytes) !== true) return;
  const commits = Math.max(1, found.commitsLost);
  throw new Fault(
    'storage_broken',
    `${place}: frame ${found.frames + 1} of ${index.frames} is damaged or missing, and with it the contents of ${commits} or more commits`,
    { details: { place: file } },
  );
}

/** What cannot be opened or read is left to SQLite, which reports it better. */
function readFrom<T>(file: string, read: (fd: number, bytes: number) => T | undefined): T | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    return read(fd, fstatSync(fd).size);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Two copies of the header and the number of merged frames, all in the byte order of the machine that wrote them. */
function readIndex(fd: number): Index | undefined {
  const bytes = readAt(fd, 0, INDEX_BYTES);
  if (bytes.length < INDEX_BYTES) return undefined;
  const copy = bytes.subarray(0, INDEX_COPY_BYTES);
  const native = wordsOf(bytes);
  const isWhole = bytes[12] === 1 && copy.equals(bytes.subarray(INDEX_COPY_BYTES, 2 * INDEX_COPY_BYTES));
  const sum = new Checksum(false);
  sum.add(native, 0, 10);
  if (!isWhole || native[0] !== FORMAT || !sum.is(native[10], native[11])) return undefined;
  const pageCode = NATIVE_IS_BIG ? bytes.readUInt16BE(14) : bytes.readUInt16LE(14);
  const pageBytes = (pageCode & 0xfe00) + ((pageCode & 1) << 16);
  const [frames, merged] = [(native[4] ?? 0) >>> 0, (native[24] ?? 0) >>> 0];
  return { bytes, pageBytes, frames, merged, salt: copy.subarray(32, 40) };
}

/** Undefined: the log is empty, or of another time than the index. */
function readLog(fd: number, logBytes: number, index: Index): Found | undefined {
  if (logBytes === 0) return undefined;
  const header = readAt(fd, 0, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return { frames: 0, commits: 0, commitsLost: 0 };
  const magic = big(header, 0);
  const sum = new Checksum((magic & 1) === 1 ? !NATIVE_IS_BIG : NATIVE_IS_BIG);
  sum.add(wordsOf(header), 0, 6);
  const isWhole = magic >>> 1 === MAGIC >>> 1 && sum.is(big(header, 24), big(header, 28));
  if (!isWhole) {
    // Torn while the log was begun anew, or damaged: then the last frame is still the one that the index counts.
    const last = readAt(fd, frameAt(index.frames - 1, index), FRAME_HEADER_BYTES);
    return last.subarray(8, 16).equals(index.salt) ? countFrames(fd, index) : undefined;
  }
  const isOfIndex =
    big(header, 4) === FORMAT && big(header, 8) === index.pageBytes && header.subarray(16, 24).equals(index.salt);
  return isOfIndex ? countFrames(fd, index, sum) : undefined;
}

/** `sum`: of the header, which the checksums of the frames go on from; undefined when it is lost and no frame can be proved. */
function countFrames(fd: number, index: Index, sum?: Checksum): Found {
  const frameBytes = FRAME_HEADER_BYTES + index.pageBytes;
  let [frames, commits, commitsLost] = [0, 0, 0];
  let isSound = sum !== undefined;
  for (let first = 0; first < index.frames; first += CHUNK_FRAMES) {
    const chunk = readAt(fd, frameAt(first, index), Math.min(CHUNK_FRAMES, index.frames - first) * frameBytes);
    const words = wordsOf(chunk);
    for (let at = 0; at + frameBytes <= chunk.length; at += frameBytes) {
      const isOfLog = chunk.compare(index.salt, 0, 8, at + 8, at + 16) === 0;
      if (isSound && sum !== undefined) {
        sum.add(words, at / 4, at / 4 + 2);
        sum.add(words, (at + FRAME_HEADER_BYTES) / 4, (at + frameBytes) / 4);
        isSound = isOfLog && big(chunk, at) !== 0 && sum.is(big(chunk, at + 16), big(chunk, at + 20));
      }
      const isCommit = isOfLog && big(chunk, at + 4) !== 0;
      if (isSound) frames += 1;
      if (isSound && isCommit) commits += 1;
      if (!isSound && isCommit) commitsLost += 1;
    }
  }
  return { frames, commits, commitsLost };
}

/** SQLite's own: two sums over pairs of words, each of which covers all that came before. */
class Checksum {
  readonly #isSwapped: boolean;
  #first = 0;
  #second = 0;

  /** `isSwapped`: the words are in the other byte order than this machine's. */
  constructor(isSwapped: boolean) {
    this.#isSwapped = isSwapped;
  }

  add(words: Int32Array, from: number, to: number): void {
    let [first, second] = [this.#first, this.#second];
    for (let at = from; at < to; at += 2) {
      const [one, other] = [words[at] ?? 0, words[at + 1] ?? 0];
      first = (first + (this.#isSwapped ? swapped(one) : one) + second) | 0;
      second = (second + (this.#isSwapped ? swapped(other) : other) + first) | 0;
    }
    this.#first = first;
    this.#second = second;
  }

  is(first: number | undefined, second: number | undefined): boolean {
    return first !== undefined && second !== undefined && this.#first === (first | 0) && this.#second === (second | 0);
  }
}

function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function frameAt(frame: number, { pageBytes }: Index): number {
  return HEADER_BYTES + frame * (FRAME_HEADER_BYTES + pageBytes);
}

/** In memory of its own, so that its words are aligned. */
function readAt(fd: number, at: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(fd, buffer, 0, bytes, at));
}

function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

function big(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at);
}
