// One secret → regular expressions that find it however it was written: raw, %-encoded, JSON-escaped (any mix of these, also
// twice), hex, base64 and base64url at every alignment, because `Basic base64(user:secret)` contains no base64(secret).

const PIECE_CHARS_MAX = 64; // a long secret is looked for in pieces: cut or wrapped output still matches, and expressions stay small
const BASE64_GROUP = 3; // bytes that share four base64 characters, hence three alignments
const ESCAPES_MAX = 8; // backslashes before one escaped character: JSON inside JSON inside JSON

export interface SecretPattern {
  readonly kind: 'text' | 'base64';
  readonly expression: RegExp;
}

export function secretPatternsOf(secret: string, charsMin: number): readonly SecretPattern[] {
  return piecesOf(secret, charsMin).flatMap((piece) => [
    { kind: 'text', expression: new RegExp(`${spelledOf(piece)}|${hexOf(piece)}`, 'g') } as const,
    { kind: 'base64', expression: new RegExp(base64Of(piece), 'g') } as const,
  ]);
}

function piecesOf(secret: string, charsMin: number): readonly string[] {
  // Lines on their own as well: a key in PEM form comes back with other line ends or indented.
  const lines = secret.split(/[\r\n]+/).filter((line) => line.trim().length >= charsMin);
  return [...new Set([secret, ...lines].flatMap(cutInPieces))];
}

function cutInPieces(text: string): readonly string[] {
  const points = Array.from(text); // code points: half a surrogate pair has no UTF-8 form
  if (points.length <= PIECE_CHARS_MAX) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < points.length; at += PIECE_CHARS_MAX) {
    // The last piece overlaps the one before instead of being too short to look for.
    const from = Math.min(at, points.length - PIECE_CHARS_MAX);
    pieces.push(points.slice(from, from + PIECE_CHARS_MAX).join(''));
  }
  return pieces;
}

/** Each character raw, as %XX (the % itself encoded again up to twice) or as a JSON escape. */
function spelledOf(piece: string): string {
  let source = '';
  for (const [run] of piece.matchAll(/\\+|[^\\]/gu))
    source += run.startsWith('\\') ? backslashesOf(run.length) : characterOf(run);
  return source;
}

// One quantifier for a whole run: one per backslash would try every way to share the backslashes among them.
function backslashesOf(count: number): string {
  return `(?:\\\\{${count},${count * ESCAPES_MAX}}|(?:%(?:25){0,2}5[cC]){${count}}|(?:\\\\{1,${ESCAPES_MAX}}u005[cC]){${count}})`;
}

function characterOf(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  const raw = units.map((unit) => `\\u${hex4(unit)}`).join('');
  const percent = [...Buffer.from(character)].map((byte) => `%(?:25){0,2}${anyCase(hex2(byte))}`).join('');
  const escaped = units.map((unit) => `\\\\{1,${ESCAPES_MAX}}u${anyCase(hex4(unit))}`).join('');
  const ways = [character === '"' || character === '/' ? `\\\\{0,${ESCAPES_MAX}}${raw}` : raw, percent, escaped];
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) ways.push(`\\\\{1,${ESCAPES_MAX}}${short}`);
  if (character === ' ') ways.push('\\+');
  return `(?:${ways.join('|')})`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't' };

function hexOf(piece: string): string {
  return anyCase(Buffer.from(piece).toString('hex'));
}

function base64Of(piece: string): string {
  const bytes = Buffer.from(piece);
  const ways = Array.from({ length: BASE64_GROUP }, (_, offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    // Only characters made of this piece's bits alone; those at the edges also carry a neighbour's bits.
    const inner = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    return inner.replaceAll('+', '[+-]').replaceAll('/', '[/_]');
  });
  return ways.join('|');
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, '0');
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0');
}
