import { pino } from 'pino';
import type { Clock } from '#core/env.ts';
import type { JsonValue } from '#core/json.ts';
import { toPlainText } from '#core/plain-text.ts';
import type { Redactor } from './redaction.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogBindings {
  /** Which part of Weir speaks: `scheduler`, `delivery`, `server`. */
  readonly component?: string;
  readonly run_id?: string;
  readonly connector?: string;
}

/** Any member may hold anything: it is redacted, bounded and turned into JSON before it is written. */
export type LogExtra = Readonly<Record<string, unknown>>;

/** Where every part of Weir says what an operator acts on. Any number of callers; never throws and never waits. */
export interface Logger {
  debug(message: string, extra?: LogExtra): void;
  info(message: string, extra?: LogExtra): void;
  warn(message: string, extra?: LogExtra): void;
  error(message: string, extra?: LogExtra): void;
  /** A logger whose lines carry these fields; what is not named stays as it was. */
  child(bindings: LogBindings): Logger;
}

/** Takes whole lines, each with its newline: `process.stdout`, `process.stderr`, a RotatingFile. */
export interface LogStream {
  write(line: string): unknown;
}

export interface LoggerOptions {
  /** Lines below it are neither redacted nor written. */
  readonly level: LogLevel;
  readonly streams: readonly LogStream[];
  readonly redactor: Redactor;
  readonly clock: Pick<Clock, 'now'>;
  readonly component?: string;
}

/**
 * One JSON object a line with exactly the members timestamp, level, component, run_id, connector, message, extra. Fields that do
 * not apply are null, `extra` is `{}`: readers need no case for absence.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { redactor, clock, level, streams } = options;
  const sink = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"timestamp":"${new Date(clock.now()).toISOString()}"`,
    },
    { write: (line: string) => writeToAll(streams, line) },
  );
  const loggerOf = (fields: Readonly<Record<'component' | 'run_id' | 'connector', JsonValue>>): Logger => {
    const write = (at: LogLevel, message: string, extra: LogExtra = {}): void => {
      if (!sink.isLevelEnabled(at)) return;
      sink[at]({ ...fields, extra: redactor.redactValue(extra) }, toPlainText(redactor.redactText(message)));
    };
    return {
      debug: (message, extra) => write('debug', message, extra),
      info: (message, extra) => write('info', message, extra),
      warn: (message, extra) => write('warn', message, extra),
      error: (message, extra) => write('error', message, extra),
      child: (bindings) => loggerOf({ ...fields, ...cleanOf(bindings, redactor) }),
    };
  };
  return loggerOf({ component: options.component ?? null, run_id: null, connector: null });
}

/** For tests and code that has nobody to tell. */
export const noLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => noLogger };

function cleanOf(bindings: LogBindings, redactor: Redactor): Readonly<Record<string, string>> {
  const { component, run_id, connector } = bindings;
  const named = Object.entries({ component, run_id, connector }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(named.map(([name, value]) => [name, redactor.redactText(value)]));
}

function writeToAll(streams: readonly LogStream[], line: string): void {
  // JSON escapes C0 and with it newlines, so no text can forge a line; C1 and bidi controls would pass and are replaced here (T55).
  const printable = toPlainText(line);
  for (const stream of streams) {
    try {
      stream.write(printable);
    } catch {
      // A closed pipe or a full disk is no reason to stop pulling, and there is nobody left to tell (I6).
    }
  }
}
