import type { JsonObject, JsonValue } from '#sdk/index.ts';
import type { ParsedLine } from './parse-record.ts';
import { levelOf, levelOfOtel, type Level } from './severity.ts';
import { parseText } from './parse-text.ts';
import { plausibleMs, timeOfValue } from './parse-time.ts';

// In order of how sure each name is. `log.level` stands for the dotted member and for the nested one.
const LEVEL_MEMBERS = [
  'level',
  'log.level',
  'severity',
  'severityText',
  'severity_text',
  'PRIORITY',
  'lvl',
  'levelname',
  'level_name',
  'loglevel',
  'log_level',
  '@l',
  '@level',
];
const OTEL_NUMBER_MEMBERS = ['severityNumber', 'severity_number'];
const TIME_MEMBERS = [
  'time',
  '@timestamp',
  'timestamp',
  'ts',
  'datetime',
  'date',
  'asctime',
  '@t',
  't',
  '__REALTIME_TIMESTAMP',
  'timeUnixNano',
  'observedTimeUnixNano',
];
const MESSAGE_MEMBERS = [
  'msg',
  'message',
  'MESSAGE',
  'body',
  'short_message',
  'text',
  '@m',
  '@message',
  'event',
  'log',
];
const ERROR_MESSAGE_MEMBERS = ['err.message', 'error.message', 'exception.message', 'error', 'err', 'exception'];
const SERVICE_MEMBERS = [
  'service.name',
  'service',
  'service_name',
  'serviceName',
  'app',
  'application',
  '_SYSTEMD_UNIT',
  'SYSLOG_IDENTIFIER',
  'resource.service.name',
  'name',
  'logger',
];

/** A JSON object line of any of the usual loggers; undefined when it is not a JSON object. */
export function parseJsonFields(line: string): ParsedLine | undefined {
  const fields = parseObject(line);
  if (fields === undefined) return undefined;
  const named = levelMember(fields);
  const body = messageOf(fields);
  // journald and container runtimes carry a whole text line as the message; its own level is the better one.
  const inner = named.level === undefined && !named.present ? parseText(body, 0) : undefined;
  return {
    message: inner?.message ?? body,
    level: named.level ?? inner?.level,
    levelUnknown: named.present && named.level === undefined,
    timeMs: () => timeOf(fields),
    fields,
    service: firstString(fields, SERVICE_MEMBERS),
  };
}

export function parseObject(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // JSON.parse gives JSON: an object that is no array is a JsonObject.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** A member by its dotted name or along its nested path; own members only, so that `constructor` is no member. */
export function memberOf(fields: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(fields, name)) return fields[name];
  const dot = name.indexOf('.');
  if (dot === -1) return undefined;
  const parent = Object.hasOwn(fields, name.slice(0, dot)) ? fields[name.slice(0, dot)] : undefined;
  return isObject(parent) ? memberOf(parent, name.slice(dot + 1)) : undefined;
}

export function firstString(fields: JsonObject, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = memberOf(fields, name);
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function levelMember(fields: JsonObject): { present: boolean; level: Level | undefined } {
  let present = false;
  for (const name of LEVEL_MEMBERS) {
    const value = memberOf(fields, name);
    if (typeof value !== 'string' && typeof value !== 'number') continue;
    present = true;
    const level = levelOf(value);
    if (level !== undefined) return { present, level };
  }
  for (const name of OTEL_NUMBER_MEMBERS) {
    const value = Number(memberOf(fields, name) ?? Number.NaN);
    const level = levelOfOtel(value);
    if (level !== undefined) return { present: true, level };
  }
  return { present, level: undefined };
}

function timeOf(fields: JsonObject): number | undefined {
  for (const name of TIME_MEMBERS) {
    const value = memberOf(fields, name);
    const ms = value === undefined ? undefined : timeOfValue(value);
    if (ms !== undefined) return plausibleMs(ms);
  }
  return undefined;
}

function messageOf(fields: JsonObject): string {
  for (const name of MESSAGE_MEMBERS) {
    const text = textOf(memberOf(fields, name));
    if (text !== undefined && text !== '') return text;
  }
  return firstString(fields, ERROR_MESSAGE_MEMBERS) ?? '';
}

const BODY_BYTES_MAX = 64 * 1024;

// A body may be any value (OpenTelemetry), or bytes (journald, for text that is not UTF-8).
function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) {
    const bytes = value.slice(0, BODY_BYTES_MAX);
    return bytes.every((byte) => typeof byte === 'number') ? Buffer.from(bytes).toString('utf8') : undefined;
  }
  if (!isObject(value)) return undefined;
  return firstString(value, ['stringValue', 'message', 'msg']) ?? jsonOf(value);
}

function jsonOf(value: JsonObject): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // nested deeper than the stack goes: such a message says nothing to a reader either
  }
}
