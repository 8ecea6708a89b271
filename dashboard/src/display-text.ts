// Text from outside is data wherever it shows. Preact writes it as text nodes; what is left to do is what a text node cannot:
// controls and bidi overrides that let a name lie about its letters, and texts without end.

// C0 without tab and newline, DEL, C1, bidi marks, embeddings and isolates, line and paragraph separators, zero-width no-break space.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const LINE_BREAKS = /[\t\n]+/g;

export const DISPLAY_LIMITS = {
  lineCharsMax: 300, // titles, reasons, names
  textCharsMax: 2000, // snippets, messages, cursors
} as const;

/** Printable text; control and bidi characters become U+FFFD. What is cut is marked by `…`. */
export function displayText(text: string, charsMax: number = DISPLAY_LIMITS.textCharsMax): string {
  const printable = text.slice(0, charsMax + 1).replace(UNSAFE, '\ufffd');
  return printable.length <= charsMax ? printable : `${printable.slice(0, charsMax - 1)}…`;
}

/** The same on one line. */
export function displayLine(text: string, charsMax: number = DISPLAY_LIMITS.lineCharsMax): string {
  return displayText(text.replace(LINE_BREAKS, ' '), charsMax);
}
