import type { RefObject } from 'preact';
import { durationText } from './figures.ts';
import type { LiveState } from './live.ts';
import type { Overview } from './overview.ts';
import { QUERY_CHARS_MAX } from './url-state.ts';

const LIVE_WORDS: Record<LiveState, string> = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Live data lost',
  paused: 'Paused',
};

export function TopBar({
  overview,
  searchBox,
  showHelp,
}: {
  overview: Overview;
  searchBox: RefObject<HTMLInputElement>;
  showHelp: () => void;
}) {
  return (
    <header class="bar">
      <a class="wordmark" href="/">
        Weir
      </a>
      <form
        role="search"
        class="search-form"
        onSubmit={(event) => {
          event.preventDefault();
          overview.search.now();
        }}
      >
        <label class="unseen" for="q">
          Search documents
        </label>
        <input
          id="q"
          ref={searchBox}
          type="search"
          placeholder="Search documents"
          autocomplete="off"
          spellcheck={false}
          maxLength={QUERY_CHARS_MAX}
          aria-keyshortcuts="/"
          value={overview.view.value.query}
          onInput={(event) => overview.setView({ query: event.currentTarget.value })}
        />
        <kbd aria-hidden="true">/</kbd>
      </form>
      <LiveStatus overview={overview} />
      <button type="button" class="quiet-button help-button" aria-keyshortcuts="?" onClick={showHelp}>
        <span aria-hidden="true">?</span>
        <span class="unseen">Keys</span>
      </button>
    </header>
  );
}

function LiveStatus({ overview }: { overview: Overview }) {
  const state = overview.live.state.value;
  return (
    <div class="live">
      <span class={`live-state ${state}`}>
        <span class="dot" aria-hidden="true" />
        {LIVE_WORDS[state]}
        {state === 'paused' ? <DataAge overview={overview} /> : null}
      </span>
      <button type="button" class="quiet-button" onClick={() => overview.toggleLive()}>
        {state === 'paused' ? 'Resume' : 'Pause'}
      </button>
    </div>
  );
}

/** How old what is shown is. A component of its own, so that a passing second redraws nothing else. */
function DataAge({ overview }: { overview: Overview }) {
  void overview.nowMs.value; // redraws once a second
  return (
    <span class="muted">, data {durationText((overview.browser.nowMs() - overview.dataAtMs.value) / 1000)} old</span>
  );
}

export function StaleBanner({ overview }: { overview: Overview }) {
  if (overview.live.state.value !== 'lost') return null;
  return (
    <div class="stale">
      <p>
        <strong>Live data lost</strong>
        <DataAge overview={overview} />. It goes on by itself as soon as Weir answers.
      </p>
      <button type="button" onClick={() => overview.live.retry()}>
        Try now
      </button>
    </div>
  );
}
