// Alerts as a state machine without effects: what is measured and the monotonic time go in, who is to be told comes out.
// Kept in memory: after a restart what still holds becomes pending again and is told again once its time has passed.

import type { ConnectionRef } from '#core/names.ts';
import { ALERT_RULES, type AlertRule, type AlertRuleName, type Reading } from './alert-rules.ts';

export const ALERT_LIMITS = {
  resolvedKeptMs: 3_600_000, // how long a resolved alert is still listed
  silencesMax: 100, // a further one is refused
  silenceMinutesMax: 7 * 24 * 60,
} as const;

/** Times are monotonic milliseconds. No state: not met, and nothing to tell about the past. */
export type AlertState =
  | { readonly state: 'pending'; readonly sinceMs: number }
  | { readonly state: 'firing'; readonly sinceMs: number; readonly clearSinceMs: number | undefined }
  | { readonly state: 'resolved'; readonly sinceMs: number };

export interface Alert {
  readonly rule: AlertRule;
  /** Absent: the instance as a whole. */
  readonly connector: ConnectionRef | undefined;
  readonly state: AlertState;
  /** Measured when it was last met. */
  readonly value: number;
  readonly silencedUntilMs: number | undefined;
}

export interface AlertChange extends Alert {
  readonly change: 'fired' | 'resolved';
}

/** A member that is absent means: any. */
export interface Silence {
  readonly rule: AlertRuleName | undefined;
  readonly connector: string | undefined;
  /** Only connectors of these tenants (I9); what concerns the instance as a whole is everybody's. */
  readonly tenants: readonly string[];
  /** Monotonic milliseconds. */
  readonly untilMs: number;
  readonly reason: string;
}

type Timing = Pick<AlertRule, 'forMs' | 'keepFiringMs'>;

/** The whole table of transitions. A moment that does not last changes nothing: neither towards firing nor away from it. */
export function nextState(
  current: AlertState | undefined,
  met: boolean,
  { forMs, keepFiringMs }: Timing,
  nowMs: number,
): AlertState | undefined {
  switch (current?.state) {
    case undefined:
    case 'resolved':
      if (met) return forMs === 0 ? firing(nowMs) : { state: 'pending', sinceMs: nowMs };
      return current !== undefined && nowMs - current.sinceMs < ALERT_LIMITS.resolvedKeptMs ? current : undefined;
    case 'pending':
      if (!met) return undefined;
      return nowMs - current.sinceMs >= forMs ? firing(nowMs) : current;
    case 'firing': {
      if (met) return { ...current, clearSinceMs: undefined };
      const clearSinceMs = current.clearSinceMs ?? nowMs;
      return nowMs - clearSinceMs >= keepFiringMs
        ? { state: 'resolved', sinceMs: nowMs }
        : { ...current, clearSinceMs };
    }
  }
}

interface Entry {
  readonly rule: AlertRule;
  readonly connector: ConnectionRef | undefined;
  readonly state: AlertState;
  readonly value: number;
  /** What the recipients take for true. */
  readonly told: 'nothing' | 'fired';
}

/** One alert per rule and subject: bounded by rules times connectors. */
export class Alerts {
  readonly #rules: readonly AlertRule[];
  readonly #entries = new Map<string, Entry>();
  #silences: Silence[] = [];

  constructor(rules: readonly AlertRule[] = ALERT_RULES) {
    this.#rules = rules;
  }

  /** Called with everything that was measured at one moment; a subject without a reading does not meet the rule. Returns who is to be told what. */
  evaluate(read: (rule: AlertRule) => readonly Reading[], nowMs: number): readonly AlertChange[] {
    this.#silences = this.#silences.filter(({ untilMs }) => untilMs > nowMs);
    for (const rule of this.#rules) {
      const readings = new Map(read(rule).map((reading) => [keyOf(rule, reading.connector), reading]));
      for (const [key, reading] of readings) this.#step(key, rule, reading, nowMs);
      for (const [key, { rule: of, connector, value }] of this.#entries)
        if (of === rule && !readings.has(key))
          this.#step(key, rule, { ...(connector && { connector }), value }, nowMs, false);
    }
    return [...this.#entries].flatMap(([key, entry]) => this.#tell(key, entry, nowMs));
  }

  /** Worst first: firing, pending, resolved; within them by rule and name. */
  list(nowMs: number): readonly Alert[] {
    return [...this.#entries]
      .toSorted(([a, one], [b, two]) => ORDER[one.state.state] - ORDER[two.state.state] || (a < b ? -1 : 1))
      .map(([, entry]) => this.#view(entry, nowMs));
  }

  silences(nowMs: number): readonly Silence[] {
    return this.#silences.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** False: there are too many already. */
  silence(silence: Silence, nowMs: number): boolean {
    this.#silences = [...this.silences(nowMs)];
    if (this.#silences.length >= ALERT_LIMITS.silencesMax) return false;
    this.#silences.push(silence);
    return true;
  }

  #step(key: string, rule: AlertRule, reading: Reading, nowMs: number, met = reading.value > rule.threshold): void {
    const entry = this.#entries.get(key);
    const told = entry?.told ?? 'nothing';
    const state =
      nextState(entry?.state, met, rule, nowMs) ??
      // Whoever was told that it fires must be told that it ended, however long a silence holds that back.
      (told === 'fired' ? { state: 'resolved' as const, sinceMs: nowMs } : undefined);
    if (state === undefined) this.#entries.delete(key);
    else {
      const value = met ? reading.value : (entry?.value ?? reading.value);
      this.#entries.set(key, { rule, connector: reading.connector, state, value, told });
    }
  }

  /** A silence holds back what is said, never what is known: what is still so at its end is said then. */
  #tell(key: string, entry: Entry, nowMs: number): readonly AlertChange[] {
    const alert = this.#view(entry, nowMs);
    if (alert.silencedUntilMs !== undefined) return [];
    const fires = entry.state.state === 'firing' && entry.told === 'nothing';
    const ends = entry.state.state === 'resolved' && entry.told === 'fired';
    if (!fires && !ends) return [];
    this.#entries.set(key, { ...entry, told: fires ? 'fired' : 'nothing' });
    return [{ ...alert, change: fires ? 'fired' : 'resolved' }];
  }

  #view({ rule, connector, state, value }: Entry, nowMs: number): Alert {
    const until = this.#silences
      .filter((silence) => silence.untilMs > nowMs && covers(silence, rule, connector))
      .map(({ untilMs }) => untilMs);
    return { rule, connector, state, value, silencedUntilMs: until.length === 0 ? undefined : Math.max(...until) };
  }
}

const ORDER = { firing: 0, pending: 1, resolved: 2 } as const;

function firing(nowMs: number): AlertState {
  return { state: 'firing', sinceMs: nowMs, clearSinceMs: undefined };
}

function covers(silence: Silence, rule: AlertRule, connector: ConnectionRef | undefined): boolean {
  if (silence.rule !== undefined && silence.rule !== rule.name) return false;
  if (connector === undefined) return silence.connector === undefined;
  if (!silence.tenants.includes(connector.tenant)) return false;
  return silence.connector === undefined || silence.connector === connector.connection;
}

function keyOf({ name }: AlertRule, connector: ConnectionRef | undefined): string {
  return connector === undefined ? name : `${name}/${connector.tenant}/${connector.connection}`;
}
