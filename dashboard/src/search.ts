import { effect, signal, type ReadonlySignal } from '@preact/signals';
import type { SearchPage } from './api.ts';
import type { Browser } from './browser.ts';
import type { Client } from './client.ts';
import { problemOf, type Problem } from './problem.ts';

export type SearchState =
  | { readonly state: 'idle' }
  | { readonly state: 'asking'; readonly query: string; readonly before: SearchPage | undefined }
  | { readonly state: 'found'; readonly query: string; readonly page: SearchPage }
  | { readonly state: 'failed'; readonly query: string; readonly problem: Problem };

export const SEARCH_LIMITS = {
  typingPauseMs: 200, // a request per word rather than per letter
} as const;

export interface Search {
  readonly state: ReadonlySignal<SearchState>;
  /** Asks for the present query without waiting for a pause. */
  now(): void;
}

/** Follows `query`: the newest words win, an older answer never replaces a newer one. */
export function createSearch(browser: Browser, client: Client, query: ReadonlySignal<string>): Search {
  const state = signal<SearchState>({ state: 'idle' });
  let running: AbortController | undefined;
  let cancelWait = (): void => undefined;

  const ask = async (words: string): Promise<void> => {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const before = state.peek();
    state.value = { state: 'asking', query: words, before: before.state === 'found' ? before.page : undefined };
    try {
      const page = await client.search(words, mine.signal);
      if (!mine.signal.aborted) state.value = { state: 'found', query: words, page };
    } catch (error) {
      if (!mine.signal.aborted) state.value = { state: 'failed', query: words, problem: problemOf(error) };
    }
  };
  const follow = (words: string, pauseMs: number): void => {
    cancelWait();
    if (words === '') {
      running?.abort();
      state.value = { state: 'idle' };
    } else {
      cancelWait = browser.after(pauseMs, () => void ask(words));
    }
  };

  let first = true;
  effect(() => {
    follow(query.value.trim(), first ? 0 : SEARCH_LIMITS.typingPauseMs); // words that came with the address do not wait
    first = false;
  });
  return { state, now: () => follow(query.peek().trim(), 0) };
}
