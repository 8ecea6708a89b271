/** What scripts rely on. The code follows from data or from the fault table, never from a message. */
export const EXIT = {
  done: 0,
  /** At least one connector is degraded or down; for verbs that do work: it failed or ended partial. */
  unwell: 1,
  roleMissing: 2,
  /** Not found, invalid arguments or configuration, system error. */
  error: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitOfHealth(states: readonly string[]): ExitCode {
  return states.some((state) => state === 'degraded' || state === 'down') ? EXIT.unwell : EXIT.done;
}
