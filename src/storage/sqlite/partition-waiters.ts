/**
 * Who waits for something to deliver in a partition: new entries, or dead letters that were queued for it. Both the log and the dead
 * letters wake. Waking is cheap and may be for nothing: the waiter looks again.
 */
export class PartitionWaiters {
  readonly #waiting = new Map<number, Set<() => void>>();

  wait(partition: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(partition) ?? new Set();
    this.#waiting.set(partition, waiting);
    const done = (): void => {
      waiting.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    waiting.add(done);
    signal.addEventListener('abort', done, { once: true });
    return promise;
  }

  wake(partition: number): void {
    for (const done of [...(this.#waiting.get(partition) ?? [])]) done();
  }
}
