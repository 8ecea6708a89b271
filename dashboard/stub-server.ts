// A stub of the HTTP API for the browser test: canned answers with hostile strings, the security headers of the product, and
// a live stream the test speaks into. It invents the data; shapes and headers are those of src/api.ts and the server.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { CloudEvent, Connector, ConnectorDrill, ConnectorList, QueueStats, SearchPage } from './src/api.ts';

/** The product's policy, and Trusted Types on top: any write through innerHTML would be a violation, not only a successful attack. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

export const HOSTILE = {
  markup: '<img src=x onerror=alert(1)><script>alert(2)</script>',
  url: 'javascript:alert(document.domain)',
  bidi: 'invoice\u202egpj.exe\u2066 \u0007\u009b31mred',
} as const;

export interface Stub {
  readonly origin: string;
  /** What the API answers now; the test may change it. */
  readonly data: StubData;
  /** Paths that fail with a problem until taken out. */
  readonly failing: Set<string>;
  /** `METHOD path` of every API request. */
  readonly requests: string[];
  send(name: string, data: unknown): void;
  /** Ends all live streams and refuses new ones until `true`. */
  allowStreams(allowed: boolean): void;
  close(): Promise<void>;
}

export interface StubData {
  connectors: ConnectorList;
  queue: QueueStats;
  events: readonly CloudEvent[];
}

const TYPES: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

export async function openStub(folder: string, data: StubData): Promise<Stub> {
  const streams = new Set<ServerResponse>();
  const failing = new Set<string>();
  const requests: string[] = [];
  let streamsAllowed = true;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    response.setHeader('content-security-policy', POLICY);
    response.setHeader('x-content-type-options', 'nosniff');
    if (!url.pathname.startsWith('/api/')) return file(folder, url.pathname, response);
    requests.push(`${request.method ?? ''} ${url.pathname}`);
    response.setHeader('cache-control', 'no-store');
    if (failing.has(url.pathname)) return problem(response);
    if (url.pathname === '/api/v1/stream') {
      if (!streamsAllowed) return problem(response);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 100\n\n');
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return;
    }
    json(response, 200, bodyOf(request.method ?? '', url, data) ?? { title: 'not in the stub' });
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // A TCP server that listens has this form of address.
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    data,
    failing,
    requests,
    send(name, body) {
      for (const stream of streams) stream.write(`event: ${name}\ndata: ${JSON.stringify(body)}\n\n`);
    },
    allowStreams(allowed) {
      streamsAllowed = allowed;
      if (!allowed) for (const stream of streams) stream.end();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function bodyOf(method: string, url: URL, data: StubData): unknown {
  const path = url.pathname.replace('/api/v1/', '');
  if (path === 'connectors') return data.connectors;
  if (path === 'queue') return data.queue;
  if (path === 'events') return { schemaVersion: 1, items: data.events, next_cursor: null };
  if (path === 'search') return searchPage(url.searchParams.get('words') ?? '');
  if (method === 'POST') return { schemaVersion: 1, runs: drillOf(data).recent_runs.slice(0, 1) };
  return drillOf(data);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(body));
}

function problem(response: ServerResponse): void {
  json(response, 503, {
    type: 'about:blank',
    title: 'The log is full',
    status: 503,
    detail: HOSTILE.markup,
    code: 'log_full',
    request_id: 'req-7f3a',
    hint: 'Sinks are behind; see `weir queue stats`.',
  });
}

async function file(folder: string, path: string, response: ServerResponse): Promise<void> {
  const name = normalize(path === '/' ? '/index.html' : path);
  const bytes = await readFile(join(folder, name)).catch(() => undefined);
  if (bytes === undefined) return json(response, 404, { title: 'no such file', status: 404 });
  response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' });
  response.end(bytes);
}

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

export function connectorOf(name: string, status: Connector['health']['status'], change: Partial<Connector> & { readonly reason?: string } = {}): Connector {
  const { reason = 'all is well', ...rest } = change;
  return {
    name,
    type: name === 'host' ? 'metrics' : name,
    tenant: 'default',
    enabled: true,
    health: { status, reason, metrics: { total_calls: 418, error_rate: 0, p50_ms: 24, p95_ms: 118, p99_ms: 240 } },
    last_result: 'succeeded',
    activity: 'idle',
    circuit_state: 'closed',
    last_success: ago(42),
    next_run: ago(-18),
    events_total: 412,
    ...rest,
  };
}

const calls = (total_calls: number, error_rate: number, p95_ms: number | null) => ({
  total_calls,
  error_rate,
  p50_ms: p95_ms === null ? null : p95_ms / 4,
  p95_ms,
  p99_ms: p95_ms,
});

export function stubData(): StubData {
  return {
    connectors: {
      schemaVersion: 1,
      summary: '2 of 5 connectors need attention: teams down since 13:40 (circuit open, 65 % errors), slack degraded since 14:02 (p95 3.2 s > 2.0 s).',
      connectors: [
        connectorOf('teams', 'down', {
          health: { status: 'down', reason: `65 % of 120 calls failed (limit 50 %): ${HOSTILE.markup}`, metrics: calls(120, 0.65, 812) },
          last_result: 'failed',
          activity: 'circuit open, trial in 20 s',
          circuit_state: 'open',
          last_success: ago(5400),
          events_total: 18_204,
        }),
        connectorOf('slack', 'degraded', {
          health: { status: 'degraded', reason: 'p95 3.2 s is above 2.0 s', metrics: calls(2310, 0.004, 3210) },
          last_result: 'partial',
          activity: 'retrying 2/3, next in 12 s',
          events_total: 1_204_882,
        }),
        connectorOf('host', 'unknown', {
          health: { status: 'unknown', reason: 'no calls in the last 60 minutes', metrics: calls(0, 0, null) },
          last_result: null,
          last_success: null,
          activity: 'idle',
          next_run: ago(-42),
          events_total: 0,
        }),
        connectorOf('git', 'healthy', { activity: 'running 412/1000', reason: 'p95 118 ms, no errors in 418 calls' }),
        connectorOf('logs', 'healthy', { reason: `reads ${HOSTILE.bidi}`, enabled: false, activity: 'paused', next_run: null }),
      ],
    },
    queue: {
      schemaVersion: 1,
      queue_name: 'events',
      size: 1204,
      max_size: 10_000,
      usage_pct: 12.04,
      backpressure: false,
      oldest_age_seconds: 3.4,
      sinks: [
        { name: 'library', lag: 1204 },
        { name: 'timeline', lag: 0 },
      ],
    },
    events: [
      eventOf('e1', 'teams', 'circuit opened: 5 failures in a row', 'critical'),
      eventOf('e2', 'git', HOSTILE.markup, undefined, HOSTILE.url),
      eventOf('e3', 'git', 'Hold the position until the sink has confirmed', undefined, 'https://git.example/c/3f2a'),
      eventOf('e4', 'logs', `WARN ${HOSTILE.bidi}`, 'medium'),
      eventOf('e5', 'host', 'load 14.2 is 4.1 standard deviations above normal', 'high'),
    ],
  };
}

export function eventOf(id: string, connector: string, title: string, severity?: string, url?: string): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: `/tenants/default/connectors/${connector}/main`,
    type: `weir.${connector}.main.upsert`,
    subject: id,
    time: ago(30 + id.charCodeAt(1)),
    tenantid: 'default',
    connectorid: connector,
    ...(severity === undefined ? {} : { severity }),
    sequence: '0000000000000001',
    data: { kind: 'signal', title, ...(url === undefined ? {} : { url }) },
  };
}

