import type { JsonValue } from '#core/json.ts';
import { secretPatternsOf, type SecretPattern } from './secret-pattern.ts';
import { isSensitiveName, redactShapes } from './sensitive-shapes.ts';

export const REDACTION_LIMITS = {
  secretCharsMin: 6, // shorter ones are not looked for: they would cut holes into ordinary words, and the holes would tell what they are
  secretsMax: 1000, // more are refused: every text is searched for each
  textCharsMax: 16 * 1024, // of one text; the rest is cut and marked
  valueCharsMax: 64 * 1024, // of all texts of one value; later ones become `[cut]`
  nodesMax: 1000, // members and items of one value; later ones are left out
  depthMax: 8,
  keyCharsMax: 256,
} as const;

export const REDACTED = '[redacted]';
const CUT = '[cut]';
const CUT_ENDING = ` ${CUT}`;
const GUARD_CHARS = 2048; // read beyond the limit: the longest written form of one piece of a secret, so that a cut never shows a part
const WORD_CHARS_MAX = 128; // a cut moves back at most this far to fall between words
const BASE64_EDGE = 2; // characters on each side that still carry bits of the secret

export interface Redactor {
  /** Total and idempotent; at most `textCharsMax` characters. */
  redactText(text: string): string;
  /** Anything → JSON without secrets: cycles, getters that throw, errors (name, code, message, cause only), URLs, headers, maps. Never throws. */
  redactValue(value: unknown): JsonValue;
  /** For credentials that are obtained later. Texts shorter than `secretCharsMin` change nothing. */
  register(secret: string): void;
}

/** Keeps registered secrets, and what looks like one, out of everything that leaves (I7, T36). */
export function createRedactor(options: { readonly secrets: readonly string[] }): Redactor {
  const patterns: SecretPattern[] = [];
  const known = new Set<string>();

  const register = (secret: string): void => {
    const findable =
      secret.trim().length >= REDACTION_LIMITS.secretCharsMin &&
      !REDACTED.includes(secret) &&
      !secret.includes(REDACTED);
    if (!findable || known.has(secret)) return;
    if (known.size >= REDACTION_LIMITS.secretsMax)
      throw new RangeError(`more than ${REDACTION_LIMITS.secretsMax} secrets to redact`);
    known.add(secret);
    patterns.push(...secretPatternsOf(secret, REDACTION_LIMITS.secretCharsMin));
  };
  const redactWithin = (text: string, charsMax: number): string => {
    // A text that was cut before keeps its ending, which would otherwise be taken for part of what stands before it.
    if (text.endsWith(CUT_ENDING) && text.length <= charsMax)
      return redactAll(text.slice(0, -CUT_ENDING.length)) + CUT_ENDING;
    const clean = redactAll(text.slice(0, charsMax + GUARD_CHARS));
    if (text.length <= charsMax + GUARD_CHARS) return clean.length <= charsMax ? clean : cutAt(clean, charsMax);
    // The end of what was read may be the beginning of a secret that was not read to its end.
    return cutAt(clean, Math.min(charsMax, clean.length - GUARD_CHARS));
  };
  const redactAll = (text: string): string => redactShapes(redactSecrets(text, patterns), REDACTED);

  for (const secret of options.secrets) register(secret);
  return {
    register,
    redactText: (text) => redactWithin(text, REDACTION_LIMITS.textCharsMax),
    redactValue: (value) =>
      valueOf(value, {
        ancestors: [],
        nodesLeft: REDACTION_LIMITS.nodesMax,
        charsLeft: REDACTION_LIMITS.valueCharsMax,
        redactWithin,
      }),
  };
}

function redactSecrets(text: string, patterns: readonly SecretPattern[]): string {
  // Markers of an earlier pass are left alone, which makes a second pass change nothing.
  return text
    .split(REDACTED)
    .map((part) => replaceSpans(part, spansOf(part, patterns)))
    .join(REDACTED);
}

type Span = readonly [from: number, to: number];

function spansOf(text: string, patterns: readonly SecretPattern[]): readonly Span[] {
  const spans: Span[] = [];
  for (const { kind, expression } of patterns) {
    expression.lastIndex = 0;
    for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
      const to = match.index + match[0].length;
      spans.push(kind === 'base64' ? withEdges(text, match.index, to) : [match.index, to]);
      expression.lastIndex = match.index + 1; // occurrences may overlap
    }
  }
  return spans.sort((a, b) => a[0] - b[0]);
}

function withEdges(text: string, from: number, to: number): Span {
  const isBase64 = (at: number): boolean => /[A-Za-z0-9+/_=-]/.test(text.charAt(at));
  let [start, end] = [from, to];
  while (from - start < BASE64_EDGE && start > 0 && isBase64(start - 1)) start -= 1;
  while (end - to < BASE64_EDGE && isBase64(end)) end += 1;
  return [start, end];
}

