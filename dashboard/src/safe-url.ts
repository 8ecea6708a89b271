import { displayLine } from './display-text.ts';

/** A place as it may be shown: `link` can be followed, `file` is text to copy (a browser refuses to open files from a page), `none` is neither. */
export type Place =
  | { readonly as: 'link'; readonly href: string }
  | { readonly as: 'file'; readonly text: string }
  | { readonly as: 'none' };

const NOWHERE: Place = { as: 'none' };
const URL_CHARS_MAX = 4096;

/** Absolute http, https and file URLs only: `javascript:`, `data:`, relative and malformed ones lead nowhere (T54). */
export function placeOf(url: string | null | undefined, line: number | null): Place {
  if (url === null || url === undefined || url === '' || url.length > URL_CHARS_MAX) return NOWHERE;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) return NOWHERE;
  // A user name before the host is how an address pretends to be another one.
  if (parsed.protocol === 'http:' || parsed.protocol === 'https:')
    return parsed.username === '' && parsed.password === '' ? { as: 'link', href: parsed.href } : NOWHERE;
  if (parsed.protocol !== 'file:') return NOWHERE;
  const path = pathOf(parsed);
  const at = line ?? lineOf(parsed.hash);
  return { as: 'file', text: displayLine(at === undefined ? path : `${path}:${at}`, URL_CHARS_MAX) };
}

function pathOf(url: URL): string {
  const path = decoded(url.pathname);
  if (url.host !== '') return `//${url.host}${path}`;
  return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // a stray percent sign: the file's name as it came
  }
}

function lineOf(hash: string): number | undefined {
  const digits = /^#L(\d{1,9})$/.exec(hash)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
