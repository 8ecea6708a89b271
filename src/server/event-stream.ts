import type { ServerResponse } from 'node:http';
import { toCloudEvent } from '#core/cloud-event.ts';
import type { Event } from '#core/event.ts';
import { toFault } from '#core/fault.ts';
import type { TimelineRow } from '#core/timeline.ts';
import { listConnectors } from '#operations/list-connectors.ts';
import { getQueueStats } from '#operations/queue.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { SharedContext } from './operation-routes.ts';
import { Refusal } from './problem.ts';
import { STREAM_LIMITS, type StreamLimits } from './server-limits.ts';
import { StreamClient, type Topic } from './stream-client.ts';

export interface StreamOptions {
  readonly context: SharedContext;
  readonly logger: Logger;
  readonly limits?: StreamLimits;
}

/**
 * Live updates for every client from one loop, which runs only while there are clients. The timeline is the buffer: a client is a
 * row number, so resuming after a lost connection and following live are the same step.
 */
export class EventStream {
  readonly #context: SharedContext;
  readonly #logger: Logger;
  readonly #limits: StreamLimits;
  readonly #clients = new Set<StreamClient>();
  readonly #stop = new AbortController();
  #looping: Promise<void> | undefined;
  #stateMs = -Infinity;
  #heartbeatMs = 0;

  constructor({ context, logger, limits = STREAM_LIMITS }: StreamOptions) {
    this.#context = context;
    this.#logger = logger;
    this.#limits = limits;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Throws when one more client is one too many. Called in the same turn as `join`, so that no two take the last place. */
  requireRoom(): void {
    const { clientsMax } = this.#limits;
    if (this.#stop.signal.aborted) throw new Refusal(503, 'Weir is stopping');
    if (this.#clients.size >= clientsMax)
      throw new Refusal(503, `there are ${clientsMax} live streams already; close one`);
  }

  /** `lastRow`: where a client that was here before stopped; NaN when what it sent is no row of ours. */
  join(
    response: ServerResponse,
    {
      topics,
      newest,
      lastRow,
    }: { readonly topics: ReadonlySet<Topic>; readonly newest: number; readonly lastRow: number | undefined },
  ): void {
    const { bufferBytesMax, reopenMs } = this.#limits;
    // A row beyond the newest belongs to data that is gone: nobody knows what this client has seen.
    const resumes = lastRow === undefined || lastRow <= newest;
    const client = new StreamClient(response, { topics, row: resumes ? (lastRow ?? newest) : newest, bufferBytesMax });
    this.#clients.add(client);
    response.once('close', () => this.#clients.delete(client));
    // The id is there from the start, so that a connection lost before its first event resumes here.
    client.write(`retry: ${reopenMs}\nid: ${client.row}\n\n`);
    if (!resumes) client.sendReload(newest, this.#context.env.clock.monotonic());
    this.#looping ??= this.#loop();
  }

  /** Ends every stream; clients reconnect when Weir is back. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const client of this.#clients) client.end();
    await this.#looping;
  }

  async #loop(): Promise<void> {
    const { clock } = this.#context.env;
    this.#heartbeatMs = clock.monotonic();
    // Ends with the last client or with close(); every pass waits on the clock.
    while (this.#clients.size > 0 && !this.#stop.signal.aborted) {
      let waitMs = this.#limits.lookMs;
      try {
        await this.#look();
      } catch (error) {
        this.#logger.warn(
          `the live stream could not be read; trying again in ${this.#limits.retryAfterFaultMs / 1000} s`,
          { detail: toFault(error).message },
        );
        waitMs = this.#limits.retryAfterFaultMs;
      }
      await clock.sleep(waitMs, this.#stop.signal);
    }
    // In the same turn as the last look at the clients: one that joins from here on starts a new loop.
    this.#looping = undefined;
  }

  async #look(): Promise<void> {
    const nowMs = this.#context.env.clock.monotonic();
    for (const client of this.#clients) client.checkStall(nowMs, this.#limits.stallMs);
    if (nowMs - this.#heartbeatMs >= this.#limits.heartbeatMs) {
      this.#heartbeatMs = nowMs;
      for (const client of this.#clients) client.write(': still here\n\n');
    }
    if (nowMs - this.#stateMs >= this.#limits.stateMs) {
      this.#stateMs = nowMs;
      await this.#sendStates();
    }
    await this.#sendEvents(nowMs);
  }

  async #sendStates(): Promise<void> {
    const ctx = { ...this.#context, signal: this.#stop.signal, progress: () => {} };
    if (this.#wanted('connectors')) this.#sendState('connectors', JSON.stringify(await listConnectors.run(ctx, {})));
    if (this.#wanted('queue')) this.#sendState('queue', JSON.stringify(await getQueueStats.run(ctx, {})));
  }

  #wanted(topic: Topic): boolean {
    return this.#clients.values().some(({ topics }) => topics.has(topic));
  }

  #sendState(topic: Topic, json: string): void {
    for (const client of this.#clients) if (client.topics.has(topic)) client.sendState(topic, json);
  }

  async #sendEvents(nowMs: number): Promise<void> {
    const { gapRowsMax, reloadMs } = this.#limits;
    const newest = await this.#context.store.timeline.newest();
    const pages = new Map<number, readonly Frame[]>(); // clients at the same row share reading and writing as JSON
    for (const client of this.#clients) {
      if (!client.topics.has('events')) continue;
      if (newest - client.row <= gapRowsMax) await this.#catchUp(client, newest, pages);
      // In a flood it waits, so that it does not fetch everything four times a second.
      else if (nowMs - client.reloadedMs >= reloadMs) client.sendReload(newest, nowMs);
    }
  }

  async #catchUp(client: StreamClient, newest: number, pages: Map<number, readonly Frame[]>): Promise<void> {
    // Bounded by gapRowsMax: each page moves the client forwards.
    while (client.row < newest && client.ready && !this.#stop.signal.aborted) {
      const from = client.row;
      const page = pages.get(from) ?? (await this.#readPage(from));
      pages.set(from, page);
      for (const { row, json } of page) client.sendEvent(row, json);
      if (page.length < this.#limits.pageRows) client.row = Math.max(client.row, newest); // the rest are other tenants' rows
    }
  }

  async #readPage(after: number): Promise<readonly Frame[]> {
    const { tenants, store } = this.#context;
    const { rows } = await store.timeline.query({ tenants, after, limit: this.#limits.pageRows });
    return rows.map((row) => this.#frameOf(row));
  }

  /** A receiver is bound to take 64 KB of a CloudEvent; what is larger goes as a reference to fetch. */
  #frameOf({ row, event }: TimelineRow): Frame {
    const json = JSON.stringify(toCloudEvent(event));
    if (Buffer.byteLength(json) <= this.#limits.eventBytesMax) return { row, json };
    const { text, links, acl, context, ...rest } = event;
    const reference: Event = { ...rest, data: { truncated: true } };
    return { row, json: JSON.stringify(toCloudEvent(reference)) };
  }
}

interface Frame {
  readonly row: number;
  readonly json: string;
}
