import { noMetrics, type Metrics } from '#telemetry/metrics.ts';

interface Labels {
  readonly connector?: string;
  readonly outcome?: string;
  readonly sink?: string;
  readonly result?: string;
}

/** Counts what a forecast reports of each connector and sink; everything else is not kept. */
export class CountingMetrics {
  readonly #counts = new Map<string, number>();
  readonly metrics: Metrics = {
    ...noMetrics,
    add: (name, labels, amount = 1) => {
      const { connector, outcome, sink, result } = labels as Labels; // labels differ by metric; absent ones are undefined
      const parts = [name, connector ?? sink, outcome ?? result];
      this.#grow(parts.filter((part) => part !== undefined).join(' '), amount);
    },
  };

  #grow(key: string, amount: number): void {
    this.#counts.set(key, this.of(key) + amount);
  }

  /** `metric name[ outcome]`, where the name is of a connector or a sink. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
