import type { Session } from '#cli/host.ts';
import { FAULTS, Fault, type FaultCode } from '#core/fault.ts';
import { runOperation, type Operation, type OperationContext } from '#operations/operation.ts';
import { z } from 'zod';
import type { Instance } from './instance-file.ts';

const LIVE_WAIT_MS = 2000; // an instance that does not answer this in time is taken for gone or stuck

const ProblemSchema = z.object({ code: z.string(), detail: z.string().optional(), title: z.string().optional() });

/** Operations on data that this process opened. */
export function dataSession(context: Omit<OperationContext, 'signal' | 'progress'>, signal: AbortSignal, progress: (line: string) => void, close: () => Promise<void>): Session {
  return {
    kind: 'data',
    call: (operation, input) => runOperation(operation, { ...context, signal, progress }, input),
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
      const body: unknown = await answer.json().catch(() => undefined);
      if (!answer.ok) throw toRemoteFault(answer.status, body);
      const parsed = operation.output.safeParse(body);
      if (parsed.success) return parsed.data;
      throw new Fault('bad_upstream', `the Weir at ${url} answers in another version's form; use the weir command of its version`, { cause: parsed.error });
    },
    close: () => Promise.resolve(),
  };
}

async function send<Input, Output>(url: string, operation: Operation<Input, Output>, input: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<Response> {
  const { path, rest } = fillPath(operation.http.path, input);
  const target = new URL(path, url);
  const post = operation.http.method === 'POST';
  if (!post) for (const [name, value] of Object.entries(rest)) target.searchParams.set(name, String(value));
  try {
    return await fetch(target, post ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rest), signal } : { signal });
  } catch (error) {
    if (signal.aborted) throw new Fault('cancelled', 'interrupted', { cause: error });
    throw new Fault('instance_unreachable', `the Weir at ${url} closed the connection`, { cause: error });
  }
}

function fillPath(path: string, input: Readonly<Record<string, unknown>>): { path: string; rest: Record<string, unknown> } {
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
