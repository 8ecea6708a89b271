// A state is always a symbol, a word and a colour together. The symbols are drawn, so they look the same on every system.
import type { CircuitState, HealthStatus } from './api.ts';

export type Tone = 'good' | 'warning' | 'bad' | 'quiet';

const SHAPES: Record<Tone, string> = {
  good: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.2-4.2 5a.9.9 0 0 1-1.3.1L4.3 9.6a.9.9 0 1 1 1.2-1.3l1.1 1 3.6-4.3a.9.9 0 1 1 1.4 1.2Z',
  warning:
    'M8 1.2c.4 0 .8.2 1 .6l6 10.8a1.2 1.2 0 0 1-1 1.8H2a1.2 1.2 0 0 1-1-1.8L7 1.8c.2-.4.6-.6 1-.6Zm0 4a.9.9 0 0 0-.9 1l.3 3.2a.6.6 0 0 0 1.2 0l.3-3.2a.9.9 0 0 0-.9-1Zm0 5.6a.9.9 0 1 0 0 1.8.9.9 0 0 0 0-1.8Z',
  bad: 'M5.4 1h5.2L15 5.4v5.2L10.6 15H5.4L1 10.6V5.4L5.4 1Zm.4 3.6L4.6 5.8 6.8 8l-2.2 2.2 1.2 1.2L8 9.2l2.2 2.2 1.2-1.2L9.2 8l2.2-2.2-1.2-1.2L8 6.8 5.8 4.6Z',
  quiet: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 3.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6Z',
};

const HEALTH_TONES: Record<HealthStatus, Tone> = {
  healthy: 'good',
  degraded: 'warning',
  down: 'bad',
  unknown: 'quiet',
};
const OUTCOME_TONES: Record<string, Tone> = { succeeded: 'good', yielded: 'good', partial: 'warning', failed: 'bad' };
const SEVERITY_TONES: Record<string, Tone> = { critical: 'bad', high: 'warning', medium: 'quiet', low: 'quiet' };
const CIRCUITS: Record<CircuitState, { tone: Tone; word: string }> = {
  closed: { tone: 'good', word: 'closed' },
  half_open: { tone: 'warning', word: 'half open' },
  open: { tone: 'bad', word: 'open' },
};

export function Mark({ tone, word, plain = false }: { tone: Tone; word: string; plain?: boolean }) {
  return (
    <span class={`mark ${plain && tone === 'good' ? 'plain' : tone}`}>
      {plain && tone === 'good' ? null : <Symbol tone={tone} />}
      {word}
    </span>
  );
}

export function Symbol({ tone }: { tone: Tone }) {
  return (
    <svg class={`symbol ${tone}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={SHAPES[tone]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function healthTone(status: HealthStatus): Tone {
  return HEALTH_TONES[status] ?? 'quiet';
}

export function outcomeTone(outcome: string): Tone {
  return OUTCOME_TONES[outcome] ?? 'quiet';
}

export function severityTone(severity: string): Tone {
  return SEVERITY_TONES[severity] ?? 'quiet';
}

/** What is normal stands plain: a page full of green says nothing. */
export function CircuitMark({ state }: { state: CircuitState }) {
  const { tone, word } = CIRCUITS[state] ?? { tone: 'quiet', word: String(state) };
  return <Mark tone={tone} word={word} plain />;
}
