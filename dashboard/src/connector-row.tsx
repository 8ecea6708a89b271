import type { Connector } from './api.ts';
import { ConnectorDetails } from './connector-details.tsx';
import { displayLine } from './display-text.ts';
import { NOT_AVAILABLE, countText, latencyText, percentText } from './figures.ts';
import { CircuitMark, Mark, healthTone, outcomeTone } from './marks.tsx';
import { Moment } from './moment.tsx';
import { rowKeyOf } from './order.ts';
import type { Overview } from './overview.ts';

interface RowProps {
  readonly overview: Overview;
  readonly connector: Connector;
  /** Whether more than one tenant is in the list: only then the tenant is worth a word. */
  readonly tenants: boolean;
  readonly columns: number;
}

export function ConnectorRow({ overview, connector, tenants, columns }: RowProps) {
  const key = rowKeyOf(connector);
  const open = overview.view.value.open === key;
  const { health } = connector;
  const { metrics } = health;
  const called = metrics.total_calls > 0;
  return (
    <>
      <tr data-row={key} class={open ? 'opened' : undefined}>
        <th scope="row">
          <button
            type="button"
            class="row-name"
            data-row={key}
            aria-expanded={open}
            onClick={() => overview.toggleOpen(connector)}
          >
            <span class="chevron" aria-hidden="true" />
            <span class="name">{displayLine(connector.name)}</span>
          </button>
          <span class="row-type muted">{subtitleOf(connector, tenants)}</span>
        </th>
        <td class="health">
          <Mark tone={healthTone(health.status)} word={displayLine(health.status)} />
          <span class="reason muted">{displayLine(health.reason)}</span>
        </td>
        <td>
          {connector.last_result === null ? (
            <NoValue />
          ) : (
            <Mark tone={outcomeTone(connector.last_result)} word={displayLine(connector.last_result)} plain />
          )}
        </td>
        <td class="activity">{displayLine(connector.activity)}</td>
        <td class="number">{called ? latencyText(metrics.p95_ms) : <NoValue />}</td>
        <td class="number">{called ? percentText(metrics.error_rate * 100) : <NoValue />}</td>
        <td class="number">{countText(metrics.total_calls)}</td>
        <td>
          <CircuitMark state={connector.circuit_state} />
        </td>
        <td>
          <Moment time={connector.last_success} nowMs={overview.nowMs} />
        </td>
        <td>
          <Moment time={connector.next_run} nowMs={overview.nowMs} due />
        </td>
        <td class="number">{countText(connector.events_total)}</td>
        <td class="action">
          <RunButton overview={overview} connector={connector} />
        </td>
      </tr>
      {open ? (
        <tr data-row={key} class="details">
          <td colSpan={columns}>
            <ConnectorDetails overview={overview} rowKey={key} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

/** What the name does not say already. */
function subtitleOf({ name, type, tenant, enabled }: Connector, tenants: boolean): string {
  const words = [...(type === name ? [] : [type]), ...(tenants ? [tenant] : []), ...(enabled ? [] : ['disabled'])];
  return displayLine(words.join(' · '));
}

// `aria-disabled` and not `disabled`: a disabled button would lose the focus it was pressed with.
function RunButton({ overview, connector }: { overview: Overview; connector: Connector }) {
  const running = overview.runs.pending.value.has(rowKeyOf(connector));
  return (
    <button type="button" aria-disabled={running} onClick={() => void overview.runs.run(connector)}>
      {running ? 'Running…' : 'Run now'}
      <span class="unseen"> {displayLine(connector.name)}</span>
    </button>
  );
}

function NoValue() {
  return <span class="muted">{NOT_AVAILABLE}</span>;
}
