import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#core/env.ts';
import { toPlainLine } from '#core/plain-text.ts';
import type { Logger } from '#telemetry/logger.ts';

/** One line per request once its answer has ended or its client has gone. The query is left out: people paste secrets there (I7). */
export function logWhenDone(
  request: FastifyRequest,
  reply: FastifyReply,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): void {
  const startMs = clock.monotonic();
  reply.raw.once('close', () => {
    const { statusCode, writableFinished } = reply.raw;
    const path = toPlainLine(request.url.split('?', 1)[0] ?? '', 200);
    logger[statusCode >= 500 ? 'warn' : 'debug'](`${request.method} ${path} ${statusCode}`, {
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: statusCode,
      duration_ms: Math.round(clock.monotonic() - startMs),
      ...(writableFinished ? {} : { client_gone: true }),
    });
  });
}
