// Reads TypeScript just far enough for architecture rules: which characters are code, what is imported, where functions end.
// Written by hand because the installed compiler offers no programming interface.

export interface SourceFile {
  /** From the repository's root, with forward slashes: `src/core/event.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Same length as the text. Comments and the insides of strings, templates and regular expressions are blanks. */
export type MaskedCode = string;

const REGEX_AFTER_WORD =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield|instanceof)\s*$/;

/** Keeps quotes and line breaks, so that offsets and line numbers stay those of the text. */
export function maskSource(text: string): MaskedCode {
  let out = '';
  const templateDepths: number[] = []; // brace depth at which each open `${` ends
  let depth = 0;
  let at = 0;
  const blankTo = (end: number): void => {
    out += text.slice(at, end).replace(/[^\n]/g, ' ');
    at = end;
  };
  const copy = (): void => {
    out += text.charAt(at);
    at += 1;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (char === '/' && next === '/') blankTo(endOr(text, text.indexOf('\n', at)));
    else if (char === '/' && next === '*') blankTo(endOr(text, text.indexOf('*/', at + 2), 2));
    else if (char === "'" || char === '"') {
      const end = stringEnd(text, at + 1, char);
      copy();
      blankTo(end);
      if (at < text.length) copy();
    } else if (char === '/' && startsRegex(out)) {
      const end = regexEnd(text, at + 1);
      copy();
      blankTo(end);
      if (at < text.length) copy();
    } else if (char === '`' || (char === '}' && templateDepths.at(-1) === depth)) {
      if (char === '}') {
        templateDepths.pop();
        depth -= 1;
      }
      copy();
      const end = templateEnd(text, at);
      blankTo(end);
      if (text.startsWith('${', at)) {
        copy();
        depth += 1;
        templateDepths.push(depth);
      }
      if (at < text.length) copy();
    } else {
      if (char === '{') depth += 1;
      if (char === '}') depth -= 1;
      copy();
    }
  }
  return out;
}

function endOr(text: string, found: number, length = 0): number {
  return found === -1 ? text.length : found + length;
}

function stringEnd(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== quote && text.charAt(at) !== '\n')
    at += text.charAt(at) === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

function regexEnd(text: string, from: number): number {
  let inClass = false;
  let at = from;
  for (; at < text.length && text.charAt(at) !== '\n'; at += 1) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) break;
  }
  return Math.min(at, text.length);
}

/** Up to the closing backtick or the next `${`. */
function templateEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== '`' && !text.startsWith('${', at))
    at += text.charAt(at) === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

/** A slash divides after a value and starts a pattern elsewhere. */
function startsRegex(before: string): boolean {
  const trimmed = before.trimEnd();
  const last = trimmed.at(-1);
  if (last === undefined) return true;
  if (/[\w$]/.test(last)) return REGEX_AFTER_WORD.test(trimmed.slice(-16));
  return !')]}\'"`'.includes(last);
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

export interface ImportEdge {
  /** `undefined`: computed, cannot be read off the source. */
  readonly specifier: string | undefined;
  readonly typeOnly: boolean;
  readonly line: number;
}

const STATIC_IMPORT =
  /\b(import|export)\b(\s+type\b)?\s*((?:[\w$]+\s*,\s*)?(?:\*(?:\s*as\s+[\w$]+)?|\{[^{}]*\})|[\w$]+)\s*\bfrom\s*(['"])/g;
const BARE_IMPORT = /\bimport\s*(['"])/g;
const DYNAMIC_IMPORT = /(?<![.\w$])(?:import|require)\s*\(\s*(['"`])?/g;

/** Static, re-exporting, side-effect and dynamic imports, type imports included. */
export function importsOf(text: string, code: MaskedCode = maskSource(text)): ImportEdge[] {
  const edges: ImportEdge[] = [];
  const add = (match: RegExpExecArray, typeOnly: boolean, literal: boolean): void => {
    const start = match.index + match[0].length;
    const quote = text.charAt(start - 1);
    const specifier = literal ? text.slice(start, text.indexOf(quote, start)) : undefined;
    edges.push({
      specifier: specifier?.includes('${') ? undefined : specifier,
      typeOnly,
      line: lineOf(text, match.index),
    });
  };
  for (const match of code.matchAll(STATIC_IMPORT)) {
    add(match, match[2] !== undefined || namesOnlyTypes(match[3] ?? ''), true);
  }
  for (const match of code.matchAll(BARE_IMPORT)) add(match, false, true);
  for (const match of code.matchAll(DYNAMIC_IMPORT))
    add(match, /\btypeof\s*$/.test(code.slice(0, match.index)), match[1] !== undefined);
  return edges.sort((a, b) => a.line - b.line);
}

function namesOnlyTypes(clause: string): boolean {
  if (!clause.startsWith('{')) return false;
  const names = clause
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.length > 0 && names.every((name) => name.startsWith('type '));
}

/** Offset of the bracket that closes the one at `open`, or the end of the code. */
export function closingOf(code: MaskedCode, open: number): number {
  const opener = code.charAt(open);
  const closer = { '{': '}', '(': ')', '[': ']' }[opener];
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code.charAt(at) === opener) depth += 1;
    else if (code.charAt(at) === closer && --depth === 0) return at;
  }
  return code.length;
}
