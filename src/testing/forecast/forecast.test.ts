import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Connector } from '#core/connector.ts';
import { ForecastReportSchema, type ForecastPlan } from '#core/forecast.ts';
import type { Connection } from '#engine/connection.ts';
import { forecast, type ForecastOptions } from './forecast.ts';

const MIN_MS = 60_000;
const HOUR_MS = 60 * MIN_MS;

const real: Connector = {
  type: 'wiki',
  version: '1.0.0',
  title: 'Wiki',
  stability: 'alpha',
  config: z.unknown(),
  limits: { callTimeoutMs: 30_000, pollIntervalMsDefault: 5 * MIN_MS },
  check: () => Promise.reject(new Error('a forecast must not call the real connector')),
  streams: {},
};

function connectionOf(name: string): Connection {
  return {
    tenant: 'default',
    connection: name,
    connector: real,
    enabled: true,
    config: {},
    schedule: { kind: 'interval', pollIntervalMs: 5 * MIN_MS },
    batchSize: 50,
    allowedPaths: [],
    guard: {},
  };
}

function run(faults: ForecastPlan['faults'], more: Partial<ForecastOptions> = {}) {
  return forecast({
    seed: 1,
    durationMs: 4 * HOUR_MS,
    plan: { rates: { wiki: 120 }, faults },
    connections: [connectionOf('wiki')],
    sinks: [{ name: 'crm', type: 'http', from: 'oldest', accepts: () => true }],
    engine: {
      queue: { eventsMax: 10_000, bytesMax: 1024 ** 3 },
      scheduler: { runsMax: 4, runsPerTypeMax: 4, sliceMs: 30_000 },
      health: { p95MsMax: 2000, errorRatioMax: 0.1, callsMin: 10, windowMs: HOUR_MS },
    },
    signal: new AbortController().signal,
    ...more,
  });
}

describe('forecast', () => {
  it('brings everything to every sink when nothing goes wrong', async () => {
    const report = await run([]);
    expect(ForecastReportSchema.parse(report)).toEqual(report);
    expect(report).toMatchObject({ lost: 0, healthy_at_end: true });
    expect(report.connectors[0]).toMatchObject({ records: 480, failed_calls: 0, circuit_opened: 0 });
    expect(report.sinks.map(({ name, delivered }) => [name, delivered])).toEqual(
      ['timeline', 'library', 'crm'].map((name) => [name, report.connectors[0]?.in_log]),
    );
  });

  it('shows an outage of an API as an open circuit, a delay about as long, and no loss', async () => {
    const report = await run([{ connector: 'wiki', answer: 502, from: HOUR_MS, for: 40 * MIN_MS, share: 1 }]);
    const [wiki] = report.connectors;
    expect(report).toMatchObject({ lost: 0, healthy_at_end: true });
    expect(wiki?.circuit_opened).toBeGreaterThan(0);
    expect(wiki?.delay_max_seconds).toBeGreaterThan(35 * 60);
    expect(wiki?.delay_max_seconds).toBeLessThan(60 * 60);
    expect(report.happenings.map(({ what }) => what)).toContain('the circuit of wiki opens');
  });

  it('shows an outage of a sink as its backlog, with no dead letter and nothing held up elsewhere', async () => {
    const report = await run([{ sink: 'crm', answer: 'down', from: HOUR_MS, for: 2 * HOUR_MS, share: 1 }]);
    const crm = report.sinks.find(({ name }) => name === 'crm');
    const library = report.sinks.find(({ name }) => name === 'library');
    expect(report).toMatchObject({ lost: 0, healthy_at_end: true });
    expect(crm).toMatchObject({ dead_letters: 0, caught_up: true });
    expect(crm?.backlog_max).toBeGreaterThan(200);
    expect(library?.backlog_max).toBeLessThan(100);
  });

  it('shows events that a sink refuses as dead letters, and ends not well', async () => {
    const report = await run([{ sink: 'crm', answer: 'reject', from: HOUR_MS, for: 5 * MIN_MS, share: 1 }]);
    expect(report).toMatchObject({ lost: 0, healthy_at_end: false });
    expect(report.sinks.find(({ name }) => name === 'crm')?.dead_letters).toBeGreaterThan(0);
  });

  it('gives the same report for the same seed', async () => {
    const faults: ForecastPlan['faults'] = [
      { connector: 'wiki', answer: 503, from: HOUR_MS, for: HOUR_MS, share: 0.5 },
    ];
    expect(await run(faults)).toEqual(await run(faults));
    expect(await run(faults, { seed: 2 })).not.toEqual(await run(faults));
  });
});
