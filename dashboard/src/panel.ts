import { signal, type ReadonlySignal } from '@preact/signals';
import { problemOf, type Problem } from './problem.ts';

/** What one panel knows. A failure keeps the last value: old data with its age is worth more than an empty page. */
export interface PanelState<T> {
  readonly value: T | undefined;
  readonly problem: Problem | undefined;
  readonly loading: boolean;
}

export interface Panel<T> {
  readonly state: ReadonlySignal<PanelState<T>>;
  /** Asks the server. Resolves to whether it answered; never rejects. A later answer that was overtaken is dropped. */
  refresh(): Promise<boolean>;
  /** Puts in a value that came by the live stream. */
  put(value: T): void;
}

export function createPanel<T>(load: () => Promise<T>): Panel<T> {
  const state = signal<PanelState<T>>({ value: undefined, problem: undefined, loading: true });
  let generation = 0;
  const put = (value: T): void => {
    generation += 1;
    state.value = { value, problem: undefined, loading: false };
  };
  return {
    state,
    put,
    async refresh() {
      generation += 1;
      const mine = generation;
      state.value = { ...state.value, loading: true };
      try {
        const value = await load();
        if (mine === generation) put(value);
        return true;
      } catch (error) {
        if (mine === generation) state.value = { value: state.value.value, problem: problemOf(error), loading: false };
        return false;
      }
    },
  };
}
