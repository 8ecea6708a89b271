// What a sink sends with: one pool of sockets per sink, no redirects, answers read as far as a reason needs. Addresses come
// from the operator's configuration alone, never from data, so internal ones are as good as public ones.

import type { Agent, Dispatcher } from 'undici';
import type { Clock } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { SinkAnswer, SinkContext, SinkRequest } from '#core/sink.ts';
import { toNetworkFault } from './http-faults.ts';

export const SINK_POST_LIMITS = {
  socketsMax: 8, // per origin; more requests wait for one, within their own timeout
  answerBytesKept: 4 * 1024, // enough for a reason
  answerBytesRead: 64 * 1024, // read so that the socket can be used again; an answer that goes on loses its socket
  headerBytesMax: 32 * 1024, // of an answer; more is no answer
  connectTimeoutMs: 10_000,
} as const;

export interface SinkPost {
  readonly post: SinkContext['post'];
  /** Ends all sockets; requests under way fail. */
  close(): Promise<void>;
}

export function createSinkPost(clock: Clock): SinkPost {
  let opened: Promise<Agent> | undefined;
  return {
    async post(request) {
      opened ??= openAgent();
      const agent = await opened;
      const late = new AbortController();
      const done = new AbortController();
      void clock.sleep(request.timeoutMs, done.signal).then(() => late.abort());
      try {
        return await exchange(agent, request, AbortSignal.any([request.signal, late.signal]));
      } catch (error) {
        const { host } = new URL(request.url); // the rest of an address may be a secret (I7)
        if (request.signal.aborted)
          throw new Fault('cancelled', `${host}: stopped before it answered`, { cause: error });
        if (late.signal.aborted)
          throw new Fault('upstream_timeout', `${host}: no answer in ${request.timeoutMs} ms`, { cause: error });
        throw toNetworkFault(error, host);
      } finally {
        done.abort();
      }
    },
    async close() {
      await (await opened)?.destroy();
    },
  };
}

async function openAgent(): Promise<Agent> {
  const library = await import('undici'); // loading takes longer than all the rest of a command that sends nothing
  return new library.Agent({
    connections: SINK_POST_LIMITS.socketsMax,
    maxHeaderSize: SINK_POST_LIMITS.headerBytesMax,
    connect: { timeout: SINK_POST_LIMITS.connectTimeoutMs },
    headersTimeout: 0, // each request brings a timeout of its own
    bodyTimeout: 0,
    pipelining: 1,
    allowH2: false,
  });
}

async function exchange(agent: Agent, request: SinkRequest, signal: AbortSignal): Promise<SinkAnswer> {
  const { url, method = 'POST', headers, body } = request;
  const answer = await agent.request({
    origin: new URL(url).origin,
    path: pathOf(url),
    method,
    headers: { 'user-agent': 'weir', 'accept-encoding': 'identity', ...headers },
    signal,
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.statusCode, headers: headersOf(answer), text: await firstText(answer) };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
}

function headersOf({ headers }: Dispatcher.ResponseData): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || name === 'set-cookie' ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  );
  return Object.fromEntries(entries);
}

/** The status has been said: whether its explanation arrives, in time and whole, changes nothing. */
async function firstText({ body, headers }: Dispatcher.ResponseData): Promise<string> {
  const readable = (headers['content-encoding'] ?? 'identity') === 'identity';
  const kept: Uint8Array[] = [];
  let bytes = 0;
  try {
    // No encoding is set on it, so a body yields bytes.
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      if (readable && bytes < SINK_POST_LIMITS.answerBytesKept) kept.push(piece);
      bytes += piece.byteLength;
      if (bytes > SINK_POST_LIMITS.answerBytesRead) break;
    }
  } catch {
    // What came is what there is.
  } finally {
    body.on('error', () => {}).destroy(); // a body thrown away unread must not end the process
  }
  return Buffer.concat(kept).subarray(0, SINK_POST_LIMITS.answerBytesKept).toString('utf8');
}
