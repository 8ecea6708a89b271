import {
  Fault,
  standardWebhookHeaders,
  toCloudEvent,
  toFault,
  type LogEntry,
  type Sink,
  type SinkAnswer,
  type SinkContext,
  type SinkRequest,
  type WriteResult,
} from '#sdk/index.ts';
import type { HttpSinkSettings } from './settings.ts';
import { sinkFaultOf, verdictOf, type AnswerContext } from './verdict.ts';

export const HTTP_SINK_LIMITS = {
  bodyBytesMax: 1024 * 1024, // of one request; an event that makes more is rejected
  sendingMs: 25_000, // of one write; no further request is begun after it, so that what was written is told in time
} as const;

type Retry = Extract<WriteResult, { outcome: 'retry' }>;
/** What is asked besides the body: the rest is the same for every request. */
type Asked = Pick<SinkRequest, 'url' | 'method' | 'headers' | 'signal'> & { readonly body?: string };

export function createHttpSink(settings: HttpSinkSettings, ctx: SinkContext): Sink {
  const { env, name } = ctx;
  const { url, secret, ping_url: pingUrl } = settings;
  /** What the receiver has said of itself, for as long as it holds. */
  let quiet: { readonly fault: Fault; readonly untilMs: number } | undefined;

  const ask = async (asked: Asked): Promise<SinkAnswer> => {
    try {
      return await ctx.post({ ...asked, timeoutMs: settings.timeout_seconds * 1000 });
    } catch (error) {
      throw toSinkFault(error);
    }
  };
  const contextOf = (address: string): AnswerContext => ({ sink: name, url: address, nowMs: env.clock.now() });
  const signed = (id: string, body: string): Readonly<Record<string, string>> =>
    standardWebhookHeaders(secret, { id, body, timestampS: Math.floor(env.clock.now() / 1000) });
  const heed = (fault: Fault): Fault => {
    const { retryAtMs } = fault;
    // Monotonic (I10): a wall clock that is set back would prolong the wait.
    if (retryAtMs !== undefined)
      quiet = { fault, untilMs: env.clock.monotonic() + Math.max(0, retryAtMs - env.clock.now()) };
    return fault;
  };

  const send = async ({ event }: LogEntry, signal: AbortSignal): Promise<WriteResult> => {
    const body = JSON.stringify(toCloudEvent(event));
    const bytes = Buffer.byteLength(body);
    if (bytes > HTTP_SINK_LIMITS.bodyBytesMax) return { outcome: 'reject', fault: tooLarge(bytes) };
    const headers = {
      'content-type': 'application/cloudevents+json',
      // The same for every try of this event by this sink (I12). No full stop: the signature joins its parts with them.
      ...signed(`${event.id}_${name}`, body),
    };
    let answer: SinkAnswer;
    try {
      answer = await ask({ url, headers, body, signal });
    } catch (error) {
      return { outcome: 'retry', fault: toFault(error) };
    }
    const result = verdictOf(answer, contextOf(url));
    if (result.outcome === 'written') quiet = undefined;
    if (result.outcome === 'retry') heed(result.fault);
    return result;
  };

  return {
    name,
    open: () => Promise.resolve(), // the first write is the first contact: a probe would prove no more
    async write(entries, signal) {
      const results: WriteResult[] = [];
      const endMs = env.clock.monotonic() + HTTP_SINK_LIMITS.sendingMs;
      // One after the other: the next event of a key must not overtake the one before (I5).
      for (const entry of entries) {
        const late = env.clock.monotonic() >= endMs;
        const result = late ? slow(url, results.length) : await send(entry, signal);
        if (result.outcome === 'retry') return [...results, ...restOf(entries.length - results.length, result)];
        results.push(result);
      }
      return results;
    },
    async ping(signal) {
      if (quiet !== undefined && env.clock.monotonic() < quiet.untilMs) throw quiet.fault;
      if (pingUrl === undefined) {
        const answer = await ask({ url, method: 'OPTIONS', headers: signed(`ping_${name}`, ''), signal });
        // Receivers need not know OPTIONS: that they refuse it with a status of their own shows that they are there.
        if (answer.status >= 500 || answer.status === 410 || answer.status === 429)
          throw heed(sinkFaultOf(answer, contextOf(url)));
        return;
      }
      const answer = await ask({ url: pingUrl, method: 'GET', headers: {}, signal });
      if (answer.status < 200 || answer.status >= 300) throw heed(sinkFaultOf(answer, contextOf(pingUrl)));
    },
    close: () => Promise.resolve(),
  };
}

function slow(url: string, events: number): Retry {
  const message = `${new URL(url).host} took ${events} events in ${HTTP_SINK_LIMITS.sendingMs / 1000} s; the rest follows`;
  return { outcome: 'retry', fault: new Fault('sink_unavailable', message) };
}

function restOf(count: number, result: Retry): readonly Retry[] {
  return Array.from({ length: count }, () => result);
}

/** No answer: whose fault that is nobody knows, and whether it was written neither (I12). */
function toSinkFault(error: unknown): Fault {
  const fault = toFault(error);
  return fault.code === 'cancelled' ? fault : new Fault('sink_unavailable', fault.message, { cause: fault });
}

function tooLarge(bytes: number): Fault {
  const limit = `${HTTP_SINK_LIMITS.bodyBytesMax} bytes`;
  return new Fault('record_too_large', `a request of ${bytes} bytes; the sink sends at most ${limit}`, {
    details: { limit },
  });
}
