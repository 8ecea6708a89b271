// What is outside of the process under test and outlives it: the receiver of its external sink, which guards by version and counts
// effects, and the source that its connections pull from.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Event } from '#core/event.ts';
import { eventOf } from './known-event.ts';

const PAGE_KEYS = 10;
const PAGE_TEXT_BYTES = 200;

export class World {
  /** How often each id took effect. */
  readonly effects = new Map<string, number>();
  /** Keys whose content was not what it must be. */
  readonly changed: string[] = [];
  /** Keys that met an older version for the first time after a newer one. */
  readonly inversions: string[] = [];
  /** Writes of ids that had arrived before. */
  redelivered = 0;
  /** How many numbers each connection has to give; a page beyond is empty. */
  numbersMax = 0;
  /** Each request for a page, when it came, and whether it was refused. For `after`, see numbers-connector. */
  readonly pages: {
    readonly connection: string;
    readonly after: number;
    readonly atMs: number;
    readonly refused: boolean;
  }[] = [];
  /** Said to a connection that asks for a page: milliseconds it must wait; undefined: served. Awaited, so it may also be slow. */
  refusePage: (connection: string, after: number) => number | undefined | Promise<number | undefined> = () => undefined;
  /** Decides about one batch of the sink: whether it is refused. Awaited, so it may also hold the answer back. */
  refuseWrite: (events: readonly Event[]) => boolean | Promise<boolean> = () => false;
  /** Whether the sink says that it is out when it is asked. */
  refusePing: () => boolean = () => false;
  readonly pings: { readonly atMs: number; readonly refused: boolean }[] = [];
  readonly writes: { readonly atMs: number; readonly refused: boolean; readonly ids: readonly string[] }[] = [];
  readonly #versions = new Map<string, number>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<World> {
    const server = createServer();
    const world = new World(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      world.#answer(request).then(
        ({ status, body }) => response.writeHead(status).end(JSON.stringify(body)),
        () => response.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return world;
  }

  get url(): string {
    // A TCP server's address is an object.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** So many connections have been told that there is no more. */
  exhausted(connections: number): boolean {
    const furthest = new Map<string, number>();
    for (const { connection, after } of this.pages)
      furthest.set(connection, Math.max(furthest.get(connection) ?? 0, after));
    return (
      furthest
        .values()
        .filter((after) => after >= this.numbersMax)
        .toArray().length >= connections
    );
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname === '/page') return { status: 200, body: await this.#page(url) };
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    if (url.pathname === '/ping') return { status: this.#ping(), body: {} };
    // Sent by the append server's own sink.
    return { status: await this.#write(JSON.parse(text) as Event[]), body: {} };
  }

  async #page(url: URL): Promise<{ keys: string[] } | { retryAfterMs: number }> {
    const connection = url.searchParams.get('connection') ?? '';
    const after = Number(url.searchParams.get('after'));
    const page = { connection, after, atMs: performance.now(), refused: false };
    this.pages.push(page);
    const retryAfterMs = await this.refusePage(connection, after);
    page.refused = retryAfterMs !== undefined;
    if (retryAfterMs !== undefined) return { retryAfterMs };
    const count = Math.max(0, Math.min(PAGE_KEYS, this.numbersMax - after));
    return { keys: Array.from({ length: count }, (_, index) => numberKey(after + index)) };
  }

  #ping(): number {
    const refused = this.refusePing();
    this.pings.push({ atMs: performance.now(), refused });
    return refused ? 503 : 200;
  }

  async #write(events: readonly Event[]): Promise<number> {
    const atMs = performance.now();
    const refused = await this.refuseWrite(events);
    this.writes.push({ atMs, refused, ids: events.map(({ id }) => id) });
    if (refused) return 503;
    for (const event of events) this.#apply(event);
    return 200;
  }

  #apply(event: Event): void {
    const entity = `${event.connection}/${event.key}`;
    const expected = eventOf(event.connection, event.key, event.version);
    if (JSON.stringify(event) !== expected.payload) this.changed.push(entity);
    if (this.effects.has(event.id)) {
      this.redelivered += 1;
    } else if ((this.#versions.get(entity) ?? -1) > event.version) this.inversions.push(entity);
    if ((this.#versions.get(entity) ?? -1) >= event.version) return;
    this.#versions.set(entity, event.version);
    this.effects.set(event.id, (this.effects.get(event.id) ?? 0) + 1);
  }
}

/** The key of the nth number that a connection gives. */
export function numberKey(number: number): string {
  return `n${number}.${PAGE_TEXT_BYTES}`;
}
