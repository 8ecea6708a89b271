import type { CounterName, GaugeName, HistogramName, LabelsOf } from './metric-table.ts';

export const METRIC_LIMITS = {
  labelValuesMax: 500, // values of one open label over all metrics; later ones count under `other`
  labelCharsMax: 128, // longer or unprintable values count under `other`
  seriesMax: 5000, // label combinations of one metric; later ones count under `other`
  connectorGaugesMax: 100, // gauges that connectors define; later ones are not kept
} as const;

export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

/** What Weir counts. Any number of callers; nothing here waits or does I/O. Values that are not finite are not recorded. */
export interface Metrics {
  /** Negative amounts are not recorded: counters only grow. */
  add<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, amount?: number): void;
  /** A gauge whose labels are beyond the limits is not kept: `other` would show one connection's value as everybody's. */
  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, seconds: number): void;
  /**
   * The setter of a connector's own gauge `<connectorType>_<name>{connector}`. Called by the puller for `ctx.gauge`; the same pair
   * gives the same gauge. Throws `input_invalid` for a name that is not snake_case or is one of Weir's own.
   */
  gaugeOf(connectorType: string, name: string): (connection: string, value: number) => void;
  /** Called once per connection at start: its series exist as 0 before anything happens. */
  seedConnection(connection: string, streams?: readonly string[]): void;
  /** Called once per sink at start, for the same reason. */
  seedSink(sink: string): void;
  /** Adds CPU, memory, event loop and garbage collection of this process. Calling it again changes nothing. */
  collectProcessMetrics(): void;
  render(): Promise<MetricsPage>;
}

/** For tests and one-shot commands: counts nothing and loads no library. */
export const noMetrics: Metrics = {
  add() {},
  set() {},
  observe() {},
  gaugeOf: () => () => {},
  seedConnection() {},
  seedSink() {},
  collectProcessMetrics() {},
  render: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: '' }),
};
