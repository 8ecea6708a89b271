// A path in git is bytes. Here it is a string with one character per byte (latin1), so that comparing, cutting and joining are exact
// and two names that differ in one byte stay two names: NFC and NFD twins, and names that are not UTF-8 at all.

/** Path of a tree entry: one character (U+0000 to U+00FF) per byte. */
export type BytePath = string;

// Two slashes cannot follow each other in a git path, so no path that is valid UTF-8 begins like this.
const BYTES_MARK = 'bytes://';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function bytePathOf(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The document's key: the path itself when it is UTF-8, else `bytes://` and the path with its other bytes percent-encoded. Reversible. */
export function keyOfPath(path: BytePath): string {
  return utf8Of(path) ?? `${BYTES_MARK}${percentKey(path)}`;
}

export function pathOfKey(key: string): BytePath {
  if (!key.startsWith(BYTES_MARK)) return bytePathOf(key);
  const encoded = key.slice(BYTES_MARK.length);
  return encoded.replace(/%([0-9A-F]{2})|[^%]+/g, (text, hex: string | undefined) =>
    hex === undefined ? bytePathOf(text) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** For URLs: everything but unreserved characters and `/` percent-encoded (RFC 3986 §2.1). */
export function urlPathOf(path: BytePath): string {
  return path.replace(/[^A-Za-z0-9\-._~/]/g, percent);
}

export function fileNameOf(path: BytePath): string {
  return keyOfPath(path.slice(path.lastIndexOf('/') + 1)).replace(BYTES_MARK, '');
}

export function isBelow(path: BytePath, folder: BytePath): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

// Greedy over well-formed sequences: what is left over, and `%` itself, is escaped.
const UTF8_SEQUENCE =
  /[\u0000-\u0024\u0026-\u007f]+|[\u00c2-\u00df][\u0080-\u00bf]|[\u00e0-\u00ef][\u0080-\u00bf]{2}|[\u00f0-\u00f4][\u0080-\u00bf]{3}|[^]/g;

function percentKey(path: BytePath): string {
  const kept = (part: string): string | undefined => (part === '%' ? undefined : utf8Of(part));
  return path.replace(UTF8_SEQUENCE, (part) => kept(part) ?? part.replace(/[^]/g, percent));
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function utf8Of(path: BytePath): string | undefined {
  try {
    return UTF8.decode(Buffer.from(path, 'latin1'));
  } catch {
    return undefined;
  }
}
