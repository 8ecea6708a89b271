import type { LogStats } from '#core/event-log.ts';
import type { Fault } from '#core/fault.ts';
import type { SinkHealth, SuspectView } from './sink-health.ts';

/** How one sink is doing, for people. */
export interface SinkStatus {
  readonly name: string;
  /** The kind of an external sink; `store` for those that live in it; `unknown` when it is detached. */
  readonly type: string;
  /** `detached`: it still holds its place in the log, but nobody delivers to it. */
  readonly state: 'delivering' | 'waiting' | 'refusing' | 'detached';
  /** Since when it waits or refuses, and why. */
  readonly sinceMs?: number;
  readonly fault?: Fault;
  /** Entries it has not settled, and the wall time of the oldest of them. */
  readonly lag: number;
  readonly oldestAtMs?: number;
  /** Events that fail, or are refused, alone while their partitions wait. */
  readonly suspects: readonly SuspectView[];
}

export interface NamedHealth {
  readonly name: string;
  readonly type: string;
  readonly health: SinkHealth;
}

/** Those that are delivered to, in their order, then those that only the log knows. */
export function sinkStatuses(sinks: readonly NamedHealth[], { readers }: LogStats): readonly SinkStatus[] {
  const lagOf = (name: string): Pick<SinkStatus, 'lag' | 'oldestAtMs'> => {
    const found = readers.find(({ reader }) => reader === name);
    return {
      lag: found?.lag ?? 0,
      ...(found?.oldestAtMs !== undefined && { oldestAtMs: found.oldestAtMs }),
    };
  };
  const attached = sinks.map(({ name, type, health }): SinkStatus => {
    const { state, trouble, suspects } = health.view();
    return { name, type, state, ...trouble, ...lagOf(name), suspects };
  });
  const detached = readers
    .filter(({ reader }) => !sinks.some(({ name }) => name === reader))
    .map(({ reader }): SinkStatus => ({
      name: reader,
      type: 'unknown',
      state: 'detached',
      ...lagOf(reader),
      suspects: [],
    }));
  return [...attached, ...detached];
}
