import { Component, type ComponentChildren } from 'preact';
import { problemOf, type Problem } from './problem.ts';

/** What failed, why, what to do, the id that finds it in the log, and a way to try again. */
export function ProblemNote({ what, problem, retry }: { what?: string; problem: Problem; retry?: () => void }) {
  return (
    <div class="problem">
      <p>
        <strong>
          {what === undefined ? '' : `${what}: `}
          {problem.title}
        </strong>
        {problem.detail === undefined ? null : <span> {problem.detail}</span>}
      </p>
      <p class="muted">
        {problem.hint}
        {problem.requestId === undefined ? null : (
          <span>
            {' '}
            Request <code>{problem.requestId}</code>
          </span>
        )}
      </p>
      {retry === undefined ? null : (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** One panel that cannot be drawn leaves the others standing. */
export class PanelBoundary extends Component<{ children: ComponentChildren }, { problem: Problem | undefined }> {
  override state: { problem: Problem | undefined } = { problem: undefined };

  static override getDerivedStateFromError(error: unknown): { problem: Problem } {
    const { detail } = problemOf(new Error(String(error)));
    return {
      problem: { title: 'This panel cannot be shown', detail, hint: 'The other panels go on.', requestId: undefined },
    };
  }

  override render() {
    const { problem } = this.state;
    if (problem === undefined) return this.props.children;
    return <ProblemNote problem={problem} retry={() => this.setState({ problem: undefined })} />;
  }
}
