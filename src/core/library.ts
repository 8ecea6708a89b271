import type { BuiltInSink } from './sink.ts';

export const LIBRARY_LIMITS = {
  queryCharsMax: 500,
  queryTermsMax: 32,
  resultsMax: 200,
  neighboursMax: 500,
  snippetTokens: 24,
} as const;

export interface SearchQuery {
  readonly tenants: readonly string[];
  /** Words: all must occur; "quoted words" stand together; when no document has them all, any is enough. Never an FTS expression. */
  readonly words: string;
  readonly connection?: string;
  readonly limit: number;
}

export interface SearchResult {
  readonly tenant: string;
  readonly connection: string;
  readonly stream: string;
  readonly key: string;
  readonly title: string;
  readonly url: string | undefined;
  /** Plain text around the hits; hits stand between U+0002 and U+0003. */
  readonly snippet: string;
  /** Line of the first hit in the text, from 1; undefined when only the title matched. */
  readonly line: number | undefined;
  /** BM25, larger is better. */
  readonly score: number;
  readonly time: string;
}

export interface SearchPage {
  readonly total: number;
  readonly results: readonly SearchResult[];
}

export interface DocumentRef {
  readonly tenant: string;
  readonly connection: string;
  readonly key: string;
}

export interface Neighbour {
  readonly direction: 'out' | 'in';
  readonly rel: string;
  /** Key or URL as the link says it. */
  readonly to: string;
  /** The document at the other end, when the library has it. */
  readonly document:
    | { readonly connection: string; readonly key: string; readonly title: string; readonly url: string | undefined }
    | undefined;
}

/** Documents: full-text search and their links as a graph. Deleted documents leave a tombstone with a version and nothing else. */
export interface Library extends BuiltInSink {
  search(query: SearchQuery): Promise<SearchPage>;
  /** Undefined when there is no such document. */
  neighbours(of: DocumentRef): Promise<readonly Neighbour[] | undefined>;
  count(tenant: string, connection: string): Promise<number>;
}
