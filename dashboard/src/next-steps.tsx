import { useSignal } from '@preact/signals';
import { Copyable } from './copyable.tsx';
import type { Overview } from './overview.ts';

const DISMISSED = 'weir.next-steps';
const STEPS = [
  { line: 'weir list', does: 'this table in a terminal' },
  { line: 'weir drill git', does: 'cursors, runs and failures of one connector' },
  { line: 'weir search "cursor"', does: 'documents with file and line' },
  { line: 'weir events --follow', does: 'events as they come' },
] as const;

export function NextSteps({ overview }: { overview: Overview }) {
  const dismissed = useSignal(overview.browser.recall(DISMISSED) === 'dismissed');
  // Without connectors the first step is another one: NoConnectors says it.
  if (dismissed.value || !overview.connectors.state.value.value?.connectors.length) return null;
  const dismiss = (): void => {
    overview.browser.remember(DISMISSED, 'dismissed');
    dismissed.value = true;
  };
  return (
    <section class="card" aria-labelledby="steps-title">
      <div class="section-head">
        <h2 id="steps-title">Next steps</h2>
        <button type="button" class="quiet-button" onClick={dismiss}>
          Dismiss<span class="unseen"> next steps</span>
        </button>
      </div>
      <ul class="steps">
        {STEPS.map(({ line, does }) => (
          <li key={line}>
            <Copyable text={line} overview={overview} />
            <span class="muted">{does}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const FIRST_CONFIG = ['connectors:', '  git:', '    { type: git, metadata: { path: ., commits: true } }'].join('\n');

/** No connectors: what to paste, and the command that writes it. */
export function NoConnectors({ overview }: { overview: Overview }) {
  return (
    <section class="card" aria-labelledby="first-title">
      <h2 id="first-title">Connect something</h2>
      <p>Put this into weir.yaml; it reads the git repository beside it and needs no account:</p>
      <Copyable text={FIRST_CONFIG} overview={overview} />
      <p>
        Or let Weir write a commented file with what this machine has: <Copyable text="weir init" overview={overview} />
      </p>
      <p class="muted">All settings are described in docs/configuration.md.</p>
    </section>
  );
}
