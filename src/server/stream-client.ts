import type { ServerResponse } from 'node:http';

export type Topic = 'connectors' | 'queue' | 'events';

/** One open live stream: what it wants, how far it is, and what it has been told. */
export class StreamClient {
  readonly topics: ReadonlySet<Topic>;
  /** The newest timeline row it has been sent or has been told to fetch. */
  row: number;
  reloadedMs = -Infinity;
  #stalledMs: number | undefined;
  readonly #response: ServerResponse;
  readonly #bufferBytesMax: number;
  readonly #states = new Map<string, string>();

  constructor(
    response: ServerResponse,
    options: { readonly topics: ReadonlySet<Topic>; readonly row: number; readonly bufferBytesMax: number },
  ) {
    this.#response = response;
    this.topics = options.topics;
    this.row = options.row;
    this.#bufferBytesMax = options.bufferBytesMax;
  }

  /** False while it reads slower than it is written to: events wait in the timeline, not in memory. */
  get ready(): boolean {
    return !this.#response.writableNeedDrain;
  }

  /** A state that has changed since it was last sent; one that has not is left out. */
  sendState(name: string, json: string): void {
    if (this.#states.get(name) === json) return;
    this.#states.set(name, json);
    this.write(`event: ${name}\ndata: ${json}\n\n`);
  }

  /** Only events carry an id: what a client sends back on reconnecting is then always a timeline row. */
  sendEvent(row: number, json: string): void {
    this.write(`id: ${row}\nevent: event\ndata: ${json}\n\n`);
    this.row = row;
  }

  sendReload(row: number, nowMs: number): void {
    this.write(`id: ${row}\nevent: reload\ndata: {}\n\n`);
    this.row = row;
    this.reloadedMs = nowMs;
  }

  /** Writes, and cuts the client off when it has left too much unread: it reconnects and is told to reload. */
  write(text: string): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    this.#response.write(text);
    if (this.#response.writableLength > this.#bufferBytesMax) this.#response.destroy();
  }

  /** Called at every look. Cuts off a client that has read nothing for `stallMsMax`: it holds a place and will not come back to it. */
  checkStall(nowMs: number, stallMsMax: number): void {
    this.#stalledMs = this.ready ? undefined : (this.#stalledMs ?? nowMs);
    if (this.#stalledMs !== undefined && nowMs - this.#stalledMs >= stallMsMax) this.#response.destroy();
  }

  end(): void {
    this.#response.end();
  }
}
