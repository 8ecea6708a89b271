// What lives as long as a connection: its sockets, what it knows of unchanged answers, its address and credentials. And
// how one exchange goes out: where to, with which headers, through which redirects.

import type { Env } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { HttpProfile, HttpRequest } from '#core/http.ts';
import { createRedactor } from '#telemetry/redaction.ts';
import { createHttpAgent, type HttpAgent, type RawAnswer, type ResolveName } from './http-agent.ts';
import { ACCEPTED_ENCODINGS } from './http-body.ts';
import { ConditionalCache } from './http-conditional.ts';
import { createEgressPolicy, type EgressPolicy } from './http-egress.ts';

export const REDIRECTS_MAX = 3; // a request that allows more is given this many

export interface HttpTransportOptions {
  readonly connection: string;
  readonly clock: Env['clock'];
  /** From the configuration; the profile's own otherwise. */
  readonly baseUrl?: string;
  readonly credentials?: Readonly<Record<string, string>>;
  /** Default false. */
  readonly allowPrivateAddresses?: boolean;
  readonly profile?: HttpProfile;
  /** Default: the resolver of the system. */
  readonly resolve?: ResolveName;
  /** Default: made of the above. */
  readonly egress?: EgressPolicy;
}

export interface HttpTransport {
  readonly connection: string;
  readonly baseUrl: string | undefined;
  readonly profile: HttpProfile;
  readonly hasCredentials: boolean;
  readonly validators: ConditionalCache;
  /** Takes the connection's credentials out of a text. */
  redact(text: string): string;
  /** Where the request goes. Throws `egress_blocked`, `bad_upstream` for another origin, `config_invalid` without a base URL. */
  urlOf(request: HttpRequest): URL;
  /** One exchange, redirects included. The caller reads or destroys the body of what it returns. */
  exchange(url: URL, request: HttpRequest, outgoing: Outgoing): Promise<Arrived>;
  close(): Promise<void>;
}

export interface Outgoing {
  /** Of this call alone: request id, traceparent, validators. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface Arrived {
  readonly raw: RawAnswer;
  readonly url: URL;
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What another origin may know of a request. Everything else may prove who asks. */
const HARMLESS_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
  'range',
]);
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:/i;

export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const egress =
    options.egress ??
    createEgressPolicy({
      connection: options.connection,
      allowPrivateAddresses: options.allowPrivateAddresses ?? false,
    });
  return new ConnectionTransport(options, egress, createHttpAgent(egress, options.resolve));
}

class ConnectionTransport implements HttpTransport {
  readonly connection: string;
  readonly baseUrl: string | undefined;
  readonly profile: HttpProfile;
  readonly validators = new ConditionalCache();
  readonly #credentials: Readonly<Record<string, string>>;
  readonly #clock: Env['clock'];
  readonly #egress: EgressPolicy;
  readonly #agent: HttpAgent;
  readonly #redact: (text: string) => string;

