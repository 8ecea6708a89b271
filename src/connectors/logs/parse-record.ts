import type { JsonObject } from '#sdk/index.ts';
import type { RawRecord } from './assemble-record.ts';
import { LOGS_LIMITS } from './limits.ts';
import { parseJsonFields } from './parse-json.ts';
import { parseText } from './parse-text.ts';
import { type Level, severityOf } from './severity.ts';
import type { Severity } from '#sdk/index.ts';

/** What a line says, whatever format it is in. */
export interface ParsedLine {
  readonly message: string;
  readonly level: Level | undefined;
  /** The record names a level that no table knows. */
  readonly levelUnknown: boolean;
  /** Upstream time in epoch milliseconds; a function, because most lines are left out before anybody asks. */
  readonly timeMs: () => number | undefined;
  /** Members of a JSON record, or key=value pairs of a text line, for the context. */
  readonly fields: JsonObject | undefined;
  readonly service: string | undefined;
}

export interface LogRecord extends ParsedLine {
  readonly raw: RawRecord;
  readonly severity: Severity;
}

/**
 * One assembled record → what it says. Total: what is not JSON after all is text, and text without a level is low.
 * `nearMs` is the file's modification time, used only to guess the year of stamps that have none.
 */
export function parseRecord(raw: RawRecord, nearMs: number): LogRecord {
  const line = (raw.form === 'json' ? parseJsonFields(raw.head) : undefined) ?? parseText(raw.head, nearMs);
  const message = line.message.slice(0, LOGS_LIMITS.messageCharsMax);
  const { outerTime } = raw;
  return {
    ...line,
    message,
    raw,
    timeMs: () => line.timeMs() ?? outerTime?.(),
    severity: severityOf(line.level, message),
  };
}
