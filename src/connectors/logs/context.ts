import { LOGS_LIMITS } from './limits.ts';
import { firstString } from './parse-json.ts';
import type { LogRecord } from './parse-record.ts';
import { redactLine } from './redact-line.ts';

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  request_id: [
    'request_id',
    'requestId',
    'reqId',
    'req_id',
    'req.id',
    'request.id',
    'http.request.id',
    'x-request-id',
    'x_request_id',
  ],
  trace_id: ['trace_id', 'traceId', 'traceID', 'trace.id', 'dd.trace_id'],
  span_id: ['span_id', 'spanId', 'span.id'],
  correlation_id: ['correlation_id', 'correlationId', 'correlation.id', 'x-correlation-id'],
  user: ['user.id', 'user.name', 'user.username', 'user', 'user_id', 'userId', 'username', 'usr.id'],
};

const IN_TEXT = /\b(request|trace|correlation)[-_ ]?id["']?\s?[:=]\s?["']?([\w.-]{1,128})/gi;
const NO_TRACE = /^0+$/;

/** Ids and names that lead from this record to others, under one spelling, redacted and bounded. */
export function contextOf(record: LogRecord): Record<string, string> {
  const found = new Map<string, string>();
  if (record.service !== undefined) found.set('service', record.service);
  for (const [, name = '', value = ''] of record.message.matchAll(IN_TEXT))
    found.set(`${name.toLowerCase()}_id`, value);
  for (const [name, members] of Object.entries(SPELLINGS)) {
    const value = record.fields === undefined ? undefined : firstString(record.fields, members);
    if (value !== undefined) found.set(name, value);
  }
  // A trace id of zeros is how W3C trace context says "none".
  if (NO_TRACE.test(found.get('trace_id') ?? '')) found.delete('trace_id');
  return Object.fromEntries(
    [...found].map(([name, value]) => [name, redactLine(value).slice(0, LOGS_LIMITS.contextCharsMax).toWellFormed()]),
  );
}
