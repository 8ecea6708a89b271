import type { FastifyInstance, FastifyReply } from 'fastify';
import { toFault } from '#core/fault.ts';
import { listConnectors } from '#operations/list-connectors.ts';
import { connectorsHealth, healthDraft, HEALTH_JSON, webhookHealth, worstOf } from './health-documents.ts';
import { goneSignal, type SharedContext } from './operation-routes.ts';
import { queryOf } from './query-members.ts';

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
    queryOf(request);
    return { status: 'live' };
  });

  // A connector that is down is not looked at: an orchestrator would kill the very thing that buffers its events.
  app.get('/readyz', async (request, reply) => {
    const { verbose } = queryOf(request, 'verbose');
    const checks = await readiness().catch((error: unknown) => [
      { name: 'readiness', ok: false, detail: toFault(error).hint },
    ]);
    const failing = checks.filter(({ ok }) => !ok);
    reply.code(failing.length === 0 ? 200 : 503);
    const shown = verbose === undefined || verbose === 'false' ? failing : checks;
    return { status: failing.length === 0 ? 'ready' : 'unready', ...(shown.length === 0 ? {} : { checks: shown }) };
  });

  app.get('/api/connectors/health', async (request, reply) => {
    queryOf(request);
    const { connectors } = await listConnectors.run(contextOf(context, reply), {});
    const health = connectorsHealth(connectors);
    reply.header('vary', 'accept');
    if (request.headers.accept?.includes(HEALTH_JSON) !== true) return health;
    return reply.type(HEALTH_JSON).send(JSON.stringify(healthDraft(health, version, context.env.clock.now())));
  });

  app.get('/webhooks/health', async (request) => {
    queryOf(request);
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
