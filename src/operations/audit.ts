// Who changed what, and how it ended. Written once per change in `runOperation`; what it may hold is listed, so that no payload
// and no secret can reach it (I7).

import type { Fault, FaultCode } from '#core/fault.ts';

/** Who asked. Without a login it is the way the request came. */
export interface Actor {
  readonly name: string;
  readonly role?: string;
}

export interface AuditEntry {
  readonly operation: string;
  readonly actor: Actor;
  readonly tenants: readonly string[];
  /** What it was done to: the members of the input that name or narrow things. Empty for input that was not understood. */
  readonly target: Readonly<Record<string, unknown>>;
  /** `refused`: asked for what cannot be done, nothing was changed. `failed`: it may have been done in part. */
  readonly outcome: 'ok' | 'refused' | 'failed';
  readonly code?: FaultCode;
  /** The whole numbers of the answer: how many were queued, removed, left. */
  readonly counts: Readonly<Record<string, number>>;
  /** RFC 3339. */
  readonly at: string;
}

/** Members of inputs that say what is changed. Anything else (contents, reasons) stays out. */
export const AUDITED_MEMBERS = [
  'name',
  'connector',
  'stream',
  'rule',
  'minutes',
  'id',
  'ids',
  'all',
  'sink',
  'code',
  'class',
  'key',
  'state',
  'from',
  'reset',
  'accept_rejects',
  'accept_deletes',
] as const;

export function targetOf(input: unknown): AuditEntry['target'] {
  if (!isObject(input)) return {};
  return Object.fromEntries(
    AUDITED_MEMBERS.flatMap((name) => (input[name] === undefined ? [] : [[name, input[name]]])),
  );
}

export function countsOf(output: unknown): AuditEntry['counts'] {
  if (!isObject(output)) return {};
  return Object.fromEntries(
    Object.entries(output).filter(
      (entry): entry is [string, number] =>
        entry[0] !== 'schemaVersion' && entry[0] !== 'id' && Number.isInteger(entry[1]),
    ),
  );
}

export function isDryRun(input: unknown): boolean {
  return isObject(input) && input['dry_run'] === true;
}

/** By the fault table: what HTTP answers with 4xx was the asker's doing and changed nothing. */
export function outcomeOfFault(fault: Fault): Pick<AuditEntry, 'outcome' | 'code'> {
  return { outcome: fault.row.http < 500 ? 'refused' : 'failed', code: fault.code };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
