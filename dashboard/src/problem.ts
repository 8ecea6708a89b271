import type { ProblemAnswer } from './api.ts';
import { displayLine, displayText } from './display-text.ts';

/** A failed request as it is shown: what, why, what to do, and the id that finds it in the log. */
export interface Problem {
  readonly title: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
}

export class RequestFailure extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** An answer that is not 2xx. Anything may stand between the page and Weir, so no member is taken for granted. */
export async function problemOfAnswer(answer: Response): Promise<Problem> {
  const body: unknown = await answer.json().catch(() => undefined);
  // Every member is checked to be a text before it is used.
  const said = (typeof body === 'object' && body !== null ? body : {}) as Record<keyof ProblemAnswer, unknown>;
  return {
    title: lineOf(said.title) ?? `The server answered ${answer.status}`,
    detail: typeof said.detail === 'string' ? displayText(said.detail) : undefined,
    hint: lineOf(said.hint),
    requestId: lineOf(said.request_id) ?? lineOf(answer.headers.get('x-request-id')),
  };
}

/** Anything thrown on the way to an answer. */
export function problemOf(error: unknown): Problem {
  if (error instanceof RequestFailure) return error.problem;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return {
      title: 'No answer in time',
      detail: undefined,
      hint: 'Weir is busy or stuck; try again.',
      requestId: undefined,
    };
  }
  if (error instanceof TypeError) {
    return {
      title: 'Weir cannot be reached',
      detail: undefined,
      hint: 'Check that it is running; the page goes on by itself.',
      requestId: undefined,
    };
  }
  return {
    title: 'This failed in the page',
    detail: displayText(String(error)),
    hint: 'Reload the page.',
    requestId: undefined,
  };
}

function lineOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? displayLine(value) : undefined;
}
