import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { ConnectorPanel } from './connector-table.tsx';
import { EventList } from './event-list.tsx';
import { HelpDialog } from './help-dialog.tsx';
import { keyActionOf, type KeyAction } from './keys.ts';
import { NextSteps, NoConnectors } from './next-steps.tsx';
import { needsAttention, rowKeyOf } from './order.ts';
import type { Overview } from './overview.ts';
import { PanelBoundary, ProblemNote } from './problem-note.tsx';
import { focusedRow, leaveRows, moveRowFocus } from './row-focus.ts';
import { SearchResults } from './search-results.tsx';
import { Summary } from './summary.tsx';
import { StaleBanner, TopBar } from './top-bar.tsx';

const KEYS_OFF = 'weir.keys';

export function App({ overview }: { overview: Overview }) {
  const searchBox = useRef<HTMLInputElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const keysEnabled = useSignal(overview.browser.recall(KEYS_OFF) !== 'off');
  const showHelp = (): void => dialog.current?.showModal();
  const act = (action: KeyAction): void => {
    if (action === 'search') {
      searchBox.current?.focus();
      searchBox.current?.select();
    } else if (action === 'help') showHelp();
    else if (action === 'filter') overview.toggleUnhealthyOnly();
    else if (action === 'run') runFocused(overview);
    else if (action === 'leave') leaveRows();
    else moveRowFocus(action === 'next-row' ? 1 : -1);
  };

  useSignalEffect(() => overview.browser.remember(KEYS_OFF, keysEnabled.value ? 'on' : 'off'));
  useTitle(overview);
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const action =
        keysEnabled.value && dialog.current?.open !== true ? keyActionOf(event, isTyping(event.target)) : undefined;
      if (action === undefined) return;
      event.preventDefault();
      act(action);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  return (
    <>
      <TopBar overview={overview} searchBox={searchBox} showHelp={showHelp} />
      <main>
        <StaleBanner overview={overview} />
        <PanelBoundary>
          <SearchResults
            overview={overview}
            clear={() => {
              overview.setView({ query: '' });
              searchBox.current?.focus();
            }}
          />
        </PanelBoundary>
        <PanelBoundary>
          <Summary overview={overview} />
        </PanelBoundary>
        <PanelBoundary>
          <Connectors overview={overview} />
        </PanelBoundary>
        <PanelBoundary>
          <EventList overview={overview} />
        </PanelBoundary>
        <NextSteps overview={overview} />
      </main>
      <HelpDialog dialog={dialog} enabled={keysEnabled} />
      <div class="unseen" role="status" aria-live="polite">
        {overview.announcement.value}
      </div>
    </>
  );
}

function Connectors({ overview }: { overview: Overview }) {
  const { value, problem } = overview.connectors.state.value;
  if (value === undefined) {
    if (problem !== undefined)
      return <ProblemNote what="Connectors" problem={problem} retry={() => overview.refreshAll()} />;
    return (
      <p class="muted" aria-busy="true">
        Loading connectors…
      </p>
    );
  }
  return value.connectors.length === 0 ? (
    <NoConnectors overview={overview} />
  ) : (
    <ConnectorPanel overview={overview} list={value} />
  );
}

function runFocused(overview: Overview): void {
  const key = focusedRow();
  const connector = overview.connectors.state.value.value?.connectors.find((one) => rowKeyOf(one) === key);
  if (connector === undefined) overview.announce('Go to a connector first, with j or k.');
  else void overview.runs.run(connector);
}

/** The number of what is wrong stands in the tab. */
function useTitle(overview: Overview): void {
  const title = useComputed(() => {
    const count = overview.connectors.state.value.value?.connectors.filter(needsAttention).length ?? 0;
    return count === 0 ? 'Weir' : `(${count}) Weir`;
  });
  useSignalEffect(() => void (document.title = title.value));
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches('input:not([type=checkbox]), textarea, select');
}
