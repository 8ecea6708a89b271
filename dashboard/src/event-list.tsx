import type { CloudEvent } from './api.ts';
import { displayLine } from './display-text.ts';
import { Mark, severityTone } from './marks.tsx';
import { Moment } from './moment.tsx';
import type { Overview } from './overview.ts';
import { ProblemNote } from './problem-note.tsx';
import { placeOf } from './safe-url.ts';

export function EventList({ overview }: { overview: Overview }) {
  const { value, problem } = overview.events.state.value;
  return (
    <section aria-labelledby="events-title">
      <div class="section-head">
        <h2 id="events-title">Recent events</h2>
      </div>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={() => void overview.events.refresh()} />}
      {value === undefined ? (
        problem === undefined && <p class="muted">Loading…</p>
      ) : value.items.length === 0 ? (
        <p class="empty">No events yet. The first ones come with the next run.</p>
      ) : (
        <ol class={overview.live.state.value === 'lost' ? 'event-list greyed' : 'event-list'}>
          {value.items.map((event) => (
            <EventLine key={`${event.source} ${event.id}`} overview={overview} event={event} />
          ))}
        </ol>
      )}
    </section>
  );
}

function EventLine({ overview, event }: { overview: Overview; event: CloudEvent }) {
  const title = displayLine(event.data?.title ?? event.subject);
  const place = placeOf(event.data?.url, null);
  return (
    <li>
      <span class="event-time muted">
        <Moment time={event.time} nowMs={overview.nowMs} />
      </span>
      <span class="event-source">{displayLine(event.connectorid)}</span>
      <span class="event-title">
        {event.severity === undefined ? null : (
          <Mark tone={severityTone(event.severity)} word={displayLine(event.severity, 20)} />
        )}
        {place.as === 'link' ? (
          <a href={place.href} rel="noopener noreferrer" target="_blank">
            {title}
          </a>
        ) : (
          <span>{title}</span>
        )}
      </span>
      <span class="event-type muted">{displayLine(event.type)}</span>
    </li>
  );
}
