import type { Severity } from '#sdk/index.ts';

/** The level names Weir shows; many spellings lead to each. */
export type Level = 'critical' | 'error' | 'warning' | 'notice' | 'info' | 'debug' | 'trace';

const LEVEL_OF_NAME: Readonly<Record<string, Level>> = {
  critical: 'critical',
  crit: 'critical',
  fatal: 'critical',
  panic: 'critical',
  emerg: 'critical',
  emergency: 'critical',
  alert: 'critical',
  dpanic: 'critical',
  error: 'error',
  err: 'error',
  eror: 'error',
  severe: 'error',
  failure: 'error',
  warning: 'warning',
  warn: 'warning',
  wrn: 'warning',
  notice: 'notice',
  info: 'info',
  information: 'info',
  informational: 'info',
  inf: 'info',
  log: 'info',
  http: 'info',
  config: 'info',
  debug: 'debug',
  dbg: 'debug',
  fine: 'debug',
  verbose: 'debug',
  trace: 'trace',
  trc: 'trace',
  finer: 'trace',
  finest: 'trace',
  silly: 'trace',
};

const SYSLOG_LEVELS: readonly Level[] = [
  'critical',
  'critical',
  'critical',
  'error',
  'warning',
  'notice',
  'info',
  'debug',
];

/** RFC 5424 severity 0 to 7; undefined for any other number. */
export function levelOfSyslog(severity: number): Level | undefined {
  return SYSLOG_LEVELS[severity];
}

/** OpenTelemetry severity number 1 to 24. */
export function levelOfOtel(severityNumber: number): Level | undefined {
  if (!(severityNumber >= 1 && severityNumber <= 24)) return undefined;
  const levels: readonly Level[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];
  return levels[Math.floor((severityNumber - 1) / 4)];
}

/** A level by its name, case-insensitive, or by its number: 0 to 7 as syslog counts, 10 to 60 as pino and bunyan do. */
export function levelOf(value: unknown): Level | undefined {
  if (typeof value === 'number') return levelOfNumber(value);
  if (typeof value !== 'string' || value.length > 32) return undefined;
  const name = value.trim().toLowerCase();
  if (/^\d{1,3}$/.test(name)) return levelOfNumber(Number(name));
  return Object.hasOwn(LEVEL_OF_NAME, name) ? LEVEL_OF_NAME[name] : undefined;
}

function levelOfNumber(value: number): Level | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  if (value < 8) return levelOfSyslog(Math.trunc(value));
  if (value >= 60) return 'critical';
  if (value >= 50) return 'error';
  if (value >= 40) return 'warning';
  if (value >= 30) return 'info';
  return value >= 20 ? 'debug' : 'trace';
}

const SEVERITY_OF_LEVEL = {
  critical: 'critical',
  error: 'high',
  warning: 'medium',
  notice: 'low',
  info: 'low',
  debug: 'low',
  trace: 'low',
} as const satisfies Record<Level, Severity>;

// Words that make any line at least medium: deadlock, timeout and out of memory with the spellings they come in.
const MEDIUM_WORDS =
  /\b(?:time-?outs?|timed[ _-]out|times out|timing out|etimedout|dead-?lock(?:s|ed)?|oom|oom[-_ ]?kill(?:ed|er|ing)?|out[ _-]of[ _-]memory|enomem)\b|(?:timeout|deadlock|outofmemory)(?:error|exception)\b/i;

/** A keyword raises to medium and never lowers: an error with "timeout" stays high. */
export function severityOf(level: Level | undefined, message: string): Severity {
  const severity = level === undefined ? 'low' : SEVERITY_OF_LEVEL[level];
  return severity === 'low' && MEDIUM_WORDS.test(message) ? 'medium' : severity;
}
