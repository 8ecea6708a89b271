import type { Clock, Random } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { HttpAnswer, HttpClient, HttpRequest, HttpStreamAnswer } from '#core/http.ts';
import type { JsonValue } from '#core/json.ts';
import type { Guard } from '#policies/guard.ts';
import { parseRateLimitHeaders, type RateLimitReading } from '#policies/rate-limit-headers.ts';
import { HTTP_BODY_LIMITS, readBody, readErrorBody, readPieces } from './http-body.ts';
import { createAnswer, NO_JSON, parseJsonBody } from './http-answer.ts';
import { faultOfStatus, toNetworkFault } from './http-faults.ts';
import type { Arrived, HttpTransport, Outgoing } from './http-transport.ts';

export interface HttpClientOptions {
  readonly guard: Guard;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends every call of the run. */
  readonly signal?: AbortSignal;
  /** W3C trace context of the run, sent along. */
  readonly traceparent?: string;
}

const OPERATION = /^[a-z][a-z0-9_]{0,63}$/;

/** The client of one run: the transport is the connection's, the guard is asked for every try. */
export function createHttpClient(transport: HttpTransport, options: HttpClientOptions): HttpClient {
  return new GuardedHttpClient(transport, options);
}

class GuardedHttpClient implements HttpClient {
  readonly #transport: HttpTransport;
  readonly #options: HttpClientOptions;

  constructor(transport: HttpTransport, options: HttpClientOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  get baseUrl(): string | undefined {
    return this.#transport.baseUrl;
  }

  request(request: HttpRequest): Promise<HttpAnswer> {
    return this.#guarded(request, (arrived, asked) => this.#read(request, arrived, asked));
  }

  stream<T>(request: HttpRequest, consume: (answer: HttpStreamAnswer) => Promise<T>): Promise<T> {
    const { conditional: _, ...unconditional } = request;
    return this.#guarded(unconditional, ({ raw, url }) =>
      consume({
        status: raw.status,
        headers: raw.headers,
        url: url.href,
        body: readPieces(raw, {
          bytesMax: request.bodyBytesMax ?? HTTP_BODY_LIMITS.streamBytesMax,
          subject: this.#subjectOf(request),
        }),
      }),
    );
  }

  async #guarded<T>(request: HttpRequest, read: (arrived: Arrived, asked: URL) => Promise<T>): Promise<T> {
    const { operation, method = 'GET' } = request;
    if (!OPERATION.test(operation))
      throw new Fault('internal', `an operation of ${this.#transport.connection} is not named in snake_case`);
    const { guard, signal } = this.#options;
    return guard.call(operation, (attempt) => this.#try(request, attempt.signal, read), {
      idempotent: request.idempotent ?? (method === 'GET' || method === 'HEAD'),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #try<T>(
    request: HttpRequest,
    signal: AbortSignal,
    read: (arrived: Arrived, asked: URL) => Promise<T>,
  ): Promise<T> {
    const transport = this.#transport;
    try {
      const asked = transport.urlOf(request);
      const validators = this.#validatorsOf(request, asked);
      const arrived = await this.#exchange(asked, request, { headers: validators, signal });
      try {
        const reading = this.#learn(arrived);
        const { status } = arrived.raw;
        const unchanged = status === 304 && Object.keys(validators).length > 0;
        if (!unchanged && !isAccepted(status, request)) throw await this.#faultOf(arrived, request, reading);
        return await read(arrived, asked);
      } finally {
        arrived.raw.body.destroy(); // of a body that was read to its end this takes nothing away
      }
    } catch (error) {
      if (signal.aborted) throw toFault(signal.reason);
      throw this.#withoutSecrets(toFault(error));
    }
  }

  async #exchange(asked: URL, request: HttpRequest, { headers, signal }: Outgoing): Promise<Arrived> {
    const { random, traceparent } = this.#options;
    try {
      return await this.#transport.exchange(asked, request, {
        signal,
        headers: {
          'x-request-id': random.id(),
          ...(traceparent === undefined ? {} : { traceparent }),
          ...headers,
        },
      });
    } catch (error) {
      throw toNetworkFault(error, this.#subjectOf(request));
    }
  }

  #validatorsOf({ conditional }: HttpRequest, asked: URL): Readonly<Record<string, string>> {
    return conditional === undefined ? {} : this.#transport.validators.headersFor(conditional, asked.href);
  }

  /** Answers from elsewhere say nothing about the limits of this credential. */
  #learn({ raw, url }: Arrived): RateLimitReading {
    const { clock, guard } = this.#options;
    const reading = parseRateLimitHeaders((name) => raw.headers.get(name), clock.now());
    const { baseUrl } = this.#transport;
    if (baseUrl === undefined || new URL(baseUrl).origin !== url.origin) return reading;
    // Beside a success or a redirect Retry-After means something else than "stop": only a refusal blocks.
    guard.learn(raw.status === 429 || raw.status === 503 ? reading : { windows: reading.windows });
    return reading;
  }

  async #read(request: HttpRequest, { raw, url }: Arrived, asked: URL): Promise<HttpAnswer> {
    const subject = this.#subjectOf(request);
    const bytes = await readBody(raw, {
      bytesMax: request.bodyBytesMax ?? HTTP_BODY_LIMITS.bodyBytesMax,
      subject,
    });
    const isEmpty = bytes.length === 0;
    const json = request.expects === 'bytes' || isEmpty ? NO_JSON : parseJsonBody(bytes, raw.headers, subject);
    const fault = isEmpty ? undefined : this.#transport.profile.toFault?.(raw.status, bodyOf(json, bytes), raw.headers);
    if (fault !== undefined) throw fault;
    const { conditional } = request;
    return createAnswer({
      raw,
      url: url.href,
      bytes,
      json,
      subject,
      keep: () => {
        if (conditional !== undefined && raw.status === 200)
          this.#transport.validators.keep(conditional, asked.href, raw.headers);
      },
    });
  }

  async #faultOf({ raw }: Arrived, request: HttpRequest, reading: RateLimitReading): Promise<Fault> {
    const subject = this.#subjectOf(request);
    const bytes = await readErrorBody(raw, subject);
    const own = this.#transport.profile.toFault?.(raw.status, looseBodyOf(bytes), raw.headers);
    if (own !== undefined) return own;
    return faultOfStatus({
      status: raw.status,
      method: request.method ?? 'GET',
      subject,
      connection: this.#transport.connection,
      hasCredentials: this.#transport.hasCredentials,
      reading,
      nowMs: this.#options.clock.now(),
    });
  }

  #subjectOf({ operation }: HttpRequest): string {
    return `${operation} of ${this.#transport.connection}`;
  }

  /** I7: a vendor's error may quote what it was sent. Only the cause is dropped with it, the code and the time stay. */
  #withoutSecrets(fault: Fault): Fault {
    const message = this.#transport.redact(fault.message);
    if (message === fault.message && fault.cause === undefined) return fault;
    return new Fault(fault.code, message, {
      details: fault.details,
      problems: fault.problems,
      ...(fault.retryAtMs === undefined ? {} : { retryAtMs: fault.retryAtMs }),
    });
  }
}

function isAccepted(status: number, { acceptStatuses = [] }: HttpRequest): boolean {
  return (status >= 200 && status < 300) || acceptStatuses.includes(status);
}

function bodyOf(json: JsonValue | typeof NO_JSON, bytes: Buffer): unknown {
  return json === NO_JSON ? bytes.toString('utf8', 0, HTTP_BODY_LIMITS.errorBytesMax) : json;
}

function looseBodyOf(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    const json: unknown = JSON.parse(text);
    return json;
  } catch {
    return text;
  }
}
