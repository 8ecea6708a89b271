// Whether a schedule can be understood, so that the mistake is reported with its line instead of when the clock reaches
// it. The scheduler computes the times; here only the syntax of the five fields is judged (POSIX crontab, plus names and steps).

interface CronField {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Three-letter names, in order, the first one standing for `min`. */
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS: readonly CronField[] = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 7, names: WEEKDAYS },
];

/** What is wrong with a cron expression of five fields, in one sentence; undefined when nothing is. */
export function cronProblem(expression: string): string | undefined {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return `must have 5 fields (minute hour day month weekday), it has ${expression.trim() === '' ? 0 : parts.length}`;
  }
  const wrong = FIELDS.find((field, i) => !(parts[i] ?? '').split(',').every((item) => isCronItem(item, field)));
  return wrong === undefined
    ? undefined
    : `the ${wrong.name} field must use ${wrong.min} to ${wrong.max}, *, ranges (a-b), lists (a,b) or steps (*/n)`;
}

function isCronItem(item: string, field: CronField): boolean {
  const [range = '', step, ...rest] = item.split('/');
  if (rest.length > 0) return false;
  if (step !== undefined && !(/^\d{1,2}$/.test(step) && Number(step) >= 1 && Number(step) <= field.max)) return false;
  if (range === '*') return true;
  const [low = '', high, ...more] = range.split('-');
  if (more.length > 0) return false;
  const from = cronValue(low, field);
  const to = high === undefined ? from : cronValue(high, field);
  // A step needs something to step through: `5/10` is read differently by different cron programs.
  return from !== undefined && to !== undefined && from <= to && (step === undefined || high !== undefined);
}

function cronValue(text: string, field: CronField): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  const value = named >= 0 ? named + field.min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : undefined;
}

/** What is wrong with an IANA time zone name; undefined when this machine knows it. */
export function timeZoneProblem(timeZone: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return undefined;
  } catch {
    return 'must be an IANA time zone such as Europe/Berlin or UTC';
  }
}
