import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { Fault, toFault, type FaultCode } from '#core/fault.ts';
import { toPlainLine } from '#core/plain-text.ts';
import { SERVER_LIMITS } from './server-limits.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
export const FAULT_PAGE = '/docs/faults';

/** RFC 9457. `code`, `hint` and a `type` of its own come from the fault table; what HTTP itself refuses is `about:blank`. */
export const ProblemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  instance: z.string(),
  code: z.string().optional(),
  hint: z.string().optional(),
  request_id: z.string(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof ProblemSchema>;

/** What HTTP refuses before there is anything a fault could be about: no valid path, method or framing. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const { detailCharsMax, problemsMax, bodyBytesMax } = SERVER_LIMITS;

export function problemOf(failure: Fault | Refusal, requestId: string): Problem {
  const about = { instance: `urn:weir:request:${requestId}`, request_id: requestId };
  if (failure instanceof Refusal) {
    const title = STATUS_CODES[failure.status] ?? 'Refused';
    return { type: 'about:blank', title, status: failure.status, detail: line(failure.message), ...about };
  }
  const { code, row, hint, problems } = failure;
  return {
    type: `${FAULT_PAGE}#${code}`,
    title: titleOf(code),
    status: row.http,
    // The message of an unknown error is for the log: it may quote anything.
    detail: code === 'internal' ? 'Weir could not answer this request.' : line(failure.message),
    code,
    hint,
    ...about,
    ...(problems.length === 0
      ? {}
      : {
          errors: problems
            .slice(0, problemsMax)
            .map(({ path, problem }) => ({ pointer: line(path), message: line(problem) })),
        }),
  };
}

/** `not_found` → `Not found`: the same words for every occurrence, as RFC 9457 wants a title. */
export function titleOf(code: FaultCode): string {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function line(text: string): string {
  return toPlainLine(text, detailCharsMax);
}

/** The border between what fastify and handlers throw and what is answered. Total: anything unknown is `internal`. */
export function toFailure(thrown: unknown, bodyLimit = bodyBytesMax): Fault | Refusal {
  if (thrown instanceof Fault || thrown instanceof Refusal || !(thrown instanceof Error))
    return thrown instanceof Refusal ? thrown : toFault(thrown);
  const { code, statusCode } = libraryMembers(thrown);
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Fault('body_too_large', 'the body is larger than allowed', {
        details: { limit: `${bodyLimit} bytes` },
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Fault('media_type_unsupported', 'the Content-Type is not application/json');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new Fault('body_malformed', 'the body is empty; {} is the least that JSON needs');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Fault('body_malformed', 'the body is not valid JSON of the announced length');
    case 'FST_ERR_BAD_URL':
      return new Refusal(400, 'the path is not validly encoded');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Refusal(414, 'a part of the path is too long');
    default:
      if (thrown instanceof SyntaxError && statusCode === 400)
        return new Fault('body_malformed', 'the body is not valid JSON');
      if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
        return new Refusal(statusCode, 'the request cannot be read');
      return toFault(thrown);
  }
}

function libraryMembers(error: Error): { readonly code: unknown; readonly statusCode: number | undefined } {
  // Errors of the HTTP library carry these two; each is checked before it is used.
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return { code, statusCode: typeof statusCode === 'number' ? statusCode : undefined };
}
