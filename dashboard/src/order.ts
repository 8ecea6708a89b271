// Which rows the connector table shows, in which order.
import type { Connector } from './api.ts';
import { epochMsOf } from './figures.ts';

export const SORT_COLUMNS = [
  'name',
  'health',
  'last_result',
  'activity',
  'p95',
  'errors',
  'calls',
  'circuit',
  'last_success',
  'next_run',
  'events',
] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

export interface Sort {
  readonly column: SortColumn;
  readonly direction: 'ascending' | 'descending';
}

export const ORDER_LIMITS = {
  rowsMax: 500, // the order is worst first, so what is cut is the healthiest
} as const;

const HEALTH_RANK = { healthy: 0, unknown: 1, degraded: 2, down: 3 };
const RESULT_RANK = { succeeded: 0, partial: 1, failed: 2 };
const CIRCUIT_RANK = { closed: 0, half_open: 1, open: 2 };

/** Undefined means: there is no value, `N/A` in the table. */
const VALUES: Record<SortColumn, (connector: Connector) => number | string | undefined> = {
  name: ({ name }) => name,
  health: ({ health }) => HEALTH_RANK[health.status],
  last_result: ({ last_result }) => (last_result === null ? undefined : RESULT_RANK[last_result]),
  activity: ({ activity }) => activity,
  p95: ({ health }) => health.metrics.p95_ms ?? undefined,
  errors: ({ health }) => (health.metrics.total_calls > 0 ? health.metrics.error_rate : undefined),
  calls: ({ health }) => health.metrics.total_calls,
  circuit: ({ circuit_state }) => CIRCUIT_RANK[circuit_state],
  last_success: ({ last_success }) => epochMsOf(last_success),
  next_run: ({ next_run }) => epochMsOf(next_run),
  events: ({ events_total }) => events_total,
};

const ASCENDING_FIRST: ReadonlySet<SortColumn> = new Set(['name', 'activity', 'last_success', 'next_run']);
const collator = new Intl.Collator('en', { numeric: true });

/** Identity of a row. Names are unique within a tenant. */
export function rowKeyOf({ tenant, name }: Connector): string {
  return tenant === 'default' ? name : `${tenant}/${name}`;
}

export function needsAttention({ health }: Connector): boolean {
  return health.status === 'degraded' || health.status === 'down';
}

/** Sorted copy; equal rows keep the server's order, rows without a value come last in both directions. */
export function sortedConnectors(connectors: readonly Connector[], sort: Sort | undefined): readonly Connector[] {
  if (sort === undefined) return connectors;
  const valueOf = VALUES[sort.column];
  const sign = sort.direction === 'ascending' ? 1 : -1;
  return connectors.toSorted((left, right) => {
    const a = valueOf(left);
    const b = valueOf(right);
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b)));
  });
}

/** One press: the column's useful direction; a second: the other one; a third: the server's order again. */
export function nextSort(current: Sort | undefined, column: SortColumn): Sort | undefined {
  const first = ASCENDING_FIRST.has(column) ? 'ascending' : 'descending';
  if (current?.column !== column) return { column, direction: first };
  return current.direction === first
    ? { column, direction: first === 'ascending' ? 'descending' : 'ascending' }
    : undefined;
}

/**
 * The order while someone is in the table: rows stay where they are, also those the order or the filter would move or hide
 * now; new ones come last, vanished ones go.
 */
export function heldOrder(
  shown: readonly string[],
  wanted: readonly string[],
  existing: ReadonlySet<string>,
): readonly string[] {
  const kept = shown.filter((key) => existing.has(key));
  const known = new Set(kept);
  return [...kept, ...wanted.filter((key) => !known.has(key))];
}
