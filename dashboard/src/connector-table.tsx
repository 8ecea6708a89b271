import { useLayoutEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { Connector, ConnectorList } from './api.ts';
import { ConnectorRow } from './connector-row.tsx';
import {
  ORDER_LIMITS,
  heldOrder,
  needsAttention,
  rowKeyOf,
  sortedConnectors,
  type Sort,
  type SortColumn,
} from './order.ts';
import type { Overview } from './overview.ts';
import { ProblemNote } from './problem-note.tsx';
import { focusFirstRow } from './row-focus.ts';

const COLUMNS: readonly { readonly column: SortColumn; readonly label: string; readonly numeric?: true }[] = [
  { column: 'name', label: 'Connector' },
  { column: 'health', label: 'Health' },
  { column: 'last_result', label: 'Last result' },
  { column: 'activity', label: 'Activity now' },
  { column: 'p95', label: 'P95', numeric: true },
  { column: 'errors', label: 'Errors', numeric: true },
  { column: 'calls', label: 'Calls, 60 m', numeric: true },
  { column: 'circuit', label: 'Circuit' },
  { column: 'last_success', label: 'Last success' },
  { column: 'next_run', label: 'Next run' },
  { column: 'events', label: 'Events', numeric: true },
];
/** With the column of actions. */
const COLUMN_COUNT = COLUMNS.length + 1;

export function ConnectorPanel({ overview, list }: { overview: Overview; list: ConnectorList }) {
  const { problem } = overview.connectors.state.value;
  const unhealthy = list.connectors.filter(needsAttention).length;
  const filtered = overview.view.value.unhealthyOnly;
  return (
    <section aria-labelledby="connectors-title">
      <div class="section-head">
        <h2 id="connectors-title">Connectors</h2>
        <label class="toggle">
          <input
            type="checkbox"
            checked={filtered}
            aria-keyshortcuts="f"
            onChange={() => overview.toggleUnhealthyOnly()}
          />
          Unhealthy only <span class="muted">({unhealthy})</span>
        </label>
      </div>
      {problem === undefined ? null : (
        <ProblemNote problem={problem} retry={() => void overview.connectors.refresh()} />
      )}
      <RunNotices overview={overview} />
      {filtered && unhealthy === 0 ? (
        <p class="empty">
          No connector is unhealthy.{' '}
          <button type="button" onClick={() => overview.toggleUnhealthyOnly()}>
            Show all {list.connectors.length}
          </button>
        </p>
      ) : (
        <ConnectorTable overview={overview} connectors={list.connectors} />
      )}
    </section>
  );
}

function ConnectorTable({ overview, connectors }: { overview: Overview; connectors: readonly Connector[] }) {
  const { sort, unhealthyOnly } = overview.view.value;
  const inUse = useInUse();
  const rows = useRows(connectors, sort, unhealthyOnly, inUse.held.value);
  const tenants = new Set(connectors.map(({ tenant }) => tenant)).size > 1;
  return (
    <>
      <div class="table-scroll" tabIndex={0} role="region" aria-label="Connector table">
        <table class={overview.live.state.value === 'lost' ? 'connectors greyed' : 'connectors'}>
          <caption class="unseen">
            Connectors,{' '}
            {sort === undefined
              ? 'worst first'
              : `sorted by ${COLUMNS.find(({ column }) => column === sort.column)?.label ?? sort.column}`}
          </caption>
          <thead>
            <tr>
              {COLUMNS.map((one) => (
                <SortHeader key={one.column} {...one} sort={sort} press={() => overview.sortBy(one.column)} />
              ))}
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody {...inUse.listeners}>
            {rows.shown.map((connector) => (
              <ConnectorRow
                key={rowKeyOf(connector)}
                overview={overview}
                connector={connector}
                tenants={tenants}
                columns={COLUMN_COUNT}
              />
            ))}
          </tbody>
        </table>
      </div>
      {rows.heldBack ? (
        <p class="muted">The order is held while you are in the table; Escape or a click elsewhere renews it.</p>
      ) : null}
      {rows.cut > 0 ? <p class="muted">{rows.cut} more are not shown; they stand behind these in the order.</p> : null}
    </>
  );
}

/** Whether the pointer or the focus is inside: rows must not move away under it. */
function useInUse() {
  const held = useSignal(false);
  const pointer = useRef(false);
  const listeners = {
    onPointerEnter: () => {
      pointer.current = true;
      held.value = true;
    },
    onPointerLeave: (event: PointerEvent & { currentTarget: HTMLElement }) => {
      pointer.current = false;
      held.value = event.currentTarget.contains(document.activeElement);
    },
    onFocusIn: () => void (held.value = true),
    onFocusOut: (event: FocusEvent & { currentTarget: HTMLElement }) => {
      const next = event.relatedTarget;
      const going = next instanceof Node && event.currentTarget.contains(next);
      // When the whole window loses the focus, the element keeps it for the return.
      held.value = pointer.current || going || event.currentTarget.contains(document.activeElement);
    },
  };
  return { held, listeners };
}

function useRows(connectors: readonly Connector[], sort: Sort | undefined, unhealthyOnly: boolean, held: boolean) {
  const before = useRef<{ view: string; keys: readonly string[] }>({ view: '', keys: [] });
  const view = JSON.stringify([sort, unhealthyOnly]); // a press of the user's own is never held back
  const byKey = new Map(connectors.map((one) => [rowKeyOf(one), one]));
  const wanted = sortedConnectors(unhealthyOnly ? connectors.filter(needsAttention) : connectors, sort).map(rowKeyOf);
  const keys =
    held && before.current.view === view ? heldOrder(before.current.keys, wanted, new Set(byKey.keys())) : wanted;
  const focusWasInside = useRef(false);
  useLayoutEffect(() => {
    before.current = { view, keys };
    // A row that had the focus and is gone takes it along; the first row is the nearest place that is sure to exist.
    if (focusWasInside.current && document.activeElement === document.body) focusFirstRow();
    focusWasInside.current = held && document.activeElement?.closest('tbody') !== null;
  });
  const shown = keys.slice(0, ORDER_LIMITS.rowsMax).flatMap((key) => byKey.get(key) ?? []);
  return { shown, cut: keys.length - shown.length, heldBack: keys.join('\n') !== wanted.join('\n') };
}

function SortHeader({
  column,
  label,
  numeric,
  sort,
  press,
}: (typeof COLUMNS)[number] & { sort: Sort | undefined; press: () => void }) {
  const direction = sort?.column === column ? sort.direction : undefined;
  return (
    <th
      scope="col"
      class={numeric ? 'number' : undefined}
      {...(direction === undefined ? {} : { 'aria-sort': direction })}
    >
      <button type="button" class="sort" onClick={press}>
        {label}
        <span class="arrow" aria-hidden="true">
          {direction === undefined ? '' : direction === 'ascending' ? '↑' : '↓'}
        </span>
      </button>
    </th>
  );
}

function RunNotices({ overview }: { overview: Overview }) {
  return (
    <>
      {overview.runs.notices.value.map(({ key, text, problem }) => (
        <div class="notice" key={key}>
          <p>{text}</p>
          {problem === undefined ? null : <ProblemNote problem={problem} />}
          <button type="button" class="quiet-button" onClick={() => overview.runs.dismiss(key)}>
            Dismiss<span class="unseen"> the result of {key}</span>
          </button>
        </div>
      ))}
    </>
  );
}
