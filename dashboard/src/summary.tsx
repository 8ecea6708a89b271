import type { ConnectorList, QueueStats } from './api.ts';
import { displayText } from './display-text.ts';
import { countText, durationText, percentText } from './figures.ts';
import { Mark, Symbol, type Tone } from './marks.tsx';
import type { Overview } from './overview.ts';
import { ProblemNote } from './problem-note.tsx';

/** Between a number and its unit: no line may break there. */
const UNIT_GAP = /(?<=\d) (?=%|ms\b|s\b|min\b|h\b)/g;

/** The sentence that says what is wrong, then the figures. */
export function Summary({ overview }: { overview: Overview }) {
  const list = overview.connectors.state.value.value;
  const empty = list !== undefined && list.connectors.length === 0;
  return (
    <section class="summary" aria-labelledby="sentence">
      <h1 id="sentence">
        {list === undefined ? (
          'Overview'
        ) : (
          <>
            <Symbol tone={toneOf(list)} />
            <span>{displayText(list.summary).replace(UNIT_GAP, '\u00a0')}</span>
          </>
        )}
      </h1>
      {empty ? null : <Figures overview={overview} list={list} />}
    </section>
  );
}

function toneOf({ connectors }: ConnectorList): Tone {
  const states = new Set(connectors.filter(({ enabled }) => enabled).map(({ health }) => health.status));
  if (states.has('down')) return 'bad';
  if (states.has('degraded')) return 'warning';
  return states.has('healthy') ? 'good' : 'quiet';
}

function Figures({ overview, list }: { overview: Overview; list: ConnectorList | undefined }) {
  const { value: queue, problem } = overview.queue.state.value;
  if (queue === undefined && problem !== undefined)
    return <ProblemNote what="Queue" problem={problem} retry={() => void overview.queue.refresh()} />;
  const total = list?.connectors.reduce((sum, { events_total }) => sum + events_total, 0);
  return (
    <dl class="figures" aria-busy={queue === undefined}>
      <div>
        <dt>Queue</dt>
        <dd>{queue === undefined ? '…' : <QueueFigure queue={queue} />}</dd>
      </div>
      <div>
        <dt>Oldest waiting</dt>
        <dd>
          {queue === undefined
            ? '…'
            : queue.size === 0 || queue.oldest_age_seconds === null
              ? 'none'
              : durationText(queue.oldest_age_seconds)}
        </dd>
      </div>
      <div>
        <dt>Sinks behind</dt>
        <dd>{queue === undefined ? '…' : lagText(queue)}</dd>
      </div>
      <div>
        <dt>Events in all</dt>
        <dd>{total === undefined ? '…' : countText(total)}</dd>
      </div>
    </dl>
  );
}

function QueueFigure({ queue }: { queue: QueueStats }) {
  return (
    <>
      {countText(queue.size)}{' '}
      <small>
        of {countText(queue.max_size)}, {percentText(queue.usage_pct)}
      </small>
      {queue.backpressure ? <Mark tone="warning" word="backpressure" /> : null}
    </>
  );
}

function lagText(queue: QueueStats): string {
  const behind = queue.sinks.filter(({ lag }) => lag > 0);
  return behind.length === 0
    ? 'none'
    : behind.map(({ name, lag }) => `${displayText(name, 64)} ${countText(lag)}`).join(', ');
}
