import type { ReadonlySignal } from '@preact/signals';
import { NOT_AVAILABLE, distanceText, epochMsOf } from './figures.ts';

interface MomentProps {
  readonly time: string | null | undefined;
  readonly nowMs: ReadonlySignal<number>;
  /** For things to come: once its time has passed it is due, not "ago". */
  readonly due?: boolean;
}

/** A time as its distance from now; the exact one is in the title and in `datetime`. */
export function Moment({ time, nowMs, due = false }: MomentProps) {
  const atMs = epochMsOf(time);
  if (atMs === undefined) return <span class="muted">{NOT_AVAILABLE}</span>;
  const exact = new Date(atMs);
  return (
    <time dateTime={exact.toISOString()} title={exact.toLocaleString()}>
      {due && atMs <= nowMs.value ? 'due' : distanceText(exact.toISOString(), nowMs.value)}
    </time>
  );
}
