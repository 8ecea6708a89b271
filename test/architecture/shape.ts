// Sizes and shapes inside one file: how long its functions are, how many callable members its interfaces have.

import { closingOf, lineOf, type MaskedCode } from './source.ts';

export interface FunctionShape {
  readonly name: string;
  readonly line: number;
  /** Lines of its own: those of functions inside it count for themselves. */
  readonly ownLines: number;
}

const ARROW = /=>\s*\{/g;
const NAMED = /\bfunction\b\s*\*?\s*([\w$]*)\s*(?:<[^(){}]*>)?\s*\(/g;
const METHOD =
  /^[ \t]*(?:(?:async|static|get|set|override|public|private|protected)\s+)*\*?\s*(?:\[[\w.$]+\]|[#\w$]+)\s*(?:<[^(){}]*>)?\(/gm;
const NOT_A_METHOD =
  /^[ \t]*(?:async\s+)?(?:if|for|while|switch|catch|with|return|await|function|new|super|throw|typeof)\b/;

export function functionsOf(code: MaskedCode): FunctionShape[] {
  const found = new Map<number, { name: string; start: number; end: number }>();
  const add = (name: string, start: number, body: number): void => {
    if (body >= 0 && !found.has(body)) found.set(body, { name, start, end: closingOf(code, body) });
  };
  for (const match of code.matchAll(NAMED))
    add(match[1] ?? '', match.index, bodyAfter(code, match.index + match[0].length - 1));
  for (const match of code.matchAll(METHOD)) {
    if (NOT_A_METHOD.test(match[0])) continue;
    add(
      /([#\w$.]+)\]?\s*(?:<[^(){}]*>)?\($/.exec(match[0])?.[1] ?? '',
      match.index,
      bodyAfter(code, match.index + match[0].length - 1),
    );
  }
  for (const match of code.matchAll(ARROW))
    add(arrowName(code, match.index), match.index, match.index + match[0].length - 1);
  const functions = [...found.entries()].map(([body, shape]) => ({ ...shape, body })).sort((a, b) => a.body - b.body);
  return functions.map((shape) => {
    let ownLines = linesIn(code, shape.start, shape.end);
    let skipTo = shape.body;
    for (const inner of functions) {
      if (inner.body <= skipTo || inner.body <= shape.body || inner.end > shape.end) continue;
      ownLines -= linesIn(code, inner.body, inner.end) - 1;
      skipTo = inner.end;
    }
    const nameStart = shape.start + (/^\s*/.exec(code.slice(shape.start))?.[0].length ?? 0);
    return { name: shape.name === '' ? 'anonymous function' : shape.name, line: lineOf(code, nameStart), ownLines };
  });
}

function linesIn(code: MaskedCode, start: number, end: number): number {
  return code
    .slice(start, end + 1)
    .trim()
    .split('\n').length;
}

function arrowName(code: MaskedCode, arrow: number): string {
  return (
    /([\w$]+)\s*[=:]\s*(?:async\s*)?(?:<[^(){}]*>)?\([^()]*\)(?:\s*:[^=;{}]*)?\s*$/.exec(
      code.slice(Math.max(0, arrow - 400), arrow),
    )?.[1] ?? ''
  );
}

/** From the parameter list's opening bracket to the body's brace; -1 where there is none (a call, an overload, a signature). */
function bodyAfter(code: MaskedCode, parameters: number): number {
  let at = skipBlank(code, closingOf(code, parameters) + 1);
  if (code.charAt(at) === '{') return at;
  if (code.charAt(at) !== ':') return -1;
  // A return type: brackets inside it are skipped whole; the first brace that is not part of a type opens the body.
  for (at = skipBlank(code, at + 1); at < code.length; at += 1) {
    const char = code.charAt(at);
    if (char === ';' || char === ')' || char === ',') return -1;
    if (char === '(' || char === '[') at = closingOf(code, at);
    else if (char === '{') {
      if (!/[:|&<,(]\s*$|=>\s*$|\bis\s*$/.test(code.slice(0, at))) return at;
      at = closingOf(code, at);
    } else if (char === '<') at = angleEnd(code, at);
  }
  return -1;
}

function angleEnd(code: MaskedCode, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code.charAt(at) === '<') depth += 1;
    else if (code.charAt(at) === '>' && code.charAt(at - 1) !== '=' && --depth === 0) return at;
    else if (code.charAt(at) === ';' && depth === 0) return at;
  }
  return code.length;
}

function skipBlank(code: MaskedCode, from: number): number {
  let at = from;
  while (at < code.length && /\s/.test(code.charAt(at))) at += 1;
  return at;
}

export interface InterfaceShape {
  readonly name: string;
  readonly line: number;
  readonly callableMembers: number;
}

/** Counts what an implementer must write as code; plain fields are data, however many there are. */
export function interfacesOf(code: MaskedCode): InterfaceShape[] {
  return [...code.matchAll(/\binterface\s+([\w$]+)[^{;]*\{/g)].map((match) => {
    const open = match.index + match[0].length - 1;
    const members = topLevel(code.slice(open + 1, closingOf(code, open)))
      .split(/[;\n]/)
      .map((member) => member.trim())
      .filter((member) => /^(?:readonly\s+)?[\w$[\].]+\??\s*(?:<>)?(?:\(\)|:\s*(?:<>)?\(\)\s*=>)/.test(member));
    return { name: match[1] ?? '', line: lineOf(code, match.index), callableMembers: members.length };
  });
}

/** The text without what stands inside any bracket: one line per member remains. */
function topLevel(body: string): string {
  let out = '';
  let depth = 0;
  for (let at = 0; at < body.length; at += 1) {
    const char = body.charAt(at);
    const arrow = char === '>' && body.charAt(at - 1) === '=';
    if ('([{<'.includes(char)) {
      if (depth === 0) out += char;
      depth += 1;
    } else if (')]}'.includes(char) || (char === '>' && !arrow)) {
      depth -= 1;
      if (depth === 0) out += char;
    } else if (depth === 0) out += char;
  }
  return out;
}
