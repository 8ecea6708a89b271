// What the stub answers: an invented installation with two ill connectors, and hostile text wherever text comes from outside.
import type { CloudEvent, Connector, ConnectorDrill, ConnectorList, QueueStats, SearchPage } from './src/api.ts';

export const HOSTILE = {
  markup: '<img src=x onerror=alert(1)><script>alert(2)</script>',
  url: 'javascript:alert(document.domain)',
  bidi: 'invoice\u202egpj.exe\u2066 \u0007\u009b31mred',
} as const;

export interface StubData {
  connectors: ConnectorList;
  queue: QueueStats;
  events: readonly CloudEvent[];
}

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

export function connectorOf(
  name: string,
  status: Connector['health']['status'],
  change: Partial<Connector> & { readonly reason?: string } = {},
): Connector {
  const { reason = 'all is well', ...rest } = change;
  return {
    name,
    type: name === 'host' ? 'metrics' : name,
    tenant: 'default',
    enabled: true,
    health: { status, reason, metrics: { total_calls: 418, error_rate: 0, p50_ms: 24, p95_ms: 118, p99_ms: 240 } },
    last_result: 'succeeded',
    activity: 'idle',
    circuit_state: 'closed',
    last_success: ago(42),
    next_run: ago(-18),
    events_total: 412,
    ...rest,
  };
}

const calls = (total_calls: number, error_rate: number, p95_ms: number | null) => ({
  total_calls,
  error_rate,
  p50_ms: p95_ms === null ? null : p95_ms / 4,
  p95_ms,
  p99_ms: p95_ms,
});

export function stubData(): StubData {
  return {
    connectors: {
      schemaVersion: 1,
      summary:
        '2 of 5 connectors need attention: teams down since 13:40 (circuit open, 65 % errors), slack degraded since 14:02 (p95 3.2 s > 2.0 s).',
      connectors: [
        connectorOf('teams', 'down', {
          health: {
            status: 'down',
            reason: `65 % of 120 calls failed (limit 50 %): ${HOSTILE.markup}`,
            metrics: calls(120, 0.65, 812),
          },
          last_result: 'failed',
          activity: 'circuit open, trial in 20 s',
          circuit_state: 'open',
          last_success: ago(5400),
          events_total: 18_204,
        }),
        connectorOf('slack', 'degraded', {
          health: { status: 'degraded', reason: 'p95 3.2 s is above 2.0 s', metrics: calls(2310, 0.004, 3210) },
          last_result: 'partial',
          activity: 'retrying 2/3, next in 12 s',
          events_total: 1_204_882,
        }),
        connectorOf('host', 'unknown', {
          health: { status: 'unknown', reason: 'no calls in the last 60 minutes', metrics: calls(0, 0, null) },
          last_result: null,
          last_success: null,
          activity: 'idle',
          next_run: ago(-42),
          events_total: 0,
        }),
        connectorOf('git', 'healthy', { activity: 'running 412/1000', reason: 'p95 118 ms, no errors in 418 calls' }),
        connectorOf('logs', 'healthy', {
          reason: `reads ${HOSTILE.bidi}`,
          enabled: false,
          activity: 'paused',
          next_run: null,
        }),
      ],
    },
    queue: {
      schemaVersion: 1,
      queue_name: 'events',
      size: 1204,
      max_size: 10_000,
      usage_pct: 12.04,
      backpressure: false,
      oldest_age_seconds: 3.4,
      sinks: [
        { name: 'library', lag: 1204 },
        { name: 'timeline', lag: 0 },
      ],
    },
    events: [
      eventOf('e1', 'teams', 'circuit opened: 5 failures in a row', 'critical'),
      eventOf('e2', 'git', HOSTILE.markup, undefined, HOSTILE.url),
      eventOf('e3', 'git', 'Hold the position until the sink has confirmed', undefined, 'https://git.example/c/3f2a'),
      eventOf('e4', 'logs', `WARN ${HOSTILE.bidi}`, 'medium'),
      eventOf('e5', 'host', 'load 14.2 is 4.1 standard deviations above normal', 'high'),
    ],
  };
}

export function eventOf(id: string, connector: string, title: string, severity?: string, url?: string): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: `/tenants/default/connectors/${connector}/main`,
    type: `weir.${connector}.main.upsert`,
    subject: id,
    time: ago(30 + id.charCodeAt(1)),
    tenantid: 'default',
    connectorid: connector,
    ...(severity === undefined ? {} : { severity }),
    sequence: '0000000000000001',
    data: { kind: 'signal', title, ...(url === undefined ? {} : { url }) },
  };
}

export function searchPage(words: string): SearchPage {
  if (words.includes('nothing')) return { schemaVersion: 1, total: 0, results: [] };
  const result = { connector: 'git', tenant: 'default', stream: 'docs', score: 4.2, time: ago(3600) };
  return {
    schemaVersion: 1,
    total: 3,
    results: [
      {
        ...result,
        key: 'docs/reliability.md',
        title: 'Reliability',
        url: 'file:///srv/docs/reliability%20notes.md#L12',
        line: 12,
        snippet: `The \u0002cursor\u0003 and the events it covers commit together; a \u0002cursor\u0003 never runs ahead of <b>${HOSTILE.markup}</b> what is durable.`,
      },
      {
        ...result,
        key: 'docs/design.md',
        title: 'Design of the event log',
        url: 'https://docs.example/design#cursor',
        line: null,
        snippet:
          'Schema-checked position from which the next pull resumes: the \u0002cursor\u0003 is owned and stored by the platform.',
      },
      {
        ...result,
        key: 'evil',
        title: HOSTILE.markup,
        url: HOSTILE.url,
        line: null,
        snippet: `a \u0002${HOSTILE.bidi}\u0003 hit`,
      },
    ],
  };
}

export function drillOf(data: StubData): ConnectorDrill {
  const connector = data.connectors.connectors[0] ?? connectorOf('git', 'healthy');
  const counts = { pages: 5, appended: 12, unchanged: 400, deleted: 1, failed: 0, skipped: { not_a_document: 3 } };
  return {
    schemaVersion: 1,
    ...connector,
    streams: [
      {
        name: 'docs',
        cursor: { sha: '3f2a9c', path: 'docs/guide.md' },
        cursor_at: ago(42),
        events_total: 380,
        next_run: ago(-18),
        failures: 0,
        reconcile_due: null,
      },
      {
        name: 'commits',
        cursor: null,
        cursor_at: null,
        events_total: 32,
        next_run: ago(-18),
        failures: 2,
        reconcile_due: null,
      },
    ],
    recent_runs: [
      { id: 'r1', stream: 'docs', started_at: ago(44), ended_at: ago(42), outcome: 'succeeded', counts, message: null },
      {
        id: 'r2',
        stream: 'commits',
        started_at: ago(90),
        ended_at: ago(89),
        outcome: 'failed',
        counts: { appended: 0 },
        message: HOSTILE.markup,
      },
    ],
    recent_failures: [
      { time: ago(89), operation: 'git log', code: 'source_missing', message: `ref ${HOSTILE.bidi} does not exist` },
    ],
    dead_letters: 2,
  };
}
