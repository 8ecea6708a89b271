// HTML → searchable text with the same line numbers. For search, not for display: what comes out is still untrusted text.

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
const CODE_POINT_MAX = 0x10ffff;

/** Tags, comments, scripts and styles become spaces; line feeds stay where they were, so a hit's line is the file's line. */
export function textOfHtml(html: string): string {
  const visible = blank(blank(blank(html, '<!--', '-->'), '<script', '</script'), '<style', '</style');
  return visible.replace(/<[^<>]*>/g, onlyLineFeeds).replace(/&(#x?[0-9a-f]{1,6}|[a-z]{2,8});/gi, decodedEntity);
}

/** Everything from `start` to the bracket that closes `end`. Index search: a pattern with a lazy middle would be quadratic on hostile input. */
function blank(text: string, start: string, end: string): string {
  const folded = text.toLowerCase().length === text.length ? text.toLowerCase() : text;
  const parts: string[] = [];
  let kept = 0;
  for (let at = folded.indexOf(start); at >= 0; at = folded.indexOf(start, kept)) {
    const close = folded.indexOf(end, at + start.length);
    const bracket = close < 0 ? -1 : folded.indexOf('>', close + end.length - 1);
    const next = bracket < 0 ? text.length : bracket + 1;
    parts.push(text.slice(kept, at), onlyLineFeeds(text.slice(at, next)));
    kept = next;
  }
  return parts.join('') + text.slice(kept);
}

function onlyLineFeeds(text: string): string {
  return ` ${text.replace(/[^\n]+/g, '')}`;
}

function decodedEntity(whole: string, name: string): string {
  if (!name.startsWith('#')) return ENTITIES[name.toLowerCase()] ?? whole;
  const hex = name[1] === 'x' || name[1] === 'X';
  const code = Number.parseInt(name.slice(hex ? 2 : 1), hex ? 16 : 10);
  const isCharacter = code > 0 && code <= CODE_POINT_MAX && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : whole;
}
