// RFC 9110 §5.6.7. Date.parse is no substitute: it reads '-1' as a day in 2001 and rolls 31 February over into March.

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const YEARS_AHEAD_MAX = 50; // a two-digit year further ahead than this means the century before

const month = `(?<month>${MONTHS.join('|')})`;
const time = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
const shortDay = `(?<weekday>${DAYS.map((day) => day.slice(0, 3)).join('|')})`;
const longDay = `(?<weekday>${DAYS.join('|')})`;

const IMF_FIXDATE = new RegExp(`^${shortDay}, (?<day>\\d{2}) ${month} (?<year>\\d{4}) ${time} GMT$`);
const RFC_850 = new RegExp(`^${longDay}, (?<day>\\d{2})-${month}-(?<year>\\d{2}) ${time} GMT$`);
const ASCTIME = new RegExp(`^${shortDay} ${month} (?<day>\\d{2}| \\d) ${time} (?<year>\\d{4})$`);
const TEXT_LENGTH_MAX = 64; // the longest valid form has 33 characters

/**
 * Milliseconds since the epoch, or undefined for anything but one of the three grammars with a day that exists and the
 * weekday that belongs to it. `nowMs` decides the century of RFC 850's two-digit years.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const fields = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups;
  if (fields === undefined) return undefined;
  const { weekday = '', day = '', month: monthName = '', year = '', hour = '', minute = '', second = '' } = fields;
  const seconds = Number(second);
  if (Number(hour) > 23 || Number(minute) > 59 || seconds > 60) return undefined; // 60: the grammar knows leap seconds

  const timeMs = ((Number(hour) * 60 + Number(minute)) * 60 + seconds) * 1_000;
  const monthIndex = MONTHS.findIndex((name) => name === monthName);
  const yearNumber = year.length === 2 ? fullYear(Number(year), monthIndex, Number(day), timeMs, nowMs) : Number(year);
  const midnightMs = midnightOf(yearNumber, monthIndex, Number(day));
  if (midnightMs === undefined) return undefined;
  const weekdayName = DAYS[new Date(midnightMs).getUTCDay()];
  return weekdayName?.startsWith(weekday) === true ? midnightMs + timeMs : undefined;
}

/** Undefined for a day that does not exist. */
function midnightOf(year: number, monthIndex: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, monthIndex, day); // Date.UTC would read the years 0 to 99 as 1900 to 1999
  return date.getUTCMonth() === monthIndex && date.getUTCDate() === day ? date.getTime() : undefined;
}

/** The latest year with these last two digits whose date is not more than 50 years ahead. */
function fullYear(twoDigits: number, monthIndex: number, day: number, timeMs: number, nowMs: number): number {
  const horizon = new Date(nowMs);
  horizon.setUTCFullYear(horizon.getUTCFullYear() + YEARS_AHEAD_MAX);
  const century = Math.floor(horizon.getUTCFullYear() / 100) * 100;
  const date = new Date(0);
  date.setUTCFullYear(century + twoDigits, monthIndex, day);
  return date.getTime() + timeMs <= horizon.getTime() ? century + twoDigits : century + twoDigits - 100;
}
