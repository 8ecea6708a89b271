// RFC 8288 §3. Total: what cannot be read is left out, never guessed.

export const LINK_HEADER_LIMITS = {
  charsMax: 16 * 1024, // longer ones count as absent
  linksMax: 64, // more are not looked at
} as const;

export interface Link {
  /** As written: may be relative to the page it came with. */
  readonly target: string;
  /** Lower case. */
  readonly relations: readonly string[];
}

const TARGET = /[\s,]*<([^<>]*)>/y;
const PARAMETER = /\s*;\s*([!#$&+\-.^_|~\w]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y;

export function parseLinkHeader(text: string | undefined): readonly Link[] {
  const links: Link[] = [];
  if (text === undefined || text.length > LINK_HEADER_LIMITS.charsMax) return links;
  let at = 0;
  while (links.length < LINK_HEADER_LIMITS.linksMax) {
    const target = matchAt(TARGET, text, at);
    if (target === null) return links;
    at = TARGET.lastIndex;
    let relations: readonly string[] | undefined;
    for (let found = matchAt(PARAMETER, text, at); found !== null; found = matchAt(PARAMETER, text, at)) {
      at = PARAMETER.lastIndex;
      const [, name = '', quoted, token = ''] = found;
      // The first one counts, as §3.3 has it: a second is no way to add a meaning.
      if (name.toLowerCase() === 'rel') relations ??= wordsOf(quoted?.replace(/\\(.)/g, '$1') ?? token);
    }
    links.push({ target: target[1] ?? '', relations: relations ?? [] });
    if (!/^\s*(?:,|$)/.test(text.slice(at))) return links;
  }
  return links;
}

export function nextLinkOf(header: string | undefined): string | undefined {
  return parseLinkHeader(header).find(({ relations }) => relations.includes('next'))?.target;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}