function searchPage(words: string): SearchPage {
  if (words.includes('nothing')) return { schemaVersion: 1, total: 0, results: [] };
  const result = { connector: 'git', tenant: 'default', stream: 'docs', score: 4.2, time: ago(3600) };
  return {
    schemaVersion: 1,
    total: 3,
    results: [
      {
        ...result,
        key: 'docs/reliability.md',
        title: 'Reliability',
        url: 'file:///srv/docs/reliability%20notes.md#L12',
        line: 12,
        snippet: `The \u0002cursor\u0003 and the events it covers commit together; a \u0002cursor\u0003 never runs ahead of <b>${HOSTILE.markup}</b> what is durable.`,
      },
      {
        ...result,
        key: 'docs/design.md',
        title: 'Design of the event log',
        url: 'https://docs.example/design#cursor',
        line: null,
        snippet: 'Schema-checked position from which the next pull resumes: the \u0002cursor\u0003 is owned and stored by the platform.',
      },
      { ...result, key: 'evil', title: HOSTILE.markup, url: HOSTILE.url, line: null, snippet: `a \u0002${HOSTILE.bidi}\u0003 hit` },
    ],
  };
}

function drillOf(data: StubData): ConnectorDrill {
  const connector = data.connectors.connectors[0] ?? connectorOf('git', 'healthy');
  const counts = { pages: 5, appended: 12, unchanged: 400, deleted: 1, failed: 0, skipped: 0 };
  return {
    schemaVersion: 1,
    connector,
    streams: [
      { name: 'docs', cursor: { sha: '3f2a9c', path: 'docs/guide.md' }, cursor_at: ago(42), events_total: 380, next_run: ago(-18), failures: 0, reconcile_due: null },
      { name: 'commits', cursor: null, cursor_at: null, events_total: 32, next_run: ago(-18), failures: 2, reconcile_due: null },
    ],
    recent_runs: [
      { id: 'r1', stream: 'docs', started_at: ago(44), ended_at: ago(42), outcome: 'succeeded', counts, message: null },
      { id: 'r2', stream: 'commits', started_at: ago(90), ended_at: ago(89), outcome: 'failed', counts: { appended: 0 }, message: HOSTILE.markup },
    ],
    recent_failures: [{ time: ago(89), operation: 'git log', code: 'source_missing', message: `ref ${HOSTILE.bidi} does not exist` }],
    dead_letters: 2,
  };
}
