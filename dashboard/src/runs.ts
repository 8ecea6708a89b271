import { signal, type ReadonlySignal } from '@preact/signals';
import type { Connector, Run } from './api.ts';
import type { Client } from './client.ts';
import { displayLine } from './display-text.ts';
import { countText } from './figures.ts';
import { rowKeyOf } from './order.ts';
import { problemOf, type Problem } from './problem.ts';

const NOTICES_MAX = 3;

/** What became of a run that was asked for here. */
export interface RunNotice {
  readonly key: string;
  readonly text: string;
  readonly problem: Problem | undefined;
}

export interface Runs {
  /** Row keys of runs that have not answered yet. */
  readonly pending: ReadonlySignal<ReadonlySet<string>>;
  /** Newest first, one per connector. */
  readonly notices: ReadonlySignal<readonly RunNotice[]>;
  /** A second press while the first has not answered does nothing. */
  run(connector: Connector): Promise<void>;
  dismiss(key: string): void;
}

export function createRuns(client: Client, announce: (text: string) => void, ended: () => void): Runs {
  const pending = signal<ReadonlySet<string>>(new Set());
  const notices = signal<readonly RunNotice[]>([]);
  const dismiss = (key: string): void => void (notices.value = notices.value.filter((notice) => notice.key !== key));
  const tell = (notice: RunNotice): void => {
    dismiss(notice.key);
    notices.value = [notice, ...notices.value].slice(0, NOTICES_MAX);
    announce(notice.text);
  };
  return {
    pending,
    notices,
    dismiss,
    async run(connector) {
      const key = rowKeyOf(connector);
      if (pending.value.has(key)) return;
      pending.value = new Set([...pending.value, key]);
      announce(`Running ${key}.`);
      try {
        const { runs } = await client.run(connector.name);
        tell({ key, text: `${key}: ${runsText(runs)}`, problem: undefined });
      } catch (error) {
        tell({ key, text: `${key}: the run could not be started or followed to its end`, problem: problemOf(error) });
      } finally {
        pending.value = new Set([...pending.value].filter((other) => other !== key));
        ended();
      }
    },
  };
}

/** Runs of one press → `succeeded, 12 appended, 400 unchanged`. */
export function runsText(runs: readonly Run[]): string {
  if (runs.length === 0) return 'nothing to run';
  const outcomes = [...new Set(runs.map(({ outcome }) => outcome ?? 'running'))].join(', ');
  return displayLine([outcomes, ...countTexts(runs)].join(', '));
}

/** The counts that are not zero, added up; `appended` always. */
export function countTexts(runs: readonly Run[]): string[] {
  const names = ['appended', 'unchanged', 'deleted', 'failed'] as const;
  const totals = names.map((name) => ({ name, count: runs.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0) }));
  const skipped = runs
    .flatMap(({ counts }) => Object.values(counts.skipped ?? {}))
    .reduce((sum, count) => sum + count, 0);
  return [...totals, { name: 'skipped', count: skipped }]
    .filter(({ name, count }) => count > 0 || name === 'appended')
    .map(({ name, count }) => `${countText(count)} ${name}`);
}
