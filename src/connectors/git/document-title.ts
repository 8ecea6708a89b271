import { EVENT_LIMITS, toPlainLine } from '#sdk/index.ts';
import type { TextFormat } from './document-filter.ts';

const LINES_MAX = 500; // a title stands at the beginning, or there is none
const LINE_CHARS_MAX = 2000;

/** The title a document gives itself: front matter, else its first heading. Undefined when it has none. */
export function titleOf(text: string, format: TextFormat): string | undefined {
  const found = format === 'html' ? htmlTitle(text) : (frontMatterTitle(text) ?? firstHeading(text, format));
  const title = toPlainLine(found ?? '', EVENT_LIMITS.titleCharsMax).trim();
  return title === '' ? undefined : title;
}

function frontMatterTitle(text: string): string | undefined {
  if (!/^---[ \t]*\r?\n/.test(text)) return undefined;
  const lines = firstLines(text);
  const end = lines.findIndex((line, at) => at > 0 && /^(?:---|\.\.\.)\s*$/.test(line));
  for (const line of lines.slice(1, Math.max(end, 1))) {
    const value = /^title:\s*(.+)$/.exec(line)?.[1]?.trim();
    if (value !== undefined) return value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return undefined;
}

function firstHeading(text: string, format: TextFormat): string | undefined {
  let fence: string | undefined; // a `#` inside a code block is a comment
  let above = '';
  for (const line of bodyLines(text)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence)))
      fence = fence === undefined ? mark : undefined;
    else if (fence === undefined) {
      const heading = headingOf(line, above, format);
      if (heading !== undefined) return heading;
      above = line;
    }
  }
  return undefined;
}

function headingOf(line: string, above: string, format: TextFormat): string | undefined {
  if (/^(?:={3,}|-{3,}|~{3,})\s*$/.test(line) && /^\S/.test(above) && !/^[-=>*+|]/.test(above))
    return withoutMarkup(above);
  const pattern = format === 'markdown' ? /^ {0,3}#{1,6}[ \t]+(.+)$/ : /^(?:=|\*|#\+title:)[ \t]+(.+)$/i; // AsciiDoc, Org
  const found = pattern.exec(line)?.[1];
  return found === undefined ? undefined : withoutMarkup(found);
}

function htmlTitle(html: string): string | undefined {
  const start = /<(title|h1)\b[^<>]{0,500}>/i.exec(html);
  if (start === null) return undefined;
  const inner = html.slice(start.index + start[0].length).slice(0, LINE_CHARS_MAX);
  const end = inner.toLowerCase().indexOf(`</${(start[1] ?? '').toLowerCase()}`);
  return inner
    .slice(0, Math.max(end, 0))
    .replace(/<[^<>]*>/g, ' ')
    .replace(/\s+/g, ' ');
}

function withoutMarkup(heading: string): string {
  return heading
    .trim()
    .replace(/[ \t]+#+$/, '')
    .replace(/!?\[([^[\]]*)\]\([^()]*\)/g, '$1')
    .replace(/[`*]+/g, '');
}

function bodyLines(text: string): string[] {
  const lines = firstLines(text);
  if (!/^---[ \t]*\r?$/.test(lines[0] ?? '')) return lines;
  const end = lines.findIndex((line, at) => at > 0 && /^(?:---|\.\.\.)\s*$/.test(line));
  return end < 0 ? lines : lines.slice(end + 1);
}

function firstLines(text: string): string[] {
  const lines = text.split('\n', LINES_MAX);
  return lines.map((line) => line.slice(0, LINE_CHARS_MAX));
}
