import { fastify, type FastifyInstance } from 'fastify';
import { Fault } from '#core/fault.ts';
import type { Operation } from '#operations/operation.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { registerDashboard } from './dashboard-files.ts';
import { registerDocuments } from './document-routes.ts';
import { EventStream } from './event-stream.ts';
import { registerHealth, type ReadinessCheck } from './health-routes.ts';
import { authorityHost } from './host-check.ts';
import { bindHostOf, listenOn } from './listen.ts';
import { MalformedRequests } from './malformed-requests.ts';
import { registerOperations, type SharedContext } from './operation-routes.ts';
import { RouteTable, sendProblem } from './refusals.ts';
import { openRequest, registerGate, requestIdOf, type Gate } from './request-gate.ts';
import { SERVER_LIMITS, STREAM_LIMITS, type ServerLimits, type StreamLimits } from './server-limits.ts';
import { registerStream } from './stream-routes.ts';

export interface ServerOptions {
  /** A loopback name or address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** true: the port was asked for by name; busy is a Fault `port_busy`. false: the next free one, up to `portsTriedMax`, is taken. */
  readonly portFixed: boolean;
  readonly operations: readonly Operation[];
  readonly context: SharedContext;
  readonly metrics: Metrics;
  readonly metricsEnabled: boolean;
  readonly logger: Logger;
  /** What `/readyz` looks at: whether an event can be made durable. A rejection counts as not ready. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
  /** Built dashboard files, or undefined when there is no build: `/` then says so. */
  readonly dashboardFolder: URL | undefined;
  /** JSON Schema of weir.yaml. */
  readonly configSchema: () => unknown;
  readonly version: string;
}

export interface RunningServer {
  /** `http://127.0.0.1:8000/` */
  readonly url: string;
  readonly port: number;
  /** Accepts nothing more, ends live streams, lets requests end within `drainMs`, then aborts their work (I11). Safe to call twice. */
  close(): Promise<void>;
}

export interface ServerBounds {
  readonly server: ServerLimits;
  readonly stream: StreamLimits;
}

/** Throws `host_refused` for a host that others could reach and `port_busy` when no port is free. */
export async function startServer(
  options: ServerOptions,
  bounds: ServerBounds = { server: SERVER_LIMITS, stream: STREAM_LIMITS },
): Promise<RunningServer> {
  const logger = options.logger.child({ component: 'server' });
  const host = bindHostOf(options.host);
  const stopping = new AbortController();
  const state = { port: options.port, draining: false };
  const gate: Gate = {
    env: options.context.env,
    logger,
    bound: () => ({ host, port: state.port }),
    draining: () => state.draining,
  };
  const stream = new EventStream({ context: options.context, logger, limits: bounds.stream });
  const app = createApp(gate, bounds.server);
  registerOperations(app, { operations: options.operations, context: options.context, stopping: stopping.signal });
  registerHealth(app, options);
  registerDocuments(app, options);
  registerStream(app, stream, options.context.store.timeline);
  registerDashboard(app, options.dashboardFolder);
  try {
    state.port = await listenOn(app, { host, port: options.port, portFixed: options.portFixed });
  } catch (error) {
    await app.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    url: `http://${authorityHost(host)}:${state.port}/`,
    port: state.port,
    close: () => {
      state.draining = true;
      closing ??= closeServer(app, { stream, stopping, clock: gate.env.clock, limits: bounds.server });
      return closing;
    },
  };
}

function createApp(gate: Gate, limits: ServerLimits): FastifyInstance {
  const { random, clock } = gate.env;
  const malformed = new MalformedRequests(random, gate.logger);
  const routes = new RouteTable();
  const app = fastify({
    logger: false, // one line per request is written by the gate
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    return503OnClosing: false, // the gate answers that as a problem
    routerOptions: { maxParamLength: limits.pathMemberCharsMax },
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      maxHeaderSize: limits.headerBytesMax,
    },
    genReqId: (request) => requestIdOf(request, random),
    clientErrorHandler: (error, socket) => malformed.refuse(error, socket),
    // A path that cannot be decoded reaches no hook.
    frameworkErrors: (error, request, reply) => {
      openRequest(request, reply, gate);
      sendProblem(error, request, reply, { clock, logger: gate.logger });
    },
  });
  app.server.maxConnections = limits.connectionsMax;
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, { clock, logger: gate.logger }));
  routes.watch(app);
  app.addHook('onRequest', (request, reply, done) => {
    malformed.note(request.raw, reply.raw);
    done();
  });
  registerGate(app, gate, (request, reply) => routes.faultOf(request, reply));
  // The gate has answered before this is reached; fastify's own answer would not be a problem document.
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new Fault('route_unknown', 'there is nothing at this path'), request, reply, {
      clock,
      logger: gate.logger,
    }),
  );
  return app;
}

interface Closing {
  readonly stream: EventStream;
  readonly stopping: AbortController;
  readonly clock: SharedContext['env']['clock'];
  readonly limits: ServerLimits;
}

async function closeServer(app: FastifyInstance, { stream, stopping, clock, limits }: Closing): Promise<void> {
  const ended = new AbortController();
  const closed = app.close().then(() => ended.abort());
  await Promise.all([stream.close(), Promise.race([closed, clock.sleep(limits.drainMs, ended.signal)])]);
  stopping.abort();
  await Promise.race([closed, clock.sleep(limits.abortMs, ended.signal)]);
  app.server.closeAllConnections();
  await closed;
}
