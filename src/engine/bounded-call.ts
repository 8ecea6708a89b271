import type { Clock } from '#core/env.ts';
import { Fault, toFault } from '#core/fault.ts';

export type Ended<T> =
  | { readonly state: 'value'; readonly value: T }
  | { readonly state: 'failed'; readonly fault: Fault }
  /** Its time is over, its signal has aborted, and still it has not come back. What it says when it does is not looked at. */
  | { readonly state: 'hanging'; readonly fault: Fault; readonly back: Promise<unknown> };

export interface BoundedCall<T> {
  /** For messages: what is called. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly stop: AbortSignal;
  readonly call: (signal: AbortSignal) => Promise<T>;
}

/**
 * One call into code that may take for ever. Its signal aborts at the time limit or with `stop`; then it has `graceMs` to come back.
 * After the time limit nothing it returns counts (the answer is "unknown", I12); after `stop` a result in time still does.
 */
export async function callWithin<T>(
  clock: Clock,
  { what, timeoutMs, graceMs, stop, call }: BoundedCall<T>,
): Promise<Ended<T>> {
  const abort = new AbortController();
  const timer = new AbortController();
  const wake = (): void => timer.abort();
  stop.addEventListener('abort', wake, { once: true });
  if (stop.aborted) wake();
  const coming: Promise<Ended<T>> = Promise.resolve()
    .then(() => call(abort.signal))
    .then(
      (value) => ({ state: 'value', value }),
      (error: unknown) => ({ state: 'failed', fault: toFault(error) }),
    );
  const grace = new AbortController();
  try {
    const inTime = await Promise.race([coming, clock.sleep(timeoutMs, timer.signal)]);
    if (inTime !== undefined) return inTime;
    abort.abort();
    const afterwards = await Promise.race([coming, clock.sleep(graceMs, grace.signal)]);
    const fault = stop.aborted
      ? new Fault('cancelled', `${what} was stopped before it was done`)
      : new Fault('upstream_timeout', `${what} gave no answer within ${Math.round(timeoutMs)} ms`);
    if (afterwards === undefined) return { state: 'hanging', fault, back: coming };
    return stop.aborted ? afterwards : { state: 'failed', fault };
  } finally {
    stop.removeEventListener('abort', wake);
    wake();
    grace.abort();
  }
}

/** Resolves when `work` has ended, however, or `signal` aborts. */
export async function endedOrAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<undefined>();
  const wake = (): void => aborted.resolve(undefined);
  signal.addEventListener('abort', wake, { once: true });
  await Promise.race([work.catch(() => undefined), aborted.promise]);
  signal.removeEventListener('abort', wake);
}