function replaceSpans(text: string, spans: readonly Span[]): string {
  let out = '';
  let done = 0;
  let openTo = -1;
  for (const [from, to] of spans) {
    if (from > openTo) out += `${text.slice(done, from)}${REDACTED}`;
    openTo = Math.max(openTo, to);
    done = openTo;
  }
  return out + text.slice(done);
}

/** Between words where possible and never inside a marker: half a marker would be redacted again by the next pass. */
function cutAt(text: string, charsMax: number): string {
  let end = Math.max(0, charsMax - CUT_ENDING.length);
  const space = text.lastIndexOf(' ', end);
  if (space > 0 && end - space < WORD_CHARS_MAX) end = space;
  const marker = text.lastIndexOf(REDACTED, end);
  if (marker >= 0 && marker < end && marker + REDACTED.length > end) end = marker;
  return `${text.slice(0, end).trimEnd()}${CUT_ENDING}`;
}

interface Walk {
  readonly ancestors: object[];
  nodesLeft: number;
  charsLeft: number;
  readonly redactWithin: (text: string, charsMax: number) => string;
}

function valueOf(value: unknown, walk: Walk): JsonValue {
  walk.nodesLeft -= 1;
  if (walk.nodesLeft <= 0) return CUT;
  switch (typeof value) {
    case 'string':
      return textOf(value, walk);
    case 'number':
      return Number.isFinite(value) ? value : textOf(String(value), walk);
    case 'boolean':
      return value;
    case 'bigint':
      return textOf(value.toString(), walk);
    case 'object':
      return value === null ? null : objectOf(value, walk);
    default: // undefined, functions, symbols: JSON has none of them
      return null;
  }
}

function textOf(text: string, walk: Walk): string {
  if (text === CUT) return CUT;
  if (walk.charsLeft <= 0) return CUT;
  const clean = walk.redactWithin(text, REDACTION_LIMITS.textCharsMax);
  walk.charsLeft = clean.length > walk.charsLeft ? 0 : walk.charsLeft - clean.length;
  return walk.charsLeft === 0 ? CUT : clean;
}

function objectOf(value: object, walk: Walk): JsonValue {
  if (walk.ancestors.includes(value)) return textOf('[circular]', walk);
  if (walk.ancestors.length >= REDACTION_LIMITS.depthMax) return textOf('[too deep]', walk);
  walk.ancestors.push(value);
  try {
    if (Array.isArray(value)) return itemsOf(value, walk);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return textOf(`[${value.byteLength} bytes]`, walk);
    if (value instanceof Date)
      return textOf(Number.isFinite(value.getTime()) ? value.toISOString() : 'invalid date', walk);
    if (value instanceof URL) return textOf(value.href, walk);
    return membersOf(entriesOf(value), walk);
  } catch {
    return textOf('[unreadable]', walk); // a getter or a proxy threw
  } finally {
    walk.ancestors.pop();
  }
}

function itemsOf(items: readonly unknown[], walk: Walk): JsonValue {
  const out: JsonValue[] = [];
  for (let at = 0; at < items.length && walk.nodesLeft > 0; at += 1) out.push(valueOf(items[at], walk));
  return out;
}

function entriesOf(value: object): Iterable<readonly [unknown, unknown]> {
  // HTTP clients hang requests with their headers onto errors, so of an error only these members leave.
  if (value instanceof Error) {
    const { name, message, cause } = value;
    const code = 'code' in value ? value.code : undefined;
    return Object.entries({ name, code, message, cause }).filter(([, member]) => member !== undefined);
  }
  if (value instanceof Map || value instanceof Headers || value instanceof URLSearchParams) return value.entries();
  if (value instanceof Set) return [...value.values()].entries();
  return Object.entries(value);
}

function membersOf(entries: Iterable<readonly [unknown, unknown]>, walk: Walk): JsonValue {
  const members: [string, JsonValue][] = [];
  for (const [name, member] of entries) {
    if (walk.nodesLeft <= 0) break;
    if (member === undefined || typeof member === 'function' || typeof member === 'symbol') continue;
    const text = typeof name === 'string' || typeof name === 'number' ? String(name) : '[key]';
    const clean = walk.redactWithin(text, REDACTION_LIMITS.keyCharsMax);
    const hidden = isSensitiveName(text) && member !== null && typeof member !== 'boolean' && member !== '';
    walk.nodesLeft -= hidden ? 1 : 0;
    members.push([clean, hidden ? REDACTED : valueOf(member, walk)]);
  }
  return Object.fromEntries(members); // defines members, so `__proto__` is only a name
}
