// Bytes of a document → text. A mark at the beginning decides; else valid UTF-8; else windows-1252, which takes every byte.

const NUL_SEARCH_BYTES = 8 * 1024; // git's own rule for what is binary

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export interface DecodedText {
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
}

/** Undefined for binary content. */
export function decodeText(bytes: Buffer): DecodedText | undefined {
  const marked = markedEncodingOf(bytes);
  if (marked !== undefined) return decodedAs(marked, bytes);
  if (bytes.subarray(0, NUL_SEARCH_BYTES).includes(0)) return undefined;
  try {
    return { text: withoutNul(UTF8.decode(bytes)), encoding: 'utf-8' };
  } catch {
    return decodedAs('windows-1252', bytes);
  }
}

function markedEncodingOf(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined; // the mark of UTF-8 needs no telling apart: its decoder drops it
}

function decodedAs(encoding: DecodedText['encoding'], bytes: Buffer): DecodedText | undefined {
  const text = new TextDecoder(encoding).decode(bytes);
  // UTF-32 and arbitrary data can begin like UTF-16; text has no NUL.
  if (text.slice(0, NUL_SEARCH_BYTES).includes('\0')) return undefined;
  return { text: withoutNul(text), encoding };
}

// A NUL far into a text file would cut the text in programs that end strings there.
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}
