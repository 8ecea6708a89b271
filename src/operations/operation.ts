import { z, type ZodObject, type ZodType } from 'zod';
import type { Env } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { EventLog } from '#core/event-log.ts';
import type { Store } from '#core/store.ts';
import type { Engine } from '#engine/engine.ts';
import type { Heartbeat } from '#engine/heartbeat.ts';
import { countsOf, isDryRun, outcomeOfFault, targetOf, type Actor, type AuditEntry } from './audit.ts';

/** What a caller may do. Each role may do everything of those before it. */
export const ROLES = ['viewer', 'operator', 'deployer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Grows only when a field is removed or changes its meaning. */
export const SCHEMA_VERSION = 1 as const; // `as const`: object literals keep it as 1, not number
export const schemaVersion = z
  .literal(SCHEMA_VERSION)
  .describe('grows only when a field is removed or changes its meaning');

export interface OperationContext {
  readonly env: Env;
  readonly engine: Engine;
  readonly log: EventLog;
  readonly store: Store;
  /** Every query is limited to these tenants (I9). */
  readonly tenants: readonly string[];
  /** A command that opened the data by itself: nothing runs in its process but this one operation. */
  readonly oneShot?: boolean;
  readonly signal: AbortSignal;
  /** The last heartbeat of the worker on this data directory, if there ever was one. */
  readonly heartbeat: () => Promise<Heartbeat | undefined>;
  /** Called by long verbs with a line for people. */
  readonly progress: (line: string) => void;
  /** Who asks; unknown when absent. */
  readonly actor?: Actor;
  /** Called once for each operation that changes something, when it has ended, however that was. Must not throw. */
  readonly audit?: (entry: AuditEntry) => void;
}

export interface Operation<Input = unknown, Output = unknown> {
  /** `noun.verb`; also the OpenAPI operationId. */
  readonly name: string;
  readonly title: string;
  readonly role: Role;
  /** Whether it changes anything. */
  readonly changes: boolean;
  /** `bodyBytesMax`: where more than the server's usual body is taken. */
  readonly http: { readonly method: 'GET' | 'POST'; readonly path: string; readonly bodyBytesMax?: number };
  /** Members of the path, the query or the body, as HTTP sees them: strings are coerced. */
  readonly input: ZodObject;
  readonly output: ZodType<Output>;
  run(ctx: OperationContext, input: Input): Promise<Output>;
}

/** Types the literal: `run` gets what `input` parses to and must return what `output` describes. */
export function defineOperation<Input extends ZodObject, Output>(
  operation: Omit<Operation<z.infer<Input>, Output>, 'input'> & { readonly input: Input },
): Operation<z.infer<Input>, Output> & { readonly input: Input } {
  return operation;
}

/**
 * Checks what a caller sent and runs it; the one place from which changes are audited. Throws `input_invalid` with every problem at
 * once, or what the operation throws.
 */
export async function runOperation<Input, Output>(
  operation: Operation<Input, Output>,
  ctx: OperationContext,
  input: unknown,
): Promise<Output> {
  let parsed: Input | undefined;
  const audit = (how: Pick<AuditEntry, 'outcome' | 'code'>, output?: unknown): void => {
    if (!operation.changes || isDryRun(parsed)) return;
    ctx.audit?.({
      operation: operation.name,
      actor: ctx.actor ?? { name: 'unknown' },
      tenants: ctx.tenants,
      target: targetOf(parsed),
      ...how,
      counts: countsOf(output),
      at: new Date(ctx.env.clock.now()).toISOString(),
    });
  };
  try {
    parsed = parseInput(operation, input);
    const output = await operation.run(ctx, parsed);
    audit({ outcome: 'ok' }, output);
    return output;
  } catch (error) {
    audit(outcomeOfFault(toFault(error)));
    throw error;
  }
}

function parseInput<Input, Output>(operation: Operation<Input, Output>, input: unknown): Input {
  const parsed = operation.input.safeParse(input);
  // The operation's own schema has just produced it.
  if (parsed.success) return parsed.data as Input;
  const problems = parsed.error.issues.map((issue) => ({ path: `/${issue.path.join('/')}`, problem: issue.message }));
  throw new Fault(
    'input_invalid',
    `${operation.name}: ${problems.map(({ path, problem }) => `${path}: ${problem}`).join('; ')}`,
    { problems },
  );
}
