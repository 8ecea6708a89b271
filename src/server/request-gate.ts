// What every request passes before its route: id, headers, log, Host and Origin, framing. Known route or not.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Env, Random } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { Logger } from '#telemetry/logger.ts';
import { logWhenDone } from './access-log.ts';
import { checkOrigin } from './host-check.ts';
import { Refusal } from './problem.ts';
import { SERVER_LIMITS } from './server-limits.ts';

const REQUEST_ID = new RegExp(`^[A-Za-z0-9._-]{1,${SERVER_LIMITS.requestIdCharsMax}}$`);

const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const SECURITY_HEADERS = {
  'content-security-policy': CONTENT_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin', // another site's <img> or <script> gets nothing
  'cache-control': 'no-store', // files of the dashboard say otherwise themselves
} as const;

/** The caller's own id when it is harmless, so that its log and ours can be joined; else a new one. */
export function requestIdOf(request: IncomingMessage, random: Random): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : random.id();
}

export interface Gate {
  readonly env: Env;
  readonly logger: Logger;
  readonly bound: () => { readonly host: string; readonly port: number };
  readonly draining: () => boolean;
}

/** Id, headers and log line. Apart from the rest because a path that cannot be decoded reaches no hook but needs these too. */
export function openRequest(request: FastifyRequest, reply: FastifyReply, gate: Gate): void {
  // On the raw response: the live stream, which writes by itself, carries them too.
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) reply.raw.setHeader(name, value);
  reply.raw.setHeader('x-request-id', request.id);
  logWhenDone(request, reply, { clock: gate.env.clock, logger: gate.logger });
}

/** `unknownRoute` tells 404 from 405; it runs here so that no body is read for a path that does not exist. */
export function registerGate(
  app: FastifyInstance,
  gate: Gate,
  unknownRoute: (request: FastifyRequest, reply: FastifyReply) => Fault,
): void {
  app.addHook('onRequest', (request, reply, done) => {
    openRequest(request, reply, gate);
    try {
      checkRequest(request, gate);
      if (request.is404) throw unknownRoute(request, reply);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Refusal(400, 'the request cannot be read'));
    }
  });
  app.addHook('onSend', (_, reply, payload, done) => {
    // A connection that stayed open after its last answer would hold close() up until its keep-alive ends.
    if (gate.draining()) reply.header('connection', 'close');
    done(null, payload);
  });
}

function checkRequest(request: FastifyRequest, gate: Gate): void {
  const { headers, headersDistinct, url = '' } = request.raw;
  // The absolute form names a host of its own, past the Host header.
  if (!url.startsWith('/') && url !== '*') throw new Refusal(400, 'the request target must be a path');
  checkOrigin({ hosts: headersDistinct['host'] ?? [], origin: headers.origin }, gate.bound());
  if (gate.draining()) throw new Fault('cancelled', 'Weir is stopping and takes no new requests');
  const coding = headers['transfer-encoding'];
  // The parser hands such a request on and fails at its body; what follows must not be taken for a request.
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Refusal(400, 'the only transfer coding is chunked');
  const body = coding !== undefined || Number(headers['content-length'] ?? 0) > 0;
  // It means nothing (RFC 9110 §9.3.1) and is how a second request is hidden in a first one.
  if (body && (request.method === 'GET' || request.method === 'HEAD'))
    throw new Refusal(400, `a ${request.method} request has no body`);
}
