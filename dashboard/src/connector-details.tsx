import type { ComponentChildren } from 'preact';
import type { ConnectorDrill, RecentFailure, Run, StreamState } from './api.ts';
import { displayLine, displayText } from './display-text.ts';
import { countText, epochMsOf, latencyText } from './figures.ts';
import { Mark, outcomeTone } from './marks.tsx';
import { Moment } from './moment.tsx';
import type { Overview } from './overview.ts';
import { ProblemNote } from './problem-note.tsx';
import { countTexts } from './runs.ts';

const LIMITS = { cursorCharsMax: 160, rowsMax: 10 } as const;

export function ConnectorDetails({ overview, rowKey }: { overview: Overview; rowKey: string }) {
  const drill = overview.drill.value;
  const state = drill?.key === rowKey ? drill.panel.state.value : undefined;
  return (
    <div class="drill">
      {state?.problem === undefined ? null : (
        <ProblemNote problem={state.problem} retry={() => void drill?.panel.refresh()} />
      )}
      {state?.value !== undefined ? (
        <Drill overview={overview} drill={state.value} />
      ) : state?.problem === undefined ? (
        <p class="muted">Loading…</p>
      ) : null}
    </div>
  );
}

function Drill({ overview, drill }: { overview: Overview; drill: ConnectorDrill }) {
  return (
    <>
      <Block
        title="Streams"
        none="No streams."
        rows={drill.streams}
        heads={['Stream', 'Cursor', 'Cursor set', 'Events', 'Next run', 'Failures in a row']}
      >
        {(stream) => <StreamRow key={stream.name} overview={overview} stream={stream} />}
      </Block>
      <Block
        title="Recent runs"
        none="No run yet."
        rows={drill.recent_runs}
        heads={['Started', 'Stream', 'Outcome', 'Took', 'Counts']}
      >
        {(run) => <RunRow key={run.id} overview={overview} run={run} />}
      </Block>
      <Block
        title="Recent failures"
        none="Nothing failed."
        rows={drill.recent_failures}
        heads={['When', 'Operation', 'Code', 'Message']}
      >
        {(failure) => <FailureRow key={`${failure.time} ${failure.operation}`} overview={overview} failure={failure} />}
      </Block>
      <p>
        Dead letters: <strong>{countText(drill.dead_letters)}</strong>
      </p>
    </>
  );
}

interface BlockProps<T> {
  readonly title: string;
  readonly none: string;
  readonly heads: readonly string[];
  readonly rows: readonly T[];
  readonly children: (row: T) => ComponentChildren;
}

function Block<T>({ title, none, heads, rows, children }: BlockProps<T>) {
  if (rows.length === 0) {
    return (
      <p>
        {title}: <span class="muted">{none}</span>
      </p>
    );
  }
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={title}>
      <table class="small">
        <caption>{title}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows.slice(0, LIMITS.rowsMax).map(children)}</tbody>
      </table>
    </div>
  );
}

function StreamRow({ overview, stream }: { overview: Overview; stream: StreamState }) {
  return (
    <tr>
      <th scope="row">{displayLine(stream.name)}</th>
      <td class="cursor">
        <code>{displayLine(cursorText(stream.cursor), LIMITS.cursorCharsMax)}</code>
      </td>
      <td>
        <Moment time={stream.cursor_at} nowMs={overview.nowMs} />
      </td>
      <td>{countText(stream.events_total)}</td>
      <td>
        <Moment time={stream.next_run} nowMs={overview.nowMs} due />
        {stream.reconcile_due === true ? ', full comparison due' : ''}
      </td>
      <td>{stream.failures > 0 ? <Mark tone="bad" word={countText(stream.failures)} /> : '0'}</td>
    </tr>
  );
}

function RunRow({ overview, run }: { overview: Overview; run: Run }) {
  const startedMs = epochMsOf(run.started_at);
  const endedMs = epochMsOf(run.ended_at);
  const outcome = run.outcome ?? 'running';
  return (
    <tr>
      <td>
        <Moment time={run.started_at} nowMs={overview.nowMs} />
      </td>
      <td>{displayLine(run.stream)}</td>
      <td>
        <Mark tone={outcomeTone(outcome)} word={displayLine(outcome)} plain />
      </td>
      <td>{startedMs === undefined || endedMs === undefined ? '…' : latencyText(endedMs - startedMs)}</td>
      <td class="message">
        {countTexts([run]).join(', ')}
        {run.message === null || run.message === '' ? null : <span class="muted"> {displayText(run.message)}</span>}
      </td>
    </tr>
  );
}

function FailureRow({ overview, failure }: { overview: Overview; failure: RecentFailure }) {
  return (
    <tr>
      <td>
        <Moment time={failure.time} nowMs={overview.nowMs} />
      </td>
      <td>{displayLine(failure.operation)}</td>
      <td>
        <code>{displayLine(failure.code)}</code>
      </td>
      <td class="message">{displayText(failure.message)}</td>
    </tr>
  );
}

function cursorText(cursor: unknown): string {
  if (cursor === null || cursor === undefined) return 'from the beginning';
  return typeof cursor === 'string' ? cursor : JSON.stringify(cursor);
}
