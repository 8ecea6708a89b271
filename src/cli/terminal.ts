import { stripVTControlCharacters } from 'node:util';
import { toPlainLine } from '#core/plain-text.ts';

export interface TerminalOptions {
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly columns: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface TerminalFlags {
  readonly json?: boolean;
  readonly color?: boolean;
}

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan' | 'inverse';

const SGR: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  cyan: [36, 39],
  inverse: [7, 27],
};

/** Where a command writes: the answer to stdout and nothing else, everything for people to stderr. */
export interface Terminal {
  readonly json: boolean;
  readonly outIsTerminal: boolean;
  readonly columns: number;
  readonly unicode: boolean;
  withFlags(flags: TerminalFlags): Terminal;
  line(text?: string): void;
  /** One JSON document. */
  document(value: unknown): void;
  /** One JSON object on one line. */
  record(value: unknown): void;
  /** Text from outside as one printable line. Cut to `charsMax` for people only: a pipe gets all of it. */
  fit(text: string, charsMax: number): string;
  note(text: string): void;
  /** Replaces itself on a terminal; a line per call elsewhere. */
  progress(text: string): void;
  paint(style: Style, text: string): string;
  /** The same for what goes to stderr. */
  paintNote(style: Style, text: string): string;
}

export function createTerminal(options: TerminalOptions, flags: TerminalFlags = {}): Terminal {
  return terminalOn(options, flags, { progressShown: false });
}

/** What stands on the screen is one fact, however many views with other flags write to it. */
interface Screen {
  progressShown: boolean;
}

function terminalOn(options: TerminalOptions, flags: TerminalFlags, screen: Screen): Terminal {
  const { env } = options;
  const outColor = wantsColor(env, flags, options.outIsTerminal);
  const errColor = wantsColor(env, flags, options.errIsTerminal);
  const erasable = options.errIsTerminal && (env['CI'] ?? '') === '';
  const clearProgress = (): void => {
    if (screen.progressShown) options.writeErr('\r\u001b[2K');
    screen.progressShown = false;
  };
  const answer = (text: string): void => {
    clearProgress();
    options.writeOut(`${text}\n`);
  };
  return {
    json: flags.json === true,
    outIsTerminal: options.outIsTerminal,
    columns: options.columns,
    // An empty locale variable counts as unset (POSIX, section 8.2).
    unicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'utf-8'),
    withFlags: (more) => terminalOn(options, { ...flags, ...more }, screen),
    line: (text = '') => answer(text),
    document: (value) => answer(toJsonText(value, 2)),
    record: (value) => answer(toJsonText(value)),
    fit: (text, charsMax) => toPlainLine(text, options.outIsTerminal ? charsMax : Number.POSITIVE_INFINITY),
    note(text) {
      clearProgress();
      options.writeErr(`${text}\n`);
    },
    progress(text) {
      if (!erasable) {
        options.writeErr(`${toPlainLine(text)}\n`);
        return;
      }
      clearProgress();
      options.writeErr(toPlainLine(text, options.columns - 1));
      screen.progressShown = true;
    },
    paint: (style, text) => (outColor ? styled(style, text) : text),
    paintNote: (style, text) => (errColor ? styled(style, text) : text),
  };
}

// What JSON.stringify leaves as it is although a terminal obeys it: DEL, C1, bidi controls, separators (T55).
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** JSON of the same value in which nothing can act on a terminal: such characters can only stand in strings, where an escape means the same. */
export function toJsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    UNSAFE_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function styled(style: Style, text: string): string {
  const [on, off] = SGR[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Decided in this order: --no-color, NO_COLOR, FORCE_COLOR, TERM=dumb, not a terminal. */
function wantsColor(env: TerminalOptions['env'], flags: TerminalFlags, isTerminal: boolean): boolean {
  if (flags.color === false || flags.json === true) return false;
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'] ?? '';
  if (forced !== '') return forced !== '0' && forced !== 'false';
  return env['TERM'] !== 'dumb' && isTerminal;
}

/** Columns a text takes on a screen, escapes not counted. Wide characters of East Asia count double. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  return width;
}

// The blocks of Unicode's East Asian Width W and F that occur in text, and emoji (UAX #11).
function isWide(code: number): boolean {
  return (
    code >= 0x1100 &&
    (code <= 0x115f ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff) ||
      (code >= 0x20000 && code <= 0x3fffd))
  );
}
