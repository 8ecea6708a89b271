import { request, type IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Session } from '#cli/host.ts';
import { FAULTS, Fault, type FaultCode } from '#core/fault.ts';
import { runOperation, type Operation, type OperationContext } from '#operations/operation.ts';
import type { Instance } from './instance-file.ts';

const LIVE_WAIT_MS = 2000; // an instance that does not answer this in time is taken for gone or stuck

const ProblemSchema = z.object({ code: z.string(), detail: z.string().optional(), title: z.string().optional() });

/** Operations on data that this process opened. */
export function dataSession(
  context: Omit<OperationContext, 'signal' | 'progress'>,
  signal: AbortSignal,
  progress: (line: string) => void,
  close: () => Promise<void>,
): Session {
  return {
    kind: 'data',
    call: (operation, input) => runOperation(operation, { ...context, oneShot: true, signal, progress }, input),
    close,
  };
}

export async function isLive({ url }: Instance): Promise<boolean> {
  try {
    const answer = await fetch(new URL('/livez', url), { signal: AbortSignal.timeout(LIVE_WAIT_MS) });
    return answer.ok;
  } catch {
    return false;
  }
}

/** Operations in the running instance, over its own HTTP API. */
export function instanceSession({ url }: Instance, signal: AbortSignal): Session {
  return {
    kind: 'instance',
    async call(operation, input) {
      const answer = await send(url, operation, input, signal);
      const body = parseJson(answer.text);
      if (answer.status !== 200) throw toRemoteFault(answer.status, body);
      const parsed = operation.output.safeParse(body);
      if (parsed.success) return parsed.data;
      throw new Fault(
        'bad_upstream',
        `the Weir at ${url} answers in another version's form; use the weir command of its version`,
        { cause: parsed.error },
      );
    },
    close: () => Promise.resolve(),
  };
}

function send<Input, Output>(
  url: string,
  operation: Operation<Input, Output>,
  input: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Answer> {
  const { path, rest } = fillPath(operation.http.path, input);
  const target = new URL(path, url);
  const { method } = operation.http;
  const body = method === 'POST' ? JSON.stringify(rest) : '';
  if (method === 'GET') for (const [name, value] of Object.entries(rest)) target.searchParams.set(name, String(value));
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      if (signal.aborted) reject(new Fault('cancelled', 'interrupted', { cause: error }));
      else reject(new Fault('instance_unreachable', `the Weir at ${url} closed the connection`, { cause: error }));
    };
    // Not fetch: it gives up on an answer after five minutes, and a first pull may take longer.
    const asked = request(
      target,
      {
        method,
        signal,
        headers: body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (answer) => {
        readText(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), fail);
      },
    );
    asked.on('error', fail).end(body);
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function readText(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  // With an encoding set, a stream of Node yields text; its type does not say so.
  for await (const chunk of answer as AsyncIterable<string>) text += chunk;
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // judged by the schema that follows
  }
}

function fillPath(
  path: string,
  input: Readonly<Record<string, unknown>>,
): { path: string; rest: Record<string, unknown> } {
  const rest = { ...input };
  const filled = path.replace(/:(\w+)/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  return { path: filled, rest };
}

function toRemoteFault(status: number, body: unknown): Fault {
  const problem = ProblemSchema.safeParse(body);
  if (!problem.success) return new Fault('bad_upstream', `the running Weir answered ${status}`);
  const { code, detail, title } = problem.data;
  const known: FaultCode = Object.hasOwn(FAULTS, code) ? (code as FaultCode) : 'internal'; // hasOwn has just proven membership
  return new Fault(known, detail ?? title ?? `the running Weir answered ${status}`);
}
