import { LOGS_LIMITS } from './limits.ts';
import { parseObject } from './parse-json.ts';
import { timeOfValue } from './parse-time.ts';
import type { RawLine } from './read-lines.ts';

export type LogFormat = 'auto' | 'json' | 'text';

/** A line without what a container runtime wrapped around it. */
interface UnwrappedLine {
  readonly body: string;
  readonly form: 'json' | 'text';
  /** The runtime cut a long line here: the next one of the same output goes on without a line break. */
  readonly partial: boolean;
  readonly output: string;
  readonly outerTime: (() => number | undefined) | undefined;
}

/** One record: its first line and the continuation lines that belong to it. */
export interface RawRecord {
  readonly start: number;
  end: number;
  head: string;
  form: 'json' | 'text';
  /** Continuation lines kept; what exceeds the bounds belongs to the record but is only marked. */
  readonly rest: string[];
  truncated: boolean;
  readonly outerTime: (() => number | undefined) | undefined;
}

const DOCKER_START = '{"log":"';

function unwrapLine(text: string, format: LogFormat): UnwrappedLine {
  const docker = format !== 'text' && text.startsWith(DOCKER_START) ? parseObject(text) : undefined;
  const log = docker?.['log'];
  if (docker === undefined || typeof log !== 'string')
    return { body: text, form: formOf(text, format), partial: false, output: '', outerTime: undefined };
  const body = log.replace(/\r?\n$/, '');
  return {
    body,
    form: formOf(body, format),
    partial: !log.endsWith('\n'),
    output: typeof docker['stream'] === 'string' ? docker['stream'] : '',
    outerTime: () => timeOfValue(docker['time']),
  };
}

function formOf(text: string, format: LogFormat): 'json' | 'text' {
  return format !== 'text' && text.startsWith('{') && text.endsWith('}') ? 'json' : 'text';
}

const CONTINUATION =
  /^(?:[ \t]\s{0,256}\S|\s{0,64}\.\.\. \d{1,6} (?:more|common frames)|Caused by: |Suppressed: |at \S|Traceback \(most recent call last\):|During handling of the above exception|The above exception was)/;
const LEFT_OUT = '…';
const TRACEBACK = /^\s{0,64}Traceback \(most recent call last\):/;
const TRACEBACK_END = /^[A-Za-z_][\w.]{0,200}(?::.*)?$/;

/**
 * Lines → records. A stack trace belongs to the line above it; JSON records stand alone. The answer depends on the lines
 * alone, so a reader that begins at a record's first line always finds the same records (restart, late continuation).
 */
export class RecordAssembler {
  readonly #format: LogFormat;
  #open: RawRecord | undefined;
  #partial = false;
  #output = '';
  #inTraceback = false;
  #restChars = 0;

  constructor(format: LogFormat) {
    this.#format = format;
  }

  /** The record that further lines may still belong to; undefined when the last one is complete by its form. */
  get extendable(): RawRecord | undefined {
    const complete = this.#open?.truncated === true || this.#format === 'json' || this.#open?.form === 'json';
    return complete && !this.#partial ? undefined : this.#open;
  }

  /** The open record's first line goes on in the next one: its text, and so its template, is not known yet. */
  get unfinished(): boolean {
    return this.#open !== undefined && this.#partial;
  }

  /** Takes the record out, finished. */
  close(): RawRecord | undefined {
    const record = this.#open;
    this.#open = undefined;
    return record;
  }

  /** Adds the line to the open record if it goes on there. False: the line begins a record of its own. */
  extend(line: RawLine): boolean {
    const record = this.#open;
    if (record === undefined || line.end - record.start > LOGS_LIMITS.recordExtentBytesMax) return false;
    const unwrapped = unwrapLine(line.text, this.#format);
    if (unwrapped.output !== this.#output) return false;
    if (this.#partial) return this.#join(record, unwrapped, line);
    if (this.#format === 'json' || record.form === 'json' || unwrapped.form === 'json' || record.truncated)
      return false;
    return this.#continues(unwrapped.body) && this.#append(record, unwrapped.body, line);
  }

  /** Begins a record; the open one must have been closed. */
  begin(line: RawLine): void {
    const { body, form, partial, output, outerTime } = unwrapLine(line.text, this.#format);
    this.#open = { start: line.start, end: line.end, head: body, form, rest: [], truncated: line.truncated, outerTime };
    this.#partial = partial;
    this.#output = output;
    this.#inTraceback = TRACEBACK.test(body);
    this.#restChars = 0;
  }

  #continues(body: string): boolean {
    if (body === '') return true;
    if (TRACEBACK.test(body)) this.#inTraceback = true;
    if (CONTINUATION.test(body)) return true;
    // A Python trace ends with the exception's own line, which is not indented.
    const last = this.#inTraceback && TRACEBACK_END.test(body);
    if (last) this.#inTraceback = false;
    return last;
  }

  #join(record: RawRecord, piece: UnwrappedLine, line: RawLine): boolean {
    const room = LOGS_LIMITS.lineBytesMax - record.head.length;
    record.head += piece.body.slice(0, Math.max(room, 0));
    record.truncated ||= piece.body.length > room;
    record.form = formOf(record.head, this.#format);
    this.#partial = piece.partial;
    return this.#absorb(record, line.end);
  }

  #append(record: RawRecord, body: string, line: RawLine): boolean {
    const full =
      record.rest.length >= LOGS_LIMITS.recordLinesMax || this.#restChars + body.length > LOGS_LIMITS.recordCharsMax;
    if (full) {
      // Nothing is kept after the first line left out: a gap would mislead.
      if (record.rest.at(-1) !== LEFT_OUT) record.rest.push(LEFT_OUT);
      this.#restChars = LOGS_LIMITS.recordCharsMax;
    } else {
      record.rest.push(body);
      this.#restChars += body.length;
    }
    return this.#absorb(record, line.end);
  }

  #absorb(record: RawRecord, end: number): boolean {
    record.end = end;
    return true;
  }
}
