import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { LOGS_LIMITS } from './limits.ts';

const FingerprintSchema = z.object({ bytes: z.int().nonnegative(), sha256: z.string() });
const OpenRecordSchema = z.object({
  page: z.int().nonnegative(),
  pageCut: z.boolean(),
  record: z.int().nonnegative(),
  alone: z.boolean().default(false).describe('it stands in an event of its own, as its first line was not complete'),
});

const FileStateSchema = z.object({
  path: z.string().describe('real path at which the file was last seen'),
  dev: z.string(),
  ino: z.string(),
  serial: z
    .int()
    .nonnegative()
    .describe('number of this file among all that were ever begun: inodes are used again, this is not'),
  offset: z.int().nonnegative().describe('everything before it is in the log'),
  cut: z.boolean().describe('the offset lies inside a line that was too long: its rest is skipped'),
  head: FingerprintSchema.describe('of the first bytes of the file'),
  tail: FingerprintSchema.describe('of the last bytes before the offset'),
  open: OpenRecordSchema.nullable().describe(
    'a text record at the end that may go on: where it begins, and the page it is in',
  ),
  left: z.boolean().describe('matched by no path any more, and read to its end one run ago'),
  encoding: z.enum(['utf8', 'utf16']).describe('utf16: not read'),
});

export const LogsCursorSchema = z.object({
  // At most filesMax that are matched, and those that were until a run or two ago.
  files: z.array(FileStateSchema),
  serialNext: z.int().nonnegative(),
});

// Type aliases, not interfaces: the platform stores cursors as JSON.
export type Fingerprint = z.infer<typeof FingerprintSchema>;
export type FileState = z.infer<typeof FileStateSchema>;
export type LogsCursor = z.infer<typeof LogsCursorSchema>;

export const NO_BYTES: Fingerprint = { bytes: 0, sha256: '' };

/** The part of a state that proves which file it is, for `offset` bytes read. */
export async function fingerprintsOf(handle: FileHandle, offset: number): Promise<Pick<FileState, 'head' | 'tail'>> {
  const bytes = Math.min(offset, LOGS_LIMITS.fingerprintBytesMax);
  return { head: await fingerprintAt(handle, 0, bytes), tail: await fingerprintAt(handle, offset - bytes, bytes) };
}

/**
 * Whether the open file, `size` bytes long, is the one the state speaks of, merely longer. False: it was truncated, replaced, or
 * has the inode of a file that is gone. A beginning alone would not do: many logs begin with the same lines after every truncation.
 */
export async function isContinued(handle: FileHandle, size: number, state: FileState): Promise<boolean> {
  if (size < state.offset) return false;
  const head = await fingerprintAt(handle, 0, state.head.bytes);
  if (head.sha256 !== state.head.sha256) return false;
  const tail = await fingerprintAt(handle, state.offset - state.tail.bytes, state.tail.bytes);
  return tail.sha256 === state.tail.sha256;
}

async function fingerprintAt(handle: FileHandle, at: number, bytes: number): Promise<Fingerprint> {
  if (bytes === 0) return NO_BYTES;
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, at);
  return { bytes, sha256: hash('sha256', buffer.subarray(0, bytesRead), 'hex') };
}
