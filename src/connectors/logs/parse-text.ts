import type { JsonObject } from '#sdk/index.ts';
import { LOGS_LIMITS } from './limits.ts';
import type { ParsedLine } from './parse-record.ts';
import { clfTime, leadingBsdTime, leadingTime } from './parse-time.ts';
import { type Level, levelOf, levelOfSyslog } from './severity.ts';

// eslint-disable-next-line no-control-regex -- colour codes begin with ESC
const COLOURS = /\u001b\[[0-9;]{0,16}m/g;

interface Prefix {
  readonly rest: string;
  readonly level?: Level | undefined;
  readonly timeMs?: number | undefined;
  readonly service?: string | undefined;
}

/** A line of text: syslog, common log format, key=value, or free text behind a time. `nearMs` as in `parseRecord`. */
export function parseText(line: string, nearMs: number): ParsedLine {
  const head = line.slice(0, LOGS_LIMITS.messageCharsMax).replace(COLOURS, '');
  const prefix = syslogPrefix(head, nearMs) ?? clfPrefix(head) ?? timePrefix(head, nearMs);
  const fields = keyValues(prefix.rest);
  const named = fields?.['level'] ?? fields?.['lvl'] ?? fields?.['severity'];
  const level = prefix.level ?? levelOf(named) ?? levelByWord(prefix.rest.slice(0, LOGS_LIMITS.headCharsMax));
  const message = fields?.['msg'] ?? fields?.['message'] ?? withoutLevel(prefix.rest);
  return {
    message: typeof message === 'string' && message !== '' ? message : prefix.rest,
    level,
    levelUnknown: named !== undefined && level === undefined,
    timeMs: () => prefix.timeMs ?? leadingTime(textOf(fields?.['time'] ?? fields?.['ts']))?.ms,
    fields,
    service: prefix.service ?? stringOf(fields?.['service']) ?? stringOf(fields?.['app']),
  };
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

const PRI = /^<(\d{1,3})>/;
const RFC5424 = /^1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) /;
const BSD_TAG = /^(\S{1,255}) ([\w./@-]{1,64})(?:\[[^\]\s]{1,32}\])?: /;

function syslogPrefix(head: string, nearMs: number): Prefix | undefined {
  const pri = PRI.exec(head);
  const code = pri === null ? undefined : Number(pri[1]);
  if (code !== undefined && code > 191) return undefined;
  const level = code === undefined ? undefined : levelOfSyslog(code % 8);
  const body = pri === null ? head : head.slice(pri[0].length);
  const modern = pri === null ? null : RFC5424.exec(body);
  if (modern !== null) {
    const [whole, stamp = '', , app] = modern;
    const rest = withoutStructuredData(body.slice(whole.length));
    return { rest, level, timeMs: leadingTime(stamp)?.ms, service: app === '-' ? undefined : app };
  }
  const stamp = leadingBsdTime(body, nearMs) ?? (pri === null ? undefined : { ms: undefined, charCount: 0 });
  if (stamp === undefined) return undefined;
  const after = body.slice(stamp.charCount);
  const tag = BSD_TAG.exec(after);
  return { rest: tag === null ? after : after.slice(tag[0].length), level, timeMs: stamp.ms, service: tag?.[2] };
}

// Elements stand in brackets; inside quotes `\]` and `\"` are escaped, so a scan is simpler and safer than a pattern.
function withoutStructuredData(text: string): string {
  if (text.startsWith('- ') || text === '-') return text.slice(2).replace(/^\ufeff/, '');
  let at = 0;
  let quoted = false;
  while (at < text.length && (at === 0 ? text[0] === '[' : quoted || text[at] !== ' ')) {
    const char = text[at];
    if (char === '\\' && quoted) at += 1;
    else if (char === '"') quoted = !quoted;
    at += 1;
    if (char === ']' && !quoted && text[at] !== '[') break;
    if (char !== ']' && !quoted && text[at] === ' ') at += 1; // blanks between parameters belong to the element
  }
  return text
    .slice(at)
    .trimStart()
    .replace(/^\ufeff/, '');
}

const CLF = /^\S{1,255} \S{1,128} (?:\S{1,128}) \[([^\]]{1,40})\] ("(?:[^"\\]|\\.){0,6000}") (\d{3}) /;

