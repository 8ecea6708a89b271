import { z, type ZodType } from 'zod';
import type { Operation } from '#operations/operation.ts';
import {
  HEALTH_JSON,
  LiveSchema,
  ConnectorsHealthSchema,
  ReadySchema,
  WebhooksHealthSchema,
} from './health-documents.ts';
import { pathMembersOf } from './operation-routes.ts';
import { ProblemSchema } from './problem.ts';
import { STREAM_PATH, TOPICS } from './stream-routes.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** Routes that are no operations, for the document. */
const OTHER_ROUTES: readonly {
  readonly path: string;
  readonly name: string;
  readonly title: string;
  readonly output: ZodType;
  readonly unready?: boolean;
}[] = [
  { path: '/livez', name: 'health.live', title: 'Whether the process turns', output: LiveSchema },
  {
    path: '/readyz',
    name: 'health.ready',
    title: 'Whether an event can be made durable',
    output: ReadySchema,
    unready: true,
  },
  {
    path: '/api/connectors/health',
    name: 'health.connectors',
    title: `Health of every connector; also as ${HEALTH_JSON}`,
    output: ConnectorsHealthSchema,
  },
  {
    path: '/webhooks/health',
    name: 'health.webhooks',
    title: 'What each connector has received',
    output: WebhooksHealthSchema,
  },
];

/** OpenAPI 3.1 from the same schemas that check input and describe output: there is no second description to drift. */
export function openApiDocument(operations: readonly Operation[], version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of operations) {
    const path = operation.http.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.http.method.toLowerCase()]: operationItem(operation) };
  }
  for (const { path, name, title, output, unready } of OTHER_ROUTES) {
    const responses = {
      200: jsonAnswer('The answer.', output),
      ...(unready === true ? { 503: jsonAnswer('Not ready.', output) } : {}),
      default: PROBLEM_REF,
    };
    paths[path] = { get: { operationId: name, summary: title, responses } };
  }
  paths[STREAM_PATH] = { get: streamItem() };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Weir',
      version,
      description: 'Connects external systems to your data and keeps the connections up.',
    },
    paths,
    components: {
      responses: {
        Problem: {
          description: 'RFC 9457.',
          content: { 'application/problem+json': { schema: schemaOf(ProblemSchema) } },
        },
      },
    },
  };
}

const PROBLEM_REF = { $ref: '#/components/responses/Problem' };

function operationItem({ name, title, role, changes, http, input, output }: Operation): JsonSchema {
  const { properties, required } = membersOf(schemaOf(input));
  const inPath = pathMembersOf(http.path);
  const parameterOf = (member: string, where: 'path' | 'query'): JsonSchema => {
    const { description, ...schema } = properties[member] ?? {};
    return {
      name: member,
      in: where,
      required: where === 'path' || required.includes(member),
      ...(description === undefined ? {} : { description }),
      schema,
    };
  };
  const others = Object.keys(properties).filter((member) => !inPath.includes(member));
  const bodySchema = {
    type: 'object',
    properties: Object.fromEntries(others.map((member) => [member, properties[member]])),
    required: required.filter((member) => others.includes(member)),
    additionalProperties: false,
  };
  return {
    operationId: name,
    summary: title,
    description: `Needs the role ${role}.${changes ? ' Changes something.' : ''}`,
    parameters: [
      ...inPath.map((member) => parameterOf(member, 'path')),
      ...(http.method === 'GET' ? others.map((member) => parameterOf(member, 'query')) : []),
    ],
    ...(http.method === 'GET'
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: bodySchema } } } }),
    responses: { 200: jsonAnswer('The answer.', output), default: PROBLEM_REF },
  };
}

function streamItem(): JsonSchema {
  return {
    operationId: 'stream.follow',
    summary: 'Live updates as server-sent events: connectors, queue, event, reload',
    parameters: [
      {
        name: 'topics',
        in: 'query',
        required: false,
        description: 'comma-separated; all when absent',
        schema: { type: 'array', items: { enum: TOPICS } },
        style: 'form',
        explode: false,
      },
      {
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'row of the last event received; what came after is sent, or reload',
        schema: { type: 'string' },
      },
    ],
    responses: {
      200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      default: PROBLEM_REF,
    },
  };
}

function jsonAnswer(description: string, output: ZodType): JsonSchema {
  return { description, content: { 'application/json': { schema: schemaOf(output) } } };
}

/** In input form: what a client may send, and answers to which later releases may add members. */
function schemaOf(schema: ZodType): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

function membersOf(schema: JsonSchema): {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
} {
  // Made by schemaOf from an object schema, so these two have these shapes.
  const { properties = {}, required = [] } = schema as { properties?: Record<string, JsonSchema>; required?: string[] };
  return { properties, required };
}
