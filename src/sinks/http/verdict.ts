// What an answer says of the event, of the sender, or of the receiver as a whole.

import { Fault, parseRetryAfter, toPlainLine, type SinkAnswer, type WriteResult } from '#sdk/index.ts';

const VERDICT_LIMITS = {
  reasonCharsMax: 200, // of a receiver's own words in a message
  refusedWaitMs: 60_000, // after an answer about sender or address that names no time: asked again no sooner
  retryAfterMsMax: 3_600_000, // a longer wait is cut: the next answer states the rest
} as const;

const GONE = 410;
const TOO_MANY = 429;
/** They mean "not now" or "not you", not "not this". */
const SINK_STATUSES: ReadonlySet<number> = new Set([401, 403, 408, GONE, 425, TOO_MANY]);

export interface AnswerContext {
  readonly sink: string;
  readonly url: string;
  readonly nowMs: number;
}

export function verdictOf(answer: SinkAnswer, context: AnswerContext): WriteResult {
  const { status } = answer;
  if (status >= 200 && status < 300) return { outcome: 'written' };
  const eventsFault = status >= 400 && status < 500 && !SINK_STATUSES.has(status);
  if (eventsFault) return { outcome: 'reject', fault: new Fault('sink_rejected', messageOf(answer, context)) };
  return { outcome: 'retry', fault: sinkFaultOf(answer, context) };
}

/** No event can be the cause of it: trying one alone would teach nothing. */
function concernsNoEvent(status: number): boolean {
  return (status >= 300 && status < 400) || status === 401 || status === GONE || status === TOO_MANY;
}

/** Why the sink as a whole does not take writes now, and when to ask again. */
export function sinkFaultOf(answer: SinkAnswer, context: AnswerContext): Fault {
  const { status, headers } = answer;
  const { nowMs, sink } = context;
  const stated = parseRetryAfter(headers['retry-after'], { nowMs, capMs: VERDICT_LIMITS.retryAfterMsMax });
  const waitMs = stated ?? (concernsNoEvent(status) ? VERDICT_LIMITS.refusedWaitMs : undefined);
  const options = {
    details: { sink, connection: sink },
    ...(waitMs === undefined ? {} : { retryAtMs: nowMs + waitMs }),
  };
  const message = messageOf(answer, context);
  if (status === TOO_MANY) return new Fault('rate_limited', message, options);
  if (status === GONE) return new Fault('sink_gone', message, options);
  if (status === 401 || status === 403) return new Fault('credential_rejected', message, options);
  if (status >= 300 && status < 400)
    return new Fault('sink_unavailable', `${message}: redirects are not followed, name the final address`, options);
  return new Fault('sink_unavailable', message, options);
}

/** Status and the first words of the answer: untrusted text, on one line, without what it may repeat of the address (I7). */
function messageOf({ status, text }: SinkAnswer, { url }: AnswerContext): string {
  const said = toPlainLine(withoutAddress(text, url).trim(), VERDICT_LIMITS.reasonCharsMax);
  return `${new URL(url).host} answered with status ${status}${said === '' ? '' : `: ${said}`}`;
}

const SECRET_CHARS_MIN = 6; // shorter parts of an address are ordinary words

function withoutAddress(text: string, address: string): string {
  const url = new URL(address);
  const parts = [`${url.pathname}${url.search}`, ...url.pathname.split('/'), ...url.search.split(/[?&=]/)];
  return [...parts, ...parts.map(decoded)]
    .filter((part) => part.length >= SECRET_CHARS_MIN)
    .reduce((clean, part) => clean.replaceAll(part, '…'), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not encoded by anybody
  }
}
