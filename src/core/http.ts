import type { ZodType } from 'zod';
import type { Fault } from './fault.ts';
import type { JsonValue } from './json.ts';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRequest {
  /** What it does, for health and messages: a bounded name in snake_case (`list_issues`), never an id. */
  readonly operation: string;
  /** Below the base URL (`/repos/x/issues`), or an absolute URL of the same origin, such as a `next` link. */
  readonly path: string;
  /** Default GET. */
  readonly method?: HttpMethod;
  /** Added to those the path has. Undefined ones are left out. Never a secret: URLs are logged by others (I7). */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as application/json. */
  readonly json?: JsonValue;
  /** Sent as it is; its type belongs in `headers`. Ignored beside `json`. */
  readonly body?: string | Uint8Array;
  /** Repeating it does nothing twice. Default: true for GET and HEAD, false for the rest. */
  readonly idempotent?: boolean;
  /** `json` (default): the body must parse, an HTML page is `bad_upstream`. `bytes`: anything. */
  readonly expects?: 'json' | 'bytes';
  /** Longest answer, before and after decompression. Default 10 MiB for `request`, 1 GiB for `stream`. */
  readonly bodyBytesMax?: number;
  /** Redirects followed, 0 (default) to 3, for GET and HEAD. Each is checked anew; another origin gets no credentials. */
  readonly redirectsMax?: number;
  /** Statuses outside of 2xx that are an answer and not a fault. */
  readonly acceptStatuses?: readonly number[];
  /** No credentials are sent and any public address may be called: signed download links. Default false. */
  readonly anonymous?: boolean;
  /**
   * Name of the stream that asks. Sends the ETag and Last-Modified kept for this stream and URL; when nothing changed,
   * the answer is `notModified`. Only `keepValidators` keeps them. Heeded by `request` alone.
   */
  readonly conditional?: string;
}

export interface HttpAnswerHead {
  readonly status: number;
  /** Names in lower case; repeated ones joined with a comma. Cookies are left out. */
  readonly headers: ReadonlyMap<string, string>;
  /** Where it came from, after redirects. */
  readonly url: string;
}

export interface HttpAnswer extends HttpAnswerHead {
  /** 304: what `keepValidators` was called for is still current. There is no body. */
  readonly notModified: boolean;
  /** The parsed body, checked by `schema`. Throws `bad_upstream` when there is none or it has another shape. */
  json(): JsonValue;
  json<T>(schema: ZodType<T>): T;
  text(): string;
  bytes(): Uint8Array;
  /**
   * Called once what this answer said is durable: after the `yield` of its page returned. Earlier would lose it, for the
   * next run would be told that nothing changed (I3). Kept in memory only: a new process asks in full once.
   */
  keepValidators(): void;
}

export interface HttpStreamAnswer extends HttpAnswerHead {
  /** Decompressed, read once. The socket waits while the reader does. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Speaks HTTP with one external system. Every try passes the guard of the connection and is recorded; limits that
 * answers state are heeded by all its calls. Any number of calls at once is safe. Throws a Fault, always.
 */
export interface HttpClient {
  /** Without a slash at the end; undefined when neither configuration nor connector name one. */
  readonly baseUrl: string | undefined;
  /** Reads the whole answer inside the guard. Statuses outside of 2xx are faults, unless accepted by the request. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /**
   * For bodies too large to hold. `consume` runs inside the guard, so the timeout of a try covers it and it begins anew
   * when the try is repeated. When it ends, however it ends, the rest of the body is thrown away with its socket.
   */
  stream<T>(request: HttpRequest, consume: (answer: HttpStreamAnswer) => Promise<T>): Promise<T>;
}

/** What `authorize` is told of a request that goes to the origin of the base URL. */
export interface HttpOutgoing {
  readonly method: HttpMethod;
  readonly url: URL;
  /** The bytes that are signed, where a scheme signs them. */
  readonly body: string | Uint8Array | undefined;
  readonly credentials: Readonly<Record<string, string>>;
  /** Wall time in milliseconds, for schemes that sign it. */
  readonly nowMs: number;
}

/** Headers that prove who asks. Called before each try and after each redirect within the origin, never for another one. */
export type HttpAuthorize = (
  request: HttpOutgoing,
) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

/** A vendor's own ways, as data of its connector. */
export interface HttpProfile {
  /** The public address, used where the configuration has no `base_url`. */
  readonly baseUrl?: string;
  /** Sent with every request: API version, accepted media type. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly authorize?: HttpAuthorize;
  /**
   * Called with each answer that has been read, successes included, because some vendors put errors in a 200. `body` is
   * parsed JSON, else text cut at 64 KiB. Undefined leaves it to the default table. Must not throw.
   */
  toFault?(status: number, body: unknown, headers: ReadonlyMap<string, string>): Fault | undefined;
}
