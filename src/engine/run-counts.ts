import type { RunCounts } from '#core/store.ts';

/** Counts of the run that is going on; a snapshot goes into its record. */
export class RunTally {
  #pages = 0;
  #appended = 0;
  #unchanged = 0;
  #deleted = 0;
  #failed = 0;
  readonly #skipped = new Map<string, number>();

  page(): void {
    this.#pages += 1;
  }

  appended(accepted: number, duplicates: number): void {
    this.#appended += accepted;
    this.#unchanged += duplicates;
  }

  deleted(count: number): void {
    this.#deleted += count;
  }

  failed(count: number): void {
    this.#failed += count;
  }

  skipped(reasons: Readonly<Record<string, number>>): void {
    for (const [reason, count] of Object.entries(reasons))
      this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + count);
  }

  snapshot(): RunCounts {
    return {
      pages: this.#pages,
      appended: this.#appended,
      unchanged: this.#unchanged,
      deleted: this.#deleted,
      failed: this.#failed,
      skipped: Object.fromEntries(this.#skipped),
    };
  }
}

export const NO_COUNTS: RunCounts = { pages: 0, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };
