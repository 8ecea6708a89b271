// Times of records as epoch milliseconds; undefined when there is none or it cannot be right. Stamps without a zone are
// read in this machine's own zone: that is what wrote them in nearly every case, and UTC would be wrong everywhere else.

const PLAUSIBLE_MIN_MS = Date.UTC(1990, 0, 1);
const PLAUSIBLE_MAX_MS = Date.UTC(2100, 0, 1);
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';

export function plausibleMs(ms: number): number | undefined {
  return ms >= PLAUSIBLE_MIN_MS && ms < PLAUSIBLE_MAX_MS ? Math.trunc(ms) : undefined;
}

const DATE =
  /^(\d{4})[-/](\d{2})[-/](\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?/;

export interface LeadingTime {
  readonly ms: number;
  readonly charCount: number;
}

/** ISO 8601 and its relatives (blank for T, slashes, comma before the fraction) at the beginning of a text. */
export function leadingTime(text: string): LeadingTime | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [whole, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone] = match;
  const parts = [year, Number(month) - 1, day, hour, minute, second].map(Number);
  const ms = plausibleMs(toEpochMs(parts, Number(fraction.padEnd(3, '0').slice(0, 3)), zone));
  return ms === undefined ? undefined : { ms, charCount: whole.length };
}

function toEpochMs(parts: readonly number[], millis: number, zone: string | undefined): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (zone === undefined) return new Date(year, month, day, hour, minute, second, millis).getTime();
  return Date.UTC(year, month, day, hour, minute, second, millis) - zoneOffsetMs(zone);
}

function zoneOffsetMs(zone: string): number {
  if (zone === 'Z' || zone === 'UTC') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

/** A JSON member: text as above, or a number whose size tells seconds, milliseconds, microseconds or nanoseconds. */
export function timeOfValue(value: unknown): number | undefined {
  if (typeof value === 'number') return timeOfNumber(value);
  if (typeof value !== 'string' || value.length > 40) return undefined;
  return /^\d{9,20}(?:\.\d{1,9})?$/.test(value) ? timeOfNumber(Number(value)) : leadingTime(value)?.ms;
}

function timeOfNumber(value: number): number | undefined {
  if (value < 1e11) return plausibleMs(value * 1000);
  if (value < 1e14) return plausibleMs(value);
  return plausibleMs(value < 1e17 ? value / 1e3 : value / 1e6);
}

const BSD_DATE = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) /;

/** RFC 3164 has neither year nor zone: the year that comes closest to `nearMs` is taken, so December read in January is last year's. */
export function leadingBsdTime(text: string, nearMs: number): LeadingTime | undefined {
  const match = BSD_DATE.exec(text);
  if (match === null) return undefined;
  const [whole, monthName = '', ...rest] = match;
  const month = monthIndex(monthName);
  if (month === undefined) return undefined;
  const [day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number);
  const year = new Date(nearMs).getFullYear();
  const near = [year - 1, year, year + 1].map((guess) => new Date(guess, month, day, hour, minute, second).getTime());
  const ms = near.reduce((best, guess) => (Math.abs(guess - nearMs) < Math.abs(best - nearMs) ? guess : best));
  return { ms, charCount: whole.length };
}

const CLF_DATE = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-]\d{4})$/;

/** The bracketed time of the common log format: `10/Oct/2000:13:55:36 -0700`. */
export function clfTime(text: string): number | undefined {
  const [, day, monthName = '', year, hour, minute, second, zone = ''] = CLF_DATE.exec(text) ?? [];
  const month = monthIndex(monthName);
  if (month === undefined) return undefined;
  return plausibleMs(toEpochMs([year, month, day, hour, minute, second].map(Number), 0, zone));
}

function monthIndex(name: string): number | undefined {
  const at = name.length === 3 ? MONTHS.indexOf(name) : -1;
  return at >= 0 && at % 3 === 0 ? at / 3 : undefined;
}
