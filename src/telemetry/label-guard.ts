import { LABELS, type LabelName } from './metric-table.ts';
import { METRIC_LIMITS } from './metrics.ts';

export const OTHER = 'other';

export type Labels = Readonly<Record<string, string>>;

export interface GuardedLabels {
  readonly labels: Labels;
  /** False when at least one value had to become `other`. */
  readonly exact: boolean;
}

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Keeps the number of series bounded whatever callers hand in: a scraper's memory is sized by it. */
export class LabelGuard {
  readonly #values = new Map<string, Set<string>>();
  readonly #series = new Map<string, Set<string>>();

  guard(metric: string, labels: Labels): GuardedLabels {
    const entries = Object.entries(labels).map(
      ([label, value]) => [label, this.#admits(label, value) ? value : OTHER] as const,
    );
    const exact = entries.every(([label, value]) => value === labels[label]);
    const guarded = Object.fromEntries(entries);
    if (this.#admitsSeries(metric, JSON.stringify(entries))) return { labels: guarded, exact };
    return { labels: Object.fromEntries(entries.map(([label]) => [label, OTHER])), exact: false };
  }

  #admits(label: string, value: string): boolean {
    const closed = label in LABELS ? LABELS[label as LabelName] : null; // `in` has just proven the name
    if (closed !== null) return (closed as readonly string[]).includes(value); // widened: `includes` of a literal tuple takes only its members
    if (value.length > METRIC_LIMITS.labelCharsMax || !PRINTABLE.test(value)) return false;
    return admitted(this.#values, label, value, METRIC_LIMITS.labelValuesMax);
  }

  #admitsSeries(metric: string, series: string): boolean {
    return admitted(this.#series, metric, series, METRIC_LIMITS.seriesMax);
  }
}

function admitted(sets: Map<string, Set<string>>, name: string, value: string, valuesMax: number): boolean {
  const known = sets.get(name) ?? new Set();
  sets.set(name, known);
  if (known.has(value)) return true;
  if (known.size >= valuesMax) return false;
  known.add(value);
  return true;
}
