import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Fault } from '#core/fault.ts';
import type { Timeline } from '#core/timeline.ts';
import type { EventStream } from './event-stream.ts';
import { queryOf } from './query-members.ts';
import type { Topic } from './stream-client.ts';

export const STREAM_PATH = '/api/v1/stream';
export const TOPICS = ['connectors', 'queue', 'events'] as const satisfies readonly Topic[];

const TOPICS_CHARS_MAX = 64;
const ROW = /^\d{1,15}$/;

export function registerStream(app: FastifyInstance, stream: EventStream, timeline: Timeline): void {
  // No HEAD: a stream has no length and its headers say nothing that GET does not.
  app.get(STREAM_PATH, { exposeHeadRoute: false }, async (request, reply) => {
    const topics = topicsOf(queryOf(request, 'topics').topics);
    const newest = await timeline.newest();
    if (reply.raw.destroyed) return reply;
    stream.requireRoom();
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no', // a proxy in front would hold events back
      connection: 'close',
    });
    stream.join(reply.raw, { topics, newest, lastRow: lastRowOf(request) });
    return reply;
  });
}

function topicsOf(sent: unknown): ReadonlySet<Topic> {
  if (sent === undefined) return new Set(TOPICS);
  const names = typeof sent === 'string' && sent.length <= TOPICS_CHARS_MAX ? sent.split(',') : [];
  const topics = TOPICS.filter((topic) => names.includes(topic));
  if (names.length === 0 || names.some((name) => !topics.some((topic) => topic === name))) {
    const problem = `must be some of ${TOPICS.join(', ')}, separated by commas`;
    throw new Fault('input_invalid', `topics ${problem}`, { problems: [{ path: '/topics', problem }] });
  }
  return new Set(topics);
}

function lastRowOf(request: FastifyRequest): number | undefined {
  const sent = request.headers['last-event-id'];
  if (sent === undefined || sent === '') return undefined;
  return typeof sent === 'string' && ROW.test(sent) ? Number(sent) : Number.NaN;
}