function clfPrefix(head: string): Prefix | undefined {
  const match = CLF.exec(head);
  if (match === null) return undefined;
  const [, stamp = '', request = '', status = ''] = match;
  return { rest: `${request} ${status}`, level: status.startsWith('5') ? 'error' : 'info', timeMs: clfTime(stamp) };
}

const GLOG = /^([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d{1,9} +\d{1,10} [\w./-]{1,128}:\d{1,6}\] /;
const GLOG_LEVELS: Readonly<Record<string, Level>> = { I: 'info', W: 'warning', E: 'error', F: 'critical' };

function timePrefix(head: string, nearMs: number): Prefix {
  const glog = GLOG.exec(head);
  if (glog !== null) return { rest: head.slice(glog[0].length), level: GLOG_LEVELS[glog[1] ?? ''] };
  const bracket = head.startsWith('[') ? 1 : 0;
  const stamp = leadingTime(bracket === 0 ? head : head.slice(1, 60)) ?? leadingBsdTime(head, nearMs);
  if (stamp === undefined) return { rest: head };
  return { rest: head.slice(stamp.charCount + bracket).replace(/^\]?[\s,:-]{0,8}/, ''), timeMs: stamp.ms };
}

const PAIR = /(?<![\w.-])([A-Za-z_][\w.-]{0,63})=(?:"((?:[^"\\]|\\.){0,4096})"|([^\s"]{1,512}))/g;
const PAIRS_MAX = 40;

/** The key=value pairs of a text line: for its context always, and as its level and message when it is logfmt. */
function keyValues(rest: string): JsonObject | undefined {
  if (!rest.includes('=')) return undefined;
  // Without a prototype: a key of a log line may be called __proto__.
  const pairs = Object.create(null) as Record<string, string>;
  for (const [, key = '', quoted, plain] of rest.matchAll(PAIR).take(PAIRS_MAX)) pairs[key] = quoted ?? plain ?? '';
  return pairs;
}

const LEVEL_WORD = String.raw`trace|debug|verbose|info|information|notice|warn|warning|err|error|severe|crit|critical|fatal|panic|emerg|alert`;
const MARKED_LEVEL = new RegExp(
  String.raw`[\[(<|](${LEVEL_WORD})[\])>|:]|"(?:level|severity|log\.level)"\s?:\s?"?(\w{1,12})`,
  'i',
);
const LEADING_LEVEL = new RegExp(String.raw`^[\s\[(<|-]{0,4}(${LEVEL_WORD})(?:\s?[\])>|:]|\s-\s|$)`, 'i');
const UPPER_LEVEL = new RegExp(String.raw`\b(${LEVEL_WORD.toUpperCase()})\b`);
const UPPER_LEVEL_FIRST = new RegExp(String.raw`^(?:${LEVEL_WORD.toUpperCase()})\s`);
const LEVEL_PLACE_CHARS = 120; // a level stands near the beginning; further on it is a word of the message
const ERROR_WORDS = /\b(?:errors?|exceptions?|failed|failure|critical|fatal|panic)\b|[a-z](?:Error|Exception)\b/i;
const NO_ERROR = /\b(?:no|0|zero|without(?: any)?) (?:errors?|exceptions?|failures?)\b/i;
const WARNING_WORDS = /\b(?:warn|warnings?|deprecated|slow[ _-]quer(?:y|ies))\b|DeprecationWarning/i;

/** The level a text line is marked with, and without a mark the one its words speak of. */
function levelByWord(text: string): Level | undefined {
  const place = text.slice(0, LEVEL_PLACE_CHARS);
  const marked = LEADING_LEVEL.exec(place) ?? UPPER_LEVEL.exec(place) ?? MARKED_LEVEL.exec(place);
  const level = levelOf(marked?.[1] ?? marked?.[2]);
  if (level !== undefined) return level;
  if (text.startsWith('Traceback (') || (ERROR_WORDS.test(text) && !NO_ERROR.test(text))) return 'error';
  return WARNING_WORDS.test(text) ? 'warning' : undefined;
}

function withoutLevel(rest: string): string {
  return rest.replace(LEADING_LEVEL, '').replace(UPPER_LEVEL_FIRST, '').trimStart();
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
