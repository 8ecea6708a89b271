// The only file that touches the HTTP library. `request` rather than `fetch`: it follows no redirects, keeps no cookies,
// and hands over the body as it came, so that bytes are counted before they are decompressed.

import { lookup as dnsLookup } from 'node:dns/promises';
import type { LookupFunction, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import type { Agent, buildConnector } from 'undici';
import type { HttpMethod } from '#core/http.ts';
import { toFault } from '#core/fault.ts';
import type { EgressPolicy } from './http-egress.ts';

export const HTTP_AGENT_LIMITS = {
  socketsPerOriginMax: 8, // more requests wait for one
  originsMax: 32, // base URL, and the hosts of downloads; a request to one more fails until others are idle
  headerBytesMax: 32 * 1024, // of an answer; more ends the call
  connectTimeoutMs: 10_000, // name, TCP and TLS together; the timeout of a try may end it earlier
  addressesMax: 32, // of one name; the rest is not looked at
} as const;

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. */
export type ResolveName = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface RawRequest {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal: AbortSignal;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Whatever its headers say about a length and an encoding, nothing follows them (RFC 9112 §6.3). */
  readonly bodiless: boolean;
  /** Must be read to its end or destroyed: it holds a socket. */
  readonly body: Readable;
}

/** Sockets of one connection: bounded, kept alive, shared with no other connection. */
export interface HttpAgent {
  send(url: URL, request: RawRequest): Promise<RawAnswer>;
  /** Ends all sockets; requests under way fail. */
  close(): Promise<void>;
}

/** Beside an error nobody reads it, but the signature wants one. */
const NO_ADDRESS: ResolvedAddress = { address: '', family: 0 };

const resolveByDns: ResolveName = (hostname) => dnsLookup(hostname, { all: true, order: 'verbatim' });

export function createHttpAgent(policy: EgressPolicy, resolve: ResolveName = resolveByDns): HttpAgent {
  let opened: Promise<Agent> | undefined;
  return {
    async send(url, { method, headers, body, signal }) {
      opened ??= openAgent(policy, resolve);
      const agent = await opened;
      const answer = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { ...headers },
        signal,
        ...(body === undefined ? {} : { body }),
      });
      answer.body.on('error', () => {}); // a body that is thrown away unread must not end the process
      const status = answer.statusCode;
      const bodiless = method === 'HEAD' || status === 204 || status === 304;
      return { status, headers: headersOf(answer.headers), bodiless, body: answer.body };
    },
    async close() {
      await (await opened)?.destroy();
    },
  };
}

async function openAgent(policy: EgressPolicy, resolve: ResolveName): Promise<Agent> {
  const library = await import('undici'); // loading takes longer than all the rest of a command that calls nothing
  const connect = library.buildConnector({
    lookup: pinnedLookup(policy, resolve),
    timeout: HTTP_AGENT_LIMITS.connectTimeoutMs,
    allowH2: false,
    autoSelectFamily: false, // one address is pinned, there is nothing to select from
  });
  return new library.Agent({
    connect: checkedConnector(policy, connect),
    connections: HTTP_AGENT_LIMITS.socketsPerOriginMax,
    maxOrigins: HTTP_AGENT_LIMITS.originsMax,
    maxHeaderSize: HTTP_AGENT_LIMITS.headerBytesMax,
    pipelining: 1,
    allowH2: false,
  });
}

/**
 * One resolution per connect, and the address that was checked is the one connected to: between a check and a second
 * resolution a name may change (T24). Every address is looked at, for one private one among public ones is an attack.
 */
function pinnedLookup(policy: EgressPolicy, resolve: ResolveName): LookupFunction {
  const pin = async (hostname: string): Promise<ResolvedAddress> => {
    const addresses = (await resolve(hostname)).slice(0, HTTP_AGENT_LIMITS.addressesMax);
    // Only the address is judged here; whether plain http may go to it, once the socket knows what it is for.
    for (const { address } of addresses) policy.checkAddress(address, 'https:');
    const [first] = addresses;
    if (first === undefined) throw Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
    return first;
  };
  const pinned = callbackify(pin);
  return (hostname, options, callback) => {
    pinned(hostname, (error, found) => {
      const { address, family } = error === null ? found : NO_ADDRESS;
      if (options.all === true) callback(error, [{ address, family }]);
      else callback(error, address, family);
    });
  };
}

/** Asks the socket where it really ended, before a byte of the request is written. */
function checkedConnector(policy: EgressPolicy, connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...outcome) => {
      const [error, socket] = outcome;
      const refusal = error === null ? refusalOf(policy, socket, options.protocol) : undefined;
      if (refusal === undefined) {
        callback(...outcome);
        return;
      }
      socket?.destroy();
      callback(refusal, null);
    });
  };
}

function refusalOf(policy: EgressPolicy, socket: Socket, protocol: string): Error | undefined {
  try {
    policy.checkAddress(socket.remoteAddress ?? '', protocol);
    return undefined;
  } catch (refused) {
    return toFault(refused);
  }
}

function headersOf(headers: Readonly<Record<string, string | string[] | undefined>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(headers).flatMap(([name, value]): [string, string][] => {
      if (value === undefined || name.toLowerCase() === 'set-cookie') return [];
      return [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]];
    }),
  );
}
