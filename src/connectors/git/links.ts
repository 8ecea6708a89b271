import { EVENT_LIMITS } from '#sdk/index.ts';
import type { TextFormat } from './document-filter.ts';
import { bytePathOf, keyOfPath, type BytePath } from './git-path.ts';

// Every pattern begins with a literal and has bounded parts, so hostile text costs linear time.
const INLINE = /\]\(\s{0,8}(?:<([^<>\n]{1,2000})>|([^\s()<>]{1,2000}(?:\([^\s()]{0,200}\)[^\s()]{0,200})?))/g;
const REFERENCE = /^ {0,3}\[[^\]\n]{1,200}\]:[ \t]{0,8}<?([^\s<>]{1,2000})/gm;
const AUTOLINK = /<(https?:\/\/[^\s<>]{1,2000})>/g;
const HREF = /\bhref\s{0,8}=\s{0,8}(?:"([^"\n]{1,2000})"|'([^'\n]{1,2000})')/gi;
const IMAGE = /\.(?:png|jpe?g|gif|svg|webp|avif|ico|bmp)$/i;

export interface DocumentLink {
  readonly rel: 'links';
  /** The key of another document of the repository (which may not exist), or an http(s) address. */
  readonly to: string;
}

/** Where a document leads, each place once, in order of appearance, at most `linksMax`. Images are not places. */
export function linksOf(text: string, format: TextFormat, path: BytePath): DocumentLink[] {
  const prose = format === 'markdown' ? withoutCode(text) : text;
  const patterns = format === 'markdown' ? [INLINE, REFERENCE, AUTOLINK, HREF] : format === 'html' ? [HREF] : [];
  const targets = new Set<string>();
  for (const pattern of patterns) {
    for (const match of prose.matchAll(pattern)) {
      const to = resolvedTarget(match[1] ?? match[2] ?? '', path);
      if (to !== undefined && to !== '') targets.add(to);
      if (targets.size >= EVENT_LIMITS.linksMax) return asLinks(targets);
    }
  }
  return asLinks(targets);
}

function asLinks(targets: ReadonlySet<string>): DocumentLink[] {
  return [...targets].map((to) => ({ rel: 'links', to }));
}

/** Undefined for what is no place in the repository and no web page: anchors, images, `mailto:`, paths that leave the root. */
export function resolvedTarget(target: string, from: BytePath): string | undefined {
  const place = target.replace(/[#?].*$/, '');
  if (/^https?:\/\/[^/]/i.test(target)) return IMAGE.test(place) ? undefined : shortEnough(target.replace(/#.*$/, ''));
  if (place === '' || /^[a-z][a-z0-9+.-]*:/i.test(place) || place.startsWith('//') || IMAGE.test(place))
    return undefined;
  const path = normalised(bytePathOf(decoded(place)), from);
  return path === undefined || path === '' ? undefined : shortEnough(keyOfPath(path));
}

function normalised(place: BytePath, from: BytePath): BytePath | undefined {
  const parts = place.startsWith('/') ? [] : from.split('/').slice(0, -1);
  for (const part of place.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

function decoded(place: string): string {
  try {
    return decodeURIComponent(place);
  } catch {
    return place;
  }
}

function shortEnough(to: string): string | undefined {
  return to.length <= EVENT_LIMITS.urlCharsMax ? to : undefined;
}

// Examples are not links. Fenced blocks go line by line; a code span is bounded, so an unclosed backtick costs nothing.
function withoutCode(text: string): string {
  let fence: string | undefined;
  const lines = text.split('\n').map((line) => {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return '';
    }
    return fence === undefined ? line.replace(/`[^`\n]{1,500}`/g, '') : '';
  });
  return lines.join('\n');
}
