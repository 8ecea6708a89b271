// The three ways lists are cut into pages. Each ends by itself, at the page limit, or when the other side sends us in a
// circle; a page that is yielded has arrived whole.

import { createHash } from 'node:crypto';
import { Fault } from '#core/fault.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '#core/http.ts';
import { nextLinkOf } from './link-header.ts';

export const PAGINATE_LIMITS = {
  pagesMax: 10_000, // of one listing; more is `bad_upstream`
  cursorCharsMax: 8_192, // longer ones are `bad_upstream`
} as const;

export interface PageOptions {
  /** Default PAGINATE_LIMITS.pagesMax. */
  readonly pagesMax?: number;
}

export interface LinkPageOptions extends PageOptions {
  /** Where the next page is, absolute or relative to this one. Default: the `next` relation of the Link header. */
  readonly nextOf?: (answer: HttpAnswer) => string | undefined;
}

/** Follows `next` links within the origin of the base URL: one that leads elsewhere would carry the credentials there. */
export async function* linkPages(
  http: HttpClient,
  request: HttpRequest,
  { nextOf = nextByHeader, pagesMax }: LinkPageOptions = {},
): AsyncGenerator<HttpAnswer, void, undefined> {
  const seen = new Seen(request.operation, pagesMax);
  let asked: HttpRequest = request;
  for (;;) {
    const answer = await http.request(asked);
    yield answer;
    const next = nextOf(answer);
    if (next === undefined) return;
    const path = sameOriginUrl(next, answer.url, request.operation);
    seen.add(path);
    // A `next` link is complete: the query of the first page is part of it already.
    const { query: _, ...rest } = request;
    asked = { ...rest, path };
  }
}

export interface CursorPageOptions extends PageOptions {
  /** The request for the page that begins at `cursor`; undefined is the first. */
  readonly request: (cursor: string | undefined) => HttpRequest;
  /** Where the next page begins; undefined or empty: this was the last. */
  readonly nextOf: (answer: HttpAnswer) => string | undefined;
  /** Resumes here. */
  readonly from?: string;
}

export async function* cursorPages(
  http: HttpClient,
  { request, nextOf, from, pagesMax }: CursorPageOptions,
): AsyncGenerator<HttpAnswer, void, undefined> {
  let asked = request(from);
  const seen = new Seen(asked.operation, pagesMax);
  for (;;) {
    const answer = await http.request(asked);
    yield answer;
    const next = nextOf(answer);
    if (next === undefined || next === '') return;
    seen.add(next);
    asked = request(next);
  }
}

export interface OffsetPageOptions extends PageOptions {
  /** The request for the page that begins after `offset` records. */
  readonly request: (offset: number) => HttpRequest;
  /** How many records the page has: fewer than `pageSize` ends it. */
  readonly countOf: (answer: HttpAnswer) => number;
  readonly pageSize: number;
  /** Resumes here. */
  readonly from?: number;
}

export async function* offsetPages(
  http: HttpClient,
  { request, countOf, pageSize, from = 0, pagesMax }: OffsetPageOptions,
): AsyncGenerator<HttpAnswer, void, undefined> {
  let offset = from;
  let asked = request(offset);
  const seen = new Seen(asked.operation, pagesMax);
  for (;;) {
    const answer = await http.request(asked);
    const count = countOf(answer);
    // A server that ignores the offset gives the same full page for ever.
    if (count > 0) seen.add(createHash('sha256').update(answer.bytes()).digest('base64'));
    yield answer;
    if (count < pageSize) return;
    offset += count;
    asked = request(offset);
  }
}

function nextByHeader(answer: HttpAnswer): string | undefined {
  return nextLinkOf(answer.headers.get('link'));
}

/** Throws `bad_upstream` for another origin, before anything is sent there (T28). */
function sameOriginUrl(target: string, from: string, operation: string): string {
  const url = URL.parse(target, from);
  if (url === null) throw new Fault('bad_upstream', `${operation}: the next page has no valid address`);
  if (url.origin !== new URL(from).origin)
    throw new Fault('bad_upstream', `${operation}: the next page is said to be at another origin, ${url.origin}`);
  return url.href;
}

/** Where a listing has been. Bounded by the page limit. */
class Seen {
  readonly #operation: string;
  readonly #pagesMax: number;
  readonly #places = new Set<string>();

  constructor(operation: string, pagesMax: number = PAGINATE_LIMITS.pagesMax) {
    this.#operation = operation;
    this.#pagesMax = pagesMax;
  }

  add(place: string): void {
    if (place.length > PAGINATE_LIMITS.cursorCharsMax)
      throw new Fault('bad_upstream', `${this.#operation}: a cursor of ${place.length} characters`);
    if (this.#places.has(place)) throw new Fault('bad_upstream', `${this.#operation}: the pages go round in a circle`);
    this.#places.add(place);
    if (this.#places.size >= this.#pagesMax)
      throw new Fault('bad_upstream', `${this.#operation}: more than ${this.#pagesMax} pages`);
  }
}
