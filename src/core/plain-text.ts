// Text from outside is data wherever it shows. A terminal obeys control characters, and bidi overrides let a name lie
// about its letters (T55), so both are replaced before anything is printed or logged.

// C0 (without tab and newline), DEL, C1, bidi controls and isolates, line/paragraph separators, zero-width no-break space.
// eslint-disable-next-line no-control-regex -- matching control characters is the purpose
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const LINE_BREAKS = /[\t\n]+/g;

/** Printable text: control and bidi characters become U+FFFD, tabs and newlines stay. */
export function toPlainText(text: string): string {
  return text.replace(UNSAFE, '\ufffd');
}

/** One printable line of at most `charsMax` characters; what is cut is marked by `…`. */
export function toPlainLine(text: string, charsMax = 200): string {
  const line = toPlainText(text.slice(0, charsMax * 4)).replace(LINE_BREAKS, ' ');
  return line.length <= charsMax ? line : `${line.slice(0, charsMax - 1)}…`;
}
