import { z, type ZodType } from 'zod';
import { Fault } from '#core/fault.ts';
import type { HttpAnswer } from '#core/http.ts';
import type { JsonValue } from '#core/json.ts';
import type { RawAnswer } from './http-agent.ts';

/** Stands for "there is no JSON here": null is JSON. */
export const NO_JSON: unique symbol = Symbol('no JSON');

export interface AnswerParts {
  readonly raw: RawAnswer;
  readonly url: string;
  readonly bytes: Buffer;
  readonly json: JsonValue | typeof NO_JSON;
  readonly subject: string;
  readonly keep: () => void;
}

export function createAnswer({ raw, url, bytes, json, subject, keep }: AnswerParts): HttpAnswer {
  const jsonOf = (): JsonValue => {
    if (json === NO_JSON) throw new Fault('bad_upstream', `${subject}: the answer (${raw.status}) has no JSON body`);
    return json;
  };
  function read(): JsonValue;
  function read<T>(schema: ZodType<T>): T;
  function read<T>(schema?: ZodType<T>): JsonValue | T {
    return schema === undefined ? jsonOf() : checked(schema, jsonOf(), subject);
  }
  return {
    status: raw.status,
    headers: raw.headers,
    url,
    notModified: raw.status === 304,
    json: read,
    text: () => bytes.toString('utf8'),
    bytes: () => bytes,
    keepValidators: keep,
  };
}

const PROBLEMS_MAX = 20; // named in a fault; a thousand records may all have the same one

function checked<T>(schema: ZodType<T>, json: JsonValue, subject: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, PROBLEMS_MAX)
    .map((issue) => ({ path: z.core.toDotPath(issue.path), problem: issue.message }));
  const first = problems[0];
  const where = first === undefined ? '' : ` at ${first.path || 'its top'}: ${first.problem}`;
  throw new Fault('bad_upstream', `${subject}: the answer has another shape${where}`, { problems });
}

/** The text of the parser's error quotes the body, so it goes no further. */
export function parseJsonBody(bytes: Buffer, headers: ReadonlyMap<string, string>, subject: string): JsonValue {
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/html' || type === 'application/xhtml+xml')
    throw new Fault('bad_upstream', `${subject}: an HTML page came where JSON was asked for; look at its base_url`);
  try {
    // The parser's result is JSON by definition.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as JsonValue;
  } catch {
    throw new Fault('bad_upstream', `${subject}: the answer is no valid JSON`);
  }
}
