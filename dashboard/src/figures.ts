// Numbers and times as people read them. No value is ever shown as 0 when there is none: that is `N/A`.

export const NOT_AVAILABLE = 'N/A';

const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function countText(count: number | null | undefined): string {
  return isNumber(count) ? counts.format(count) : NOT_AVAILABLE;
}

/** Milliseconds → `0.4 ms`, `120 ms`, `3.2 s`, `2 min 5 s`. */
export function latencyText(ms: number | null | undefined): string {
  if (!isNumber(ms)) return NOT_AVAILABLE;
  if (ms < 1) return ms < 0.1 ? '<0.1 ms' : `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / SECOND_MS).toFixed(1)} s`;
  return durationText(ms / SECOND_MS);
}

/** Percent 0 to 100 → `0 %`, `<0.1 %`, `0.4 %`, `65 %`. Only a true zero reads 0, only a true hundred reads 100. */
export function percentText(percent: number | null | undefined): string {
  if (!isNumber(percent)) return NOT_AVAILABLE;
  if (percent > 0 && percent < 0.1) return '<0.1 %';
  if (percent > 99.9 && percent < 100) return '>99.9 %';
  const digits = percent < 10 || (percent > 99 && percent < 100) ? 1 : 0;
  return `${percent.toFixed(digits).replace(/\.0$/, '')} %`;
}

/** Seconds → `0 s`, `42 s`, `3 min`, `2 h 5 min`, `3 d 4 h`: two units at most, rounded down. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return pair(whole, MINUTE_S, 'min', 1, 's', 10);
  if (whole < DAY_S) return pair(whole, HOUR_S, 'h', MINUTE_S, 'min', 24);
  return pair(whole, DAY_S, 'd', HOUR_S, 'h', 10);
}

/** RFC 3339 beside now → `12 s ago`, `in 3 min`, `now`; `N/A` for none or a text that is no time. */
export function distanceText(time: string | null | undefined, nowMs: number): string {
  const atMs = epochMsOf(time);
  if (atMs === undefined) return NOT_AVAILABLE;
  const seconds = Math.abs(atMs - nowMs) / SECOND_MS;
  if (seconds < 1) return 'now';
  // Below an hour one unit: a list of ages that all tick every second cannot be read.
  const distance = durationText(seconds >= MINUTE_S && seconds < HOUR_S ? seconds - (seconds % MINUTE_S) : seconds);
  return atMs > nowMs ? `in ${distance}` : `${distance} ago`;
}

/** Epoch milliseconds, undefined for none or a text that is no time. */
export function epochMsOf(time: string | null | undefined): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

// The smaller unit is left out where it no longer matters: 3 min 12 s, but 42 min.
function pair(whole: number, big: number, bigName: string, small: number, smallName: string, bigMax: number): string {
  const bigs = Math.floor(whole / big);
  const smalls = Math.floor((whole % big) / small);
  return smalls === 0 || bigs >= bigMax ? `${bigs} ${bigName}` : `${bigs} ${bigName} ${smalls} ${smallName}`;
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
