import type { ConnectionRef } from '#core/names.ts';

export interface Progress {
  readonly stream: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** What each connection is doing at this moment. Held by the runs themselves, so "running" ends with its run, never by hand. */
export class Activities {
  readonly #running = new Map<string, Map<string, Progress>>();

  begin(of: ConnectionRef, stream: string): { progress(done: number, total: number | undefined): void; end(): void } {
    const key = keyOf(of);
    const streams = this.#running.get(key) ?? new Map<string, Progress>();
    this.#running.set(key, streams);
    streams.set(stream, { stream, done: 0, total: undefined });
    return {
      progress: (done, total) => void streams.set(stream, { stream, done, total }),
      end: () => void streams.delete(stream),
    };
  }

  of(of: ConnectionRef): readonly Progress[] {
    return [...(this.#running.get(keyOf(of))?.values() ?? [])];
  }
}

function keyOf(of: ConnectionRef): string {
  return `${of.tenant}/${of.connection}`;
}
