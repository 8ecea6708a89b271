// A stub of the HTTP API for the browser test: canned answers with hostile strings, the security headers of the product, and
// a live stream the test speaks into. It invents the data; shapes and headers are those of src/api.ts and the server.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { HOSTILE, drillOf, searchPage, type StubData } from './stub-data.ts';

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

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

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
