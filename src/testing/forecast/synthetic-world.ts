import type { Env } from '#core/env.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { ForecastPlan } from '#core/forecast.ts';

/** What the simulated sources and sinks of one forecast share. */
export interface SyntheticWorld extends Env {
  readonly plan: ForecastPlan;
  /** Wall time of the beginning. */
  readonly startMs: number;
  /** Of the connection with this name. */
  readonly recordsPerHour: (connection: string) => number;
  /** Told of what a sink has taken, once for each time it is written. */
  readonly onWritten: (sink: string, entries: readonly LogEntry[]) => void;
}
