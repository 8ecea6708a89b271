import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Fault } from '#core/fault.ts';
import type { RawAnswer } from './http-agent.ts';
import { toNetworkFault } from './http-faults.ts';

const MIB = 1024 * 1024;

export const HTTP_BODY_LIMITS = {
  bodyBytesMax: 10 * MIB, // of an answer held in memory, before and after decompression; a longer one is `bad_upstream`
  streamBytesMax: 1024 * MIB, // of one read as a stream, likewise
  errorBytesMax: 64 * 1024, // of an error's body; the rest is not read
} as const;

/** What is sent as Accept-Encoding: exactly what can be read. */
export const ACCEPTED_ENCODINGS = 'gzip, br, deflate';

export interface BodyOptions {
  /** Before and after decompression, each. */
  readonly bytesMax: number;
  /** For messages: `list_issues of github`. */
  readonly subject: string;
}

/**
 * The decompressed body, piece by piece. A bomb is noticed when its first byte too many comes out: never more than one
 * piece beyond the limit is held. Ends the socket when it is left early or fails.
 */
export async function* readPieces(
  answer: RawAnswer,
  options: BodyOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { body, headers, bodiless } = answer;
  let decoder: Transform | undefined;
  try {
    if (!bodiless) {
      if (Number(headers.get('content-length') ?? 0) > options.bytesMax) throw tooLong(options);
      decoder = decoderOf(headers.get('content-encoding'), options);
    }
    if (decoder === undefined) {
      yield* counted(body, options);
      return;
    }
    yield* counted(pipeline(counted(body, options), decoder, ignoreEnd), options);
  } catch (error) {
    throw toNetworkFault(error, options.subject);
  } finally {
    decoder?.destroy();
    body.destroy();
  }
}

/** The whole body. Throws `bad_upstream` when it is longer than allowed. */
export async function readBody(answer: RawAnswer, options: BodyOptions): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readPieces(answer, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** As much of the body as an error message may need; a failure to read it is no failure of its own. */
export async function readErrorBody(answer: RawAnswer, subject: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of readPieces(answer, { bytesMax: HTTP_BODY_LIMITS.bodyBytesMax, subject })) {
      pieces.push(piece);
      bytes += piece.byteLength;
      if (bytes >= HTTP_BODY_LIMITS.errorBytesMax) break;
    }
  } catch {
    // The status says what happened, whether its explanation arrived or not.
  }
  return Buffer.concat(pieces).subarray(0, HTTP_BODY_LIMITS.errorBytesMax);
}

async function* counted(
  source: Readable | AsyncIterable<Uint8Array>,
  options: BodyOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  // Streams of bytes yield Buffers: no encoding is set on any of them.
  for await (const piece of source as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > options.bytesMax) throw tooLong(options);
    yield piece;
  }
}

function decoderOf(encoding: string | undefined, { subject }: BodyOptions): Transform | undefined {
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'deflate':
      return createInflate();
    default:
      throw new Fault('bad_upstream', `${subject}: the answer is encoded in a way that was not asked for`);
  }
}

function tooLong({ bytesMax, subject }: BodyOptions): Fault {
  return new Fault('bad_upstream', `${subject}: the answer is longer than ${bytesMax} bytes`);
}

function ignoreEnd(): void {
  // The reader of the pipeline gets the same error.
}
