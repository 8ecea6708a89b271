import { z } from 'zod';
import type { Connector, ConnectorContext, Page } from '#core/connector.ts';
import type { EventDraft } from '#core/event.ts';
import { versionOfTime } from '#core/event.ts';
import type { JsonValue } from '#core/json.ts';
import { connectorTrouble, faultOfAnswer } from './planned-trouble.ts';
import type { SyntheticWorld } from './synthetic-world.ts';

const HOUR_MS = 3_600_000;
const CALL_MS = { usual: 150, spread: 250, slow: 10_000 } as const;
const KEYS = 500; // entities a source has; records are new versions of them
const TEXT_CHARS = 600;

/** Records that the source has brought forth by then. */
export function recordsBy(atMs: number, recordsPerHour: number): number {
  return Math.floor((Math.max(0, atMs) * recordsPerHour) / HOUR_MS);
}

/** Stands in for a connector of the configuration: same limits and calls, records at a steady rate, and the planned troubles. */
export function syntheticConnector(real: Connector, { plan, startMs, recordsPerHour }: SyntheticWorld): Connector {
  async function* pull(
    ctx: ConnectorContext,
    cursor: JsonValue | undefined,
  ): AsyncGenerator<Page<JsonValue>, void, undefined> {
    let done = typeof cursor === 'number' ? cursor : 0;
    // Ends when everything the source has so far was read.
    for (;;) {
      const upTo = await ctx.call('list_records', async (signal) => {
        await answer(ctx, signal);
        return Math.min(done + ctx.batchSize, recordsBy(ctx.clock.now() - startMs, recordsPerHour(ctx.connection)));
      });
      if (upTo <= done) return;
      const events = Array.from({ length: upTo - done }, (_, index) =>
        recordOf(done + index, recordsPerHour(ctx.connection)),
      );
      done = upTo;
      yield { events, cursor: done };
    }
  }

  async function answer(ctx: ConnectorContext, signal: AbortSignal): Promise<void> {
    const trouble = connectorTrouble(plan, ctx.connection, ctx.clock.now() - startMs, ctx.random)?.answer;
    if (trouble === 'timeout')
      return ctx.clock.sleep(Number.MAX_SAFE_INTEGER, signal).then(() => signal.throwIfAborted());
    await ctx.clock.sleep(
      trouble === 'slow' ? CALL_MS.slow : CALL_MS.usual + ctx.random.float() * CALL_MS.spread,
      signal,
    );
    signal.throwIfAborted();
    if (trouble !== undefined && trouble !== 'slow') throw faultOfAnswer(trouble, ctx.clock.now());
  }

  function recordOf(index: number, perHour: number): EventDraft {
    const timeMs = startMs + Math.ceil(((index + 1) * HOUR_MS) / perHour);
    return {
      kind: 'document',
      op: 'upsert',
      key: `record-${index % KEYS}`,
      version: versionOfTime(timeMs),
      time: new Date(timeMs).toISOString(),
      title: `record ${index}`,
      text: `record ${index} `.padEnd(TEXT_CHARS, 'text '),
      data: { index },
    };
  }

  return {
    type: real.type,
    version: real.version,
    title: real.title,
    stability: real.stability,
    config: z.unknown(),
    limits: real.limits,
    check: () => Promise.resolve([]),
    streams: {
      records: { title: 'simulated records', cursor: z.custom<JsonValue>((value) => typeof value === 'number'), pull },
    },
  };
}