  constructor(options: HttpTransportOptions, egress: EgressPolicy, agent: HttpAgent) {
    this.connection = options.connection;
    this.profile = options.profile ?? {};
    this.baseUrl = (options.baseUrl ?? this.profile.baseUrl)?.replace(/\/+$/, '');
    this.#credentials = options.credentials ?? {};
    this.#clock = options.clock;
    this.#egress = egress;
    this.#agent = agent;
    const redactor = createRedactor({ secrets: Object.values(this.#credentials) });
    this.#redact = (text) => redactor.redactText(text);
  }

  get hasCredentials(): boolean {
    return Object.keys(this.#credentials).length > 0;
  }

  redact(text: string): string {
    return this.#redact(text);
  }

  urlOf(request: HttpRequest): URL {
    const { path } = request;
    const url = ABSOLUTE.test(path) ? this.#absolute(request) : this.#belowBase(path);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    url.hash = '';
    return this.#egress.checkUrl(url.href);
  }

  async exchange(url: URL, request: HttpRequest, outgoing: Outgoing): Promise<Arrived> {
    const { method = 'GET', redirectsMax = 0 } = request;
    const left = method === 'GET' || method === 'HEAD' ? Math.min(redirectsMax, REDIRECTS_MAX) : 0;
    let at = url;
    for (let hop = 0; ; hop += 1) {
      const raw = await this.#send(at, request, outgoing);
      if (!REDIRECT_STATUSES.has(raw.status)) return { raw, url: at };
      raw.body.destroy();
      at = this.#targetOf(raw, at, request.operation, left - hop);
    }
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  #absolute({ path, anonymous = false, operation }: HttpRequest): URL {
    const url = this.#egress.checkUrl(path);
    if (!anonymous && !this.#isHome(url))
      throw new Fault(
        'bad_upstream',
        `${operation} of ${this.connection} was sent to another origin, ${url.origin}; credentials go to its own only`,
      );
    return url;
  }

  /** Text of other systems ends up in paths: what climbs out of the base path or changes the origin is refused. */
  #belowBase(path: string): URL {
    if (this.baseUrl === undefined)
      throw new Fault('config_invalid', `${this.connection} has no base_url: set it in weir.yaml`, {
        details: { connection: this.connection },
      });
    const base = this.#egress.checkUrl(this.baseUrl);
    const url = this.#egress.checkUrl(`${this.baseUrl}${path.startsWith('/') ? '' : '/'}${path}`);
    const basePath = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
    if (url.origin !== base.origin || !`${url.pathname}/`.startsWith(basePath))
      throw new Fault('egress_blocked', `${this.connection} may not call a path outside of ${this.baseUrl}`, {
        details: { connection: this.connection },
      });
    return url;
  }

  #isHome(url: URL): boolean {
    return this.baseUrl !== undefined && URL.parse(this.baseUrl)?.origin === url.origin;
  }

  async #send(url: URL, request: HttpRequest, { headers, signal }: Outgoing): Promise<RawAnswer> {
    const { method = 'GET', anonymous = false } = request;
    const body = request.json === undefined ? request.body : JSON.stringify(request.json);
    const all = lowerCase({
      accept: request.expects === 'bytes' ? '*/*' : 'application/json',
      'user-agent': 'weir',
      ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...this.profile.headers,
      ...request.headers,
      ...headers,
      'accept-encoding': ACCEPTED_ENCODINGS,
    });
    const home = !anonymous && this.#isHome(url);
    const proof = home
      ? await this.profile.authorize?.({
          method,
          url: new URL(url.href),
          body,
          credentials: this.#credentials,
          nowMs: this.#clock.now(),
        })
      : undefined;
    // An anonymous request to its first host keeps its headers: the caller wrote them for it. A redirect of one does not.
    const own = home || (anonymous && url.href === this.urlOf(request).href);
    const sent = own ? all : Object.fromEntries(Object.entries(all).filter(([name]) => HARMLESS_HEADERS.has(name)));
    return this.#agent.send(url, {
      method,
      headers: { ...sent, ...lowerCase(proof ?? {}) },
      signal,
      ...(body === undefined || !own ? {} : { body }),
    });
  }

  #targetOf(raw: RawAnswer, from: URL, operation: string, left: number): URL {
    const subject = `${operation} of ${this.connection}`;
    const location = raw.headers.get('location');
    const target = location === undefined ? null : URL.parse(location, from.href);
    if (location === undefined || target === null)
      throw new Fault('bad_upstream', `${subject}: a redirect (${raw.status}) without a valid address`);
    // Checked first: what a redirect to a metadata service means does not depend on how many may be followed.
    const url = this.#egress.checkUrl(target.href);
    if (from.protocol === 'https:' && url.protocol !== 'https:')
      throw new Fault('egress_blocked', `${subject}: redirected from https to http`, {
        details: { connection: this.connection },
      });
    if (left <= 0)
      throw new Fault(
        'bad_upstream',
        `${subject}: redirected to ${url.origin}, which is not followed; correct base_url`,
      );
    return url;
  }
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
