import type { Event } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import {
  type DocumentRef,
  type Library,
  LIBRARY_LIMITS,
  type Neighbour,
  type SearchPage,
  type SearchQuery,
  type SearchResult,
} from '#core/library.ts';
import type { SettleBatch } from './memory-log.ts';

/** `event` is undefined for a tombstone: a version and nothing else. */
export interface StoredDocument {
  readonly version: number;
  readonly event: Event | undefined;
}

/** One searched term: a single word, or the words of a quoted phrase. */
type Term = readonly string[];

interface Word {
  readonly folded: string;
  readonly start: number;
  readonly end: number;
}

/** Documents in a map; each search walks all of them. */
export class MemoryLibrary implements Library {
  readonly name = 'library';
  readonly #documents: Map<string, StoredDocument>;
  readonly #settle: SettleBatch;

  constructor(documents: Map<string, StoredDocument>, settle: SettleBatch) {
    this.#documents = documents;
    this.#settle = settle;
  }

  async apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'> {
    const outcome = this.#settle(this.name, partition, entries, fence);
    if (outcome === 'fenced') return outcome;
    for (const { event } of entries) {
      if (event.kind !== 'document') continue;
      const id = JSON.stringify([event.tenant, event.connection, event.stream, event.key]);
      // I4: strictly greater, so that a repeated or late event changes nothing.
      if (event.version <= (this.#documents.get(id)?.version ?? -1)) continue;
      this.#documents.set(id, { version: event.version, event: event.op === 'delete' ? undefined : event });
    }
    return outcome;
  }

  async search({ tenants, words, connection, limit }: SearchQuery): Promise<SearchPage> {
    const terms = termsOf(words);
    const candidates = this.#live().filter(
      (event) => tenants.includes(event.tenant) && (connection === undefined || event.connection === connection),
    );
    const withAll = candidates.filter((event) => terms.length > 0 && terms.every((term) => hitsIn(event, [term]) > 0));
    const found = withAll.length > 0 ? withAll : candidates.filter((event) => hitsIn(event, terms) > 0);
    const results = found.map((event) => toResult(event, terms)).toSorted((a, b) => b.score - a.score);
    return { total: found.length, results: results.slice(0, Math.min(limit, LIBRARY_LIMITS.resultsMax)) };
  }

  async neighbours(of: DocumentRef): Promise<readonly Neighbour[] | undefined> {
    const own = this.#live().filter((event) => event.tenant === of.tenant);
    const self = own.find((event) => event.connection === of.connection && event.key === of.key);
    if (self === undefined) return undefined;
    const leadsTo = (from: Event, to: string, event: Event) =>
      event.url === to || (event.key === to && event.connection === from.connection);
    const out = (self.links ?? []).map(({ rel, to }): Neighbour => {
      return { direction: 'out', rel, to, document: documentOf(own.find((event) => leadsTo(self, to, event))) };
    });
    const incoming = own.flatMap((from) => {
      const links = (from.links ?? []).filter(({ to }) => leadsTo(from, to, self));
      return links.map(({ rel, to }): Neighbour => ({ direction: 'in', rel, to, document: documentOf(from) }));
    });
    return [...out, ...incoming].slice(0, LIBRARY_LIMITS.neighboursMax);
  }

  async count(tenant: string, connection: string): Promise<number> {
    return this.#live().filter((event) => event.tenant === tenant && event.connection === connection).length;
  }

  #live(): Event[] {
    return [...this.#documents.values()].flatMap(({ event }) => (event === undefined ? [] : [event]));
  }
}

function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}]+/gu)].map((match) => {
    return { folded: match[0].toLowerCase(), start: match.index, end: match.index + match[0].length };
  });
}

function termsOf(query: string): Term[] {
  const parts = query.slice(0, LIBRARY_LIMITS.queryCharsMax).split('"');
  const terms = parts.flatMap((part, at): Term[] => {
    const words = wordsOf(part).map(({ folded }) => folded);
    // Odd parts stand between quotes; a quote that is never closed is only a character.
    return at % 2 === 1 && at < parts.length - 1 ? [words] : words.map((word) => [word]);
  });
  return terms.filter((term) => term.length > 0).slice(0, LIBRARY_LIMITS.queryTermsMax);
}

/** Indices into `words` that belong to a hit of any of the terms. */
function hitsOf(words: readonly Word[], terms: readonly Term[]): Set<number> {
  const hits = new Set<number>();
  for (const start of words.keys()) {
    for (const term of terms) {
      if (term.every((part, offset) => words[start + offset]?.folded === part))
        term.forEach((_, offset) => hits.add(start + offset));
    }
  }
  return hits;
}

function hitsIn(event: Event, terms: readonly Term[]): number {
  return hitsOf(wordsOf(event.title ?? ''), terms).size + hitsOf(wordsOf(event.text ?? ''), terms).size;
}

function toResult(event: Event, terms: readonly Term[]): SearchResult {
  const { tenant, connection, stream, key, title = key, text = '', time } = event;
  const words = wordsOf(text);
  const first = Math.min(...hitsOf(words, terms));
  const word = words[first];
  const line = word === undefined ? undefined : text.slice(0, word.start).split('\n').length;
  const snippet = word === undefined ? snippetOf(title, terms, 0) : snippetOf(text, terms, first);
  const score = hitsIn(event, terms) / (1 + words.length);
  return { tenant, connection, stream, key, title, url: urlAt(event.url, line), snippet, line, score, time };
}

function urlAt(url: string | undefined, line: number | undefined): string | undefined {
  return url?.replace(/#L\{line\}$/, line === undefined ? '' : `#L${line}`);
}

function snippetOf(text: string, terms: readonly Term[], first: number): string {
  const all = wordsOf(text);
  const from = Math.max(0, first - LIBRARY_LIMITS.snippetTokens / 2);
  const hits = hitsOf(all, terms);
  let snippet = '';
  let at = all[from]?.start ?? 0;
  // eslint-disable-next-line no-control-regex -- the marks of hits must not come from the document itself
  const plain = (part: string) => part.replace(/[\u0002\u0003]/g, '');
  for (const [offset, { start, end }] of all.slice(from, from + LIBRARY_LIMITS.snippetTokens).entries()) {
    const shown = text.slice(start, end);
    snippet += plain(text.slice(at, start)) + (hits.has(from + offset) ? `\u0002${shown}\u0003` : shown);
    at = end;
  }
  return snippet;
}

function documentOf(event: Event | undefined): Neighbour['document'] {
  if (event === undefined) return undefined;
  return {
    connection: event.connection,
    key: event.key,
    title: event.title ?? event.key,
    url: urlAt(event.url, undefined),
  };
}
