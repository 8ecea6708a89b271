import type { Connector, ConnectorDrill, ConnectorList, EventPage, QueueStats, RunAnswer, SearchPage } from './api.ts';
import type { Browser } from './browser.ts';
import { RequestFailure, problemOfAnswer } from './problem.ts';

export const CLIENT_LIMITS = {
  answerMs: 15_000,
  runMs: 600_000, // a run is pulled to its end before it answers
  eventsShown: 20,
  resultsShown: 20,
} as const;

const PATHS = {
  connectors: '/api/v1/connectors',
  queue: '/api/v1/queue',
  events: '/api/v1/events',
  search: '/api/v1/search',
} as const;
export const LIVE_PATH = '/api/v1/stream?topics=connectors,queue,events';

/** The API as functions. Each rejects with RequestFailure, a TypeError (not reachable) or a DOMException (aborted, no answer in time). */
export interface Client {
  connectors(): Promise<ConnectorList>;
  queue(): Promise<QueueStats>;
  events(): Promise<EventPage>;
  drill(name: string): Promise<ConnectorDrill>;
  search(words: string, signal: AbortSignal): Promise<SearchPage>;
  run(name: string): Promise<RunAnswer>;
}

/** `onServerTime` gets what the server's clock said with each answer, in epoch milliseconds (whole seconds). */
export function createClient(browser: Browser, onServerTime: (ms: number) => void): Client {
  async function ask<T>(path: string, fits: (body: T) => boolean, init: RequestInit, timeoutMs: number): Promise<T> {
    const signals = [AbortSignal.timeout(timeoutMs), ...(init.signal ? [init.signal] : [])];
    const answer = await browser.fetch(path, { credentials: 'same-origin', ...init, signal: AbortSignal.any(signals) });
    if (!answer.ok) throw new RequestFailure(await problemOfAnswer(answer));
    const serverMs = Date.parse(answer.headers.get('date') ?? '');
    if (!Number.isNaN(serverMs)) onServerTime(serverMs);
    // The server's contract tests hold the shape; `fits` catches an answer of something else that listens on the port.
    const body = (await answer.json().catch(() => null)) as T | null;
    if (body === null || !fits(body)) throw new RequestFailure(strangeAnswer(path));
    return body;
  }
  const get = <T>(path: string, fits: (body: T) => boolean, signal?: AbortSignal): Promise<T> =>
    ask(
      path,
      fits,
      { headers: { accept: 'application/json' }, ...(signal === undefined ? {} : { signal }) },
      CLIENT_LIMITS.answerMs,
    );

  return {
    connectors: () => get<ConnectorList>(PATHS.connectors, fitsConnectors),
    queue: () => get<QueueStats>(PATHS.queue, fitsQueue),
    events: () =>
      get<EventPage>(`${PATHS.events}?limit=${CLIENT_LIMITS.eventsShown}`, ({ items }) => Array.isArray(items)),
    drill: (name) =>
      get<ConnectorDrill>(`${PATHS.connectors}/${encodeURIComponent(name)}`, ({ streams }) => Array.isArray(streams)),
    search: (words, signal) => {
      const params = new URLSearchParams({ words, limit: String(CLIENT_LIMITS.resultsShown) });
      return get<SearchPage>(`${PATHS.search}?${params.toString()}`, ({ results }) => Array.isArray(results), signal);
    },
    run: (name) =>
      ask<RunAnswer>(
        `${PATHS.connectors}/${encodeURIComponent(name)}/runs`,
        ({ runs }) => Array.isArray(runs),
        {
          method: 'POST',
          headers: {
            accept: 'application/json',
            'content-type': 'application/json',
            'idempotency-key': browser.token(),
          },
          body: '{}',
        },
        CLIENT_LIMITS.runMs,
      ),
  };
}

export function fitsConnectors(body: ConnectorList): boolean {
  // Row by row: one without health would stop the page in the middle of drawing.
  const rows: readonly Partial<Connector>[] = Array.isArray(body.connectors) ? body.connectors : [{}];
  return (
    typeof body.summary === 'string' &&
    rows.every((row) => typeof row?.name === 'string' && typeof row.health?.metrics === 'object')
  );
}

export function fitsQueue(body: QueueStats): boolean {
  return typeof body.size === 'number' && Array.isArray(body.sinks);
}

function strangeAnswer(path: string) {
  return {
    title: 'The answer is not one of Weir',
    detail: `${path} gave something else than expected.`,
    hint: 'Reload the page: it may be older than the server.',
    requestId: undefined,
  };
}
