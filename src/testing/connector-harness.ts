import type { Connector, ConnectorContext, Page } from '#core/connector.ts';
import type { EventDraft } from '#core/event.ts';
import type { HttpClient } from '#core/http.ts';
import type { PullFailure } from '#core/event-log.ts';
import type { JsonValue } from '#core/json.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { simulatedRandom } from './simulated-random.ts';

const PAGES_MAX = 100_000; // a pull that yields more is taken for one that never ends

export interface HarnessOptions {
  readonly metadata: JsonValue;
  readonly allowedPaths?: readonly string[];
  readonly batchSize?: number;
  readonly clock?: SimulatedClock;
  readonly signal?: AbortSignal;
  /** Default: one that throws. */
  readonly http?: HttpClient;
}

export interface PullOutcome {
  readonly events: readonly EventDraft[];
  readonly failures: readonly PullFailure[];
  readonly skipped: Readonly<Record<string, number>>;
  readonly pages: readonly Page<JsonValue>[];
  readonly cursor: JsonValue | undefined;
  readonly reconcile: boolean;
}

export interface ConnectorHarness {
  readonly ctx: ConnectorContext;
  readonly clock: SimulatedClock;
  readonly calls: readonly string[];
  readonly gauges: ReadonlyMap<string, number>;
  readonly logged: readonly string[];
  /** Pulls to the end, or until `pagesMax` pages were durable: then the generator is dropped as a crash would. */
  pull(stream: string, cursor?: JsonValue, pagesMax?: number): Promise<PullOutcome>;
  listIds(stream: string, cursor: JsonValue): Promise<readonly string[]>;
}

/** Runs a connector alone: real connector code, a simulated clock, calls recorded, every cursor checked against its schema. */
export function connectorHarness<Config>(connector: Connector<Config>, options: HarnessOptions): ConnectorHarness {
  const clock = options.clock ?? new SimulatedClock();
  const calls: string[] = [];
  const logged: string[] = [];
  const gauges = new Map<string, number>();
  const signal = options.signal ?? new AbortController().signal;
  const ctx: ConnectorContext<Config> = {
    tenant: 'default',
    connection: connector.type,
    config: connector.config.parse(options.metadata),
    batchSize: options.batchSize ?? 50,
    allowedPaths: options.allowedPaths ?? [],
    clock,
    random: simulatedRandom(1),
    signal,
    log: (level, message) => void logged.push(`${level} ${message}`),
    gauge: (name, value) => void gauges.set(name, value),
    call: (operation, fn) => {
      calls.push(operation);
      return fn(signal);
    },
    http: options.http ?? noHttp,
  };
  const streamOf = (name: string) => {
    const stream = connector.streams[name];
    if (stream === undefined) throw new Error(`connector ${connector.type} has no stream ${name}`);
    return stream;
  };
  return {
    ctx,
    clock,
    calls,
    gauges,
    logged,
    async pull(name, from, pagesMax = PAGES_MAX) {
      const stream = streamOf(name);
      const pages: Page<JsonValue>[] = [];
      const start = from === undefined ? undefined : stream.cursor.parse(from);
      for await (const page of stream.pull(ctx, start)) {
        // Through JSON and back: what the store would give at the next start.
        pages.push({ ...page, cursor: stream.cursor.parse(JSON.parse(JSON.stringify(page.cursor))) });
        if (pages.length >= pagesMax) break;
      }
      return outcomeOf(pages, from);
    },
    async listIds(name, cursor) {
      const listing = streamOf(name).listIds?.(ctx, cursor);
      if (listing === undefined) throw new Error(`stream ${name} cannot list its ids`);
      return (await Array.fromAsync(listing)).flat();
    },
  };
}

const noHttp: HttpClient = {
  baseUrl: undefined,
  request: () => Promise.reject(new Error('this harness has no http')),
  stream: () => Promise.reject(new Error('this harness has no http')),
};

function outcomeOf(pages: readonly Page<JsonValue>[], from: JsonValue | undefined): PullOutcome {
  const skipped: Record<string, number> = {};
  for (const page of pages) {
    for (const [reason, count] of Object.entries(page.skipped ?? {})) skipped[reason] = (skipped[reason] ?? 0) + count;
  }
  return {
    events: pages.flatMap((page) => page.events),
    failures: pages.flatMap((page) => page.failures ?? []),
    skipped,
    pages,
    cursor: pages.at(-1)?.cursor ?? from,
    reconcile: pages.some((page) => page.reconcile === true),
  };
}
