// Rows of the store for the contract suites.

import type { CallFailure, CallMinute, Run } from '#core/store.ts';
import { SAMPLE_STREAM } from './event-samples.ts';

export const WIKI = { tenant: 'a', connection: 'wiki' };
export const NO_COUNTS = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };

export function sampleRun(id: string, startedAtMs: number, rest: Partial<Run> = {}): Run {
  const open = {
    endedAtMs: undefined,
    outcome: 'running',
    counts: NO_COUNTS,
    code: undefined,
    message: undefined,
    resumeAtMs: undefined,
  } as const;
  return { ...SAMPLE_STREAM, id, startedAtMs, ...open, ...rest };
}

export function sampleMinute(operation: string, minute: number, rest: Partial<CallMinute> = {}): CallMinute {
  return { ...WIKI, operation, minute, succeeded: 1, failed: 0, sketch: Uint8Array.of(0, 1, 255), ...rest };
}

export function sampleFailure(message: string, atMs: number, rest: Partial<CallFailure> = {}): CallFailure {
  return { ...WIKI, atMs, operation: 'list', code: 'upstream_timeout', message, ...rest };
}
