// Requests that Node's parser refuses: they reach no route, so the answer is written to the socket by hand.

import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Random } from '#core/env.ts';
import type { Logger } from '#telemetry/logger.ts';
import { PROBLEM_TYPE, problemOf, Refusal } from './problem.ts';

const REFUSALS: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the headers are larger than allowed'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the chunk extensions are larger than allowed'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
};
const OTHER = [400, 'the request is not valid HTTP'] as const;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Refuses and closes. A request in front of the malformed bytes is still answered first: its own part was well-formed (T09). */
export class MalformedRequests {
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #answering = new WeakMap<Duplex, Exchange>();

  constructor(random: Random, logger: Logger) {
    this.#random = random;
    this.#logger = logger;
  }

  /** Called for every request whose headers were well-formed, before its answer begins. */
  note(request: IncomingMessage, response: ServerResponse): void {
    const exchange = { request, response };
    const { socket } = request;
    this.#answering.set(socket, exchange);
    response.once('close', () => {
      if (this.#answering.get(socket) === exchange) this.#answering.delete(socket);
    });
  }

  /** Called once per connection that broke the protocol. */
  refuse(error: Error, socket: Duplex): void {
    // Errors of Node carry a code; anything else is answered as a plain 400.
    const { code } = error as { code?: unknown };
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, detail] = (typeof code === 'string' ? REFUSALS[code] : undefined) ?? OTHER;
    const refusal = new Refusal(status, detail);
    const exchange = this.#answering.get(socket);
    if (exchange === undefined) this.#answer(socket, refusal);
    // The whole request had arrived, so what is malformed came after it.
    else if (exchange.request.complete) exchange.response.once('close', () => this.#answer(socket, refusal));
    // Its own body is malformed or late. Once an answer has begun there is no room for another.
    else if (exchange.response.headersSent) socket.destroy();
    else this.#answer(socket, refusal);
  }

  #answer(socket: Duplex, refusal: Refusal): void {
    if (!socket.writable) return;
    const id = this.#random.id();
    const body = JSON.stringify(problemOf(refusal, id));
    this.#logger.debug(`malformed request: ${refusal.message}`, { request_id: id, status: refusal.status });
    const head = [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${id}`,
      'cache-control: no-store',
      'x-content-type-options: nosniff',
      'connection: close',
    ].join('\r\n');
    socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
  }
}
