import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '#core/fault.ts';
import { runOperation, type Operation, type OperationContext } from '#operations/operation.ts';

const JSON_MEDIA_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** Everything an operation needs but the caller's own signal and progress. */
export type SharedContext = Omit<OperationContext, 'signal' | 'progress'>;

export interface OperationRoutes {
  readonly operations: readonly Operation[];
  readonly context: SharedContext;
  /** Aborts when the server has waited long enough for requests to end. */
  readonly stopping: AbortSignal;
}

/** One route per operation: GET takes its members from query and path, POST from a JSON body and path. */
export function registerOperations(app: FastifyInstance, { operations, context, stopping }: OperationRoutes): void {
  for (const operation of operations) {
    const { method, path, bodyBytesMax } = operation.http;
    const members = pathMembersOf(path);
    app.route({
      method,
      url: path,
      ...(method === 'GET' ? {} : { onRequest: requireJson }),
      ...(bodyBytesMax === undefined ? {} : { bodyLimit: bodyBytesMax }),
      handler: (request, reply) => {
        const signal = AbortSignal.any([goneSignal(reply), stopping]);
        return runOperation(operation, { ...context, signal, progress: () => {} }, inputOf(request, members));
      },
    });
  }
}

export function pathMembersOf(path: string): readonly string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
}

/**
 * Aborts when the client goes away. Also for verbs that change something: whoever asked no longer waits, what is durable stays,
 * and a pull that was cut off resumes at its last cursor with the next run.
 */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

/** A form or a text/plain body can be sent by another site's page without asking first; JSON cannot (T52). */
function requireJson(request: FastifyRequest, _: FastifyReply, done: (error?: Error) => void): void {
  const type = request.headers['content-type'];
  const encoding = request.headers['content-encoding'];
  if (type === undefined || !JSON_MEDIA_TYPE.test(type.trim()))
    done(new Fault('media_type_unsupported', 'the Content-Type is not application/json'));
  else if (encoding !== undefined && encoding !== 'identity')
    done(new Fault('media_type_unsupported', 'the body must not be compressed'));
  else done();
}

function inputOf(request: FastifyRequest, pathMembers: readonly string[]): unknown {
  const sent: unknown = request.method === 'POST' ? request.body : request.query;
  // Anything but an object is left to the schema, which says what it should have been.
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) return sent;
  const twice = pathMembers.find((member) => Object.hasOwn(sent, member));
  if (twice !== undefined) {
    const problem = 'is given by the path already';
    throw new Fault('input_invalid', `${twice} ${problem}`, { problems: [{ path: `/${twice}`, problem }] });
  }
  // The router gives one text per member of the path.
  return { ...sent, ...(request.params as Readonly<Record<string, string>>) };
}
