// Requests that Node's parser refuses: they reach no route, so the answer is written to the socket by hand.

import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Random } from '#core/env.ts';
import type { Logger } from '#telemetry/logger.ts';
import { PROBLEM_TYPE, problemOf, Refusal } from './problem.ts';

const REFUSALS: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the headers are larger than allowed'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'the chunk extensions are larger than allowed'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
};
const OTHER = [400, 'the request is not valid HTTP/1.1'] as const;

/** Refuses and closes. A request in front of the malformed bytes is still answered first: its own part was well-formed (T09). */
export class MalformedRequests {
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #answering = new WeakMap<Duplex, ServerResponse>();

  constructor(random: Random, logger: Logger) {
    this.#random = random;
    this.#logger = logger;
  }

  /** Called for every request that was well-formed, before its answer begins. */
  note(socket: Duplex, response: ServerResponse): void {
    this.#answering.set(socket, response);
    response.once('close', () => {
      if (this.#answering.get(socket) === response) this.#answering.delete(socket);
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
    const answering = this.#answering.get(socket);
    if (answering === undefined) this.#answer(socket, new Refusal(status, detail));
    else answering.once('close', () => this.#answer(socket, new Refusal(status, detail)));
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
