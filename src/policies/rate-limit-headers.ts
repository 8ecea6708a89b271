// What servers say about their limits, in the forms they use: the IETF draft (one named window per item), its earlier
// revisions (RateLimit-Limit/-Remaining/-Reset and limit=…, remaining=…), X-RateLimit-* with an epoch or a delta, Retry-After.

import { parseHttpDate } from './http-date.ts';
import { parseRetryAfter } from './retry-after.ts';

export interface WindowReading {
  /** The policy's name in the draft, `default` elsewhere. */
  readonly name: string;
  readonly limit?: number;
  readonly remaining: number;
  /** Milliseconds from now until the window starts over. */
  readonly resetInMs: number;
}

export interface RateLimitReading {
  readonly windows: readonly WindowReading[];
  readonly retryAfterMs?: number;
}

export type HeaderOf = (name: string) => string | null | undefined;

const HEADER_LENGTH_MAX = 1_024; // longer ones are ignored
const WINDOW_NAME_LENGTH_MAX = 64;
const EPOCH_SECONDS_MIN = 1_000_000_000; // a reset of 31 years would be needed to mistake a delta for an epoch
const EPOCH_MILLISECONDS_MIN = 1_000_000_000_000;

/** Total: whatever the headers hold, the result has finite, non-negative numbers, and what makes no sense is left out. */
export function parseRateLimitHeaders(headerOf: HeaderOf, nowMs: number): RateLimitReading {
  const textOf = (name: string): string | undefined => {
    const text = headerOf(name);
    return text === null || text === undefined || text.length > HEADER_LENGTH_MAX ? undefined : text.trim();
  };
  const serverNowMs = parseHttpDate(textOf('date') ?? '', nowMs) ?? nowMs;
  const draft = textOf('ratelimit');
  const windows =
    draft === undefined
      ? [
          separateOf(textOf, 'ratelimit', serverNowMs) ??
            separateOf(textOf, 'x-ratelimit', serverNowMs) ??
            separateOf(textOf, 'x-rate-limit', serverNowMs),
        ]
      : draftWindows(draft, textOf('ratelimit-policy') ?? '');
  const retryAfterMs = parseRetryAfter(textOf('retry-after'), { nowMs, serverDateMs: serverNowMs });
  return {
    windows: windows.filter((window) => window !== undefined),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** `"default";r=0;t=30` with the quota in the policy header, or the earlier `limit=100, remaining=0, reset=30`. */
function draftWindows(limits: string, policies: string): WindowReading[] {
  const items = itemsOf(limits);
  if (items.some(({ name }) => name === 'remaining')) {
    const field = (wanted: string): number | undefined => items.find(({ name }) => name === wanted)?.value;
    return toWindows('default', field('limit'), field('remaining'), field('reset'));
  }
  const quotas = new Map(itemsOf(policies).map(({ name, parameters }) => [name, parameters.get('q')]));
  return items.flatMap(({ name, parameters }) =>
    toWindows(name, quotas.get(name), parameters.get('r'), parameters.get('t')),
  );
}

function separateOf(
  textOf: (name: string) => string | undefined,
  prefix: string,
  serverNowMs: number,
): WindowReading | undefined {
  // `100, 100;w=60` was allowed for the limit: the first number is the one that counts now.
  const limit = numberOf(textOf(`${prefix}-limit`)?.split(/[,;]/, 1)[0]);
  const reset = numberOf(textOf(`${prefix}-reset`));
  const seconds = reset === undefined ? undefined : secondsUntil(reset, serverNowMs);
  return toWindows('default', limit, numberOf(textOf(`${prefix}-remaining`)), seconds)[0];
}

/** The reset is a moment for some vendors and a distance for others; moments are compared with the server's own Date. */
function secondsUntil(reset: number, serverNowMs: number): number {
  if (reset >= EPOCH_MILLISECONDS_MIN) return Math.max(0, (reset - serverNowMs) / 1_000);
  if (reset >= EPOCH_SECONDS_MIN) return Math.max(0, reset - serverNowMs / 1_000);
  return reset;
}

/** Without a remaining count and a reset nothing can be decided: then there is no window. */
function toWindows(
  name: string,
  limit: number | undefined,
  remaining: number | undefined,
  resetInSeconds: number | undefined,
): WindowReading[] {
  if (remaining === undefined || resetInSeconds === undefined) return [];
  return [
    {
      name: name.slice(0, WINDOW_NAME_LENGTH_MAX),
      remaining,
      resetInMs: resetInSeconds * 1_000,
      ...(limit === undefined ? {} : { limit }),
    },
  ];
}

interface Item {
  readonly name: string;
  readonly value: number | undefined;
  readonly parameters: ReadonlyMap<string, number>;
}

/** The part of RFC 9651 these headers use. A name with a comma or semicolon inside its quotes is not understood. */
function itemsOf(text: string): Item[] {
  return text.split(',').map((part) => {
    const [head = '', ...rest] = part.split(';').map((piece) => piece.trim());
    const [name = '', value] = head.split('=');
    const parameters = rest.flatMap((piece): [string, number][] => {
      const [key = '', text] = piece.split('=');
      const number = numberOf(text);
      return number === undefined ? [] : [[key, number]];
    });
    return { name: name.replace(/^"(.*)"$/, '$1'), value: numberOf(value), parameters: new Map(parameters) };
  });
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d{1,15}(\.\d{1,6})?\s*$/.test(text) ? Number(text) : undefined;
}
