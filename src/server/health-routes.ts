import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Fault, toFault } from '#core/fault.ts';
import { listConnectors } from '#operations/list-connectors.ts';
import { connectorsHealth, healthDraft, HEALTH_JSON, webhookHealth, worstOf } from './health-documents.ts';
import { goneSignal, type SharedContext } from './operation-routes.ts';

export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface HealthRoutes {
  readonly context: SharedContext;
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
  readonly version: string;
}

export function registerHealth(app: FastifyInstance, { context, readiness, version }: HealthRoutes): void {
  // Looks at nothing: that it answers is the answer.
  app.get('/livez', (request) => {
    allowQuery(request);
    return { status: 'live' };
  });

  // A connector that is down is not looked at: an orchestrator would kill the very thing that buffers its events.
  app.get('/readyz', async (request, reply) => {
    allowQuery(request, 'verbose');
    const checks = await readiness().catch((error: unknown) => [
      { name: 'readiness', ok: false, detail: toFault(error).hint },
    ]);
    const failing = checks.filter(({ ok }) => !ok);
    reply.code(failing.length === 0 ? 200 : 503);
    const shown = isVerbose(request) ? checks : failing;
    return { status: failing.length === 0 ? 'ready' : 'unready', ...(shown.length === 0 ? {} : { checks: shown }) };
  });

  app.get('/api/connectors/health', async (request, reply) => {
    allowQuery(request);
    const { connectors } = await listConnectors.run(contextOf(context, reply), {});
    const health = connectorsHealth(connectors);
    reply.header('vary', 'accept');
    if (request.headers.accept?.includes(HEALTH_JSON) !== true) return health;
    return reply.type(HEALTH_JSON).send(JSON.stringify(healthDraft(health, version, context.env.clock.now())));
  });

  app.get('/webhooks/health', async (request) => {
    allowQuery(request);
    const mine = context.engine.connections.filter(({ tenant }) => context.tenants.includes(tenant));
    const statuses = await Promise.all(
      mine.map(async (connection) => ({ connection, status: await context.engine.status(connection) })),
    );
    return {
      status: worstOf(statuses.filter(({ connection }) => connection.enabled).map(({ status }) => status.health.state)),
      connectors: statuses.map(({ connection, status }) => webhookHealth(connection, status)),
    };
  });
}

function contextOf(context: SharedContext, reply: FastifyReply) {
  return { ...context, signal: goneSignal(reply), progress: () => {} };
}

function isVerbose(request: FastifyRequest): boolean {
  // fastify parses a query into an object without a prototype.
  const value = (request.query as Readonly<Record<string, unknown>>)['verbose'];
  return value !== undefined && value !== 'false' && value !== '0';
}

/** Members that are not known are refused, as everywhere: a misspelt one would silently do nothing. */
export function allowQuery(request: FastifyRequest, ...names: readonly string[]): void {
  const problems = Object.keys(Object(request.query))
    .filter((name) => !names.includes(name))
    .map((name) => ({ path: `/${name}`, problem: 'is not known here' }));
  if (problems.length > 0)
    throw new Fault('input_invalid', 'the query has members that are not known here', { problems });
}
