import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#core/env.ts';
import { Fault } from '#core/fault.ts';
import type { Logger } from '#telemetry/logger.ts';
import { PROBLEM_TYPE, problemOf, toFailure, type Refusal } from './problem.ts';
import { SERVER_LIMITS } from './server-limits.ts';

interface Sources {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Answers any failure as a problem document; what is our own fault goes to the log under the request's id. */
export function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { clock, logger }: Sources,
): void {
  const failure = toFailure(thrown, request.routeOptions.bodyLimit);
  const problem = problemOf(failure, request.id);
  if (failure instanceof Fault && failure.code === 'internal') {
    const cause = failure.cause instanceof Error ? failure.cause : failure;
    logger.error(`${request.method} ${request.routeOptions.url ?? 'unknown route'} failed: ${failure.message}`, {
      request_id: request.id,
      stack: cause.stack ?? null,
    });
  }
  const waitSeconds = retryAfterSeconds(failure, problem.status, clock.now());
  if (waitSeconds !== undefined) reply.header('retry-after', String(waitSeconds));
  // What is left of a body is not waited for.
  if (!request.raw.complete) reply.header('connection', 'close');
  // Serialised here: fastify would otherwise choose application/json by itself.
  void reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

function retryAfterSeconds(failure: Fault | Refusal, status: number, nowMs: number): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const retryAtMs = failure instanceof Fault ? failure.retryAtMs : undefined;
  return retryAtMs === undefined ? SERVER_LIMITS.retryAfterSeconds : Math.max(1, Math.ceil((retryAtMs - nowMs) / 1000));
}

/** Methods by path, as registered: what an unknown route is compared with to tell 404 from 405. */
export class RouteTable {
  readonly #routes = new Map<string, Set<string>>();

  /** Called before the first route is registered. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ method, url }) => {
      const methods = this.#routes.get(url) ?? new Set();
      for (const one of [method].flat()) methods.add(one);
      this.#routes.set(url, methods);
    });
  }

  /** `method_unknown`, with Allow set, when the path exists with another method; else `route_unknown`. */
  faultOf(request: FastifyRequest, reply: FastifyReply): Fault {
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = [...this.#routes].find(([pattern]) => matches(pattern, path))?.[1];
    if (methods === undefined) return new Fault('route_unknown', 'there is nothing at this path');
    const allow = [...methods].sort().join(', ');
    reply.header('allow', allow);
    return new Fault('method_unknown', `this path takes ${allow}`);
  }
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const given = path.split('/');
  return (
    parts.length === given.length &&
    parts.every((part, at) => (part.startsWith(':') ? given[at] !== '' : part === given[at]))
  );
}
