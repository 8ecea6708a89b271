import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULTS } from '#core/fault.ts';
import { METRICS } from './metric-table.ts';
import { METRIC_LIMITS, noMetrics } from './metrics.ts';
import { createPrometheusMetrics } from './prometheus-metrics.ts';

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Map<string, number>;
}

const SAMPLE = /^([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (NaN|[+-]Inf|[+-]?[0-9.e+-]+)$/;

/** A strict reader of text format 0.0.4: throws at the first line a scraper could stumble over, duplicates included. */
function familiesOf(body: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const helps = new Map<string, string>();
  for (const line of body.split('\n').filter((text) => text !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE' && !families.has(name))
      families.set(name, { type: rest, help: helps.get(name) ?? '', samples: new Map() });
    else {
      const [, metric = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
      const family = families.get(metric) ?? families.get(metric.replace(/_(bucket|sum|count)$/, ''));
      if (family === undefined || family.samples.has(metric + labels)) throw new Error(`bad line: ${line}`);
      family.samples.set(metric + labels, Number(value.replace('Inf', 'Infinity')));
    }
  }
  return families;
}

async function familiesIn(metrics: { render(): Promise<{ body: string }> }): Promise<Map<string, Family>> {
  return familiesOf((await metrics.render()).body);
}

describe('the metric table', () => {
  it('registers every metric with its kind and help, and names that say their unit', async () => {
    const families = await familiesIn(createPrometheusMetrics());
    expect([...families.keys()].sort()).toEqual(Object.keys(METRICS).sort());
    for (const [name, row] of Object.entries(METRICS)) {
      expect(families.get(name)).toMatchObject({ type: row.kind, help: row.help });
      expect(name.endsWith('_total')).toBe(row.kind === 'counter');
      if (row.kind === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });
});

describe('createPrometheusMetrics', () => {
  it('renders text format 0.0.4 that a strict reader takes, whatever the label values hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.double())), async (samples) => {
        const metrics = createPrometheusMetrics();
        for (const [value, amount] of samples) {
          metrics.add('events_appended_total', { connector: value }, amount);
          metrics.set('sink_lag_events', { sink: value }, amount);
          metrics.observe(
            'connector_request_duration_seconds',
            { connector: value, operation: value, outcome: 'failed' },
            amount,
          );
        }
        const page = await metrics.render();
        expect(page.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
        for (const { samples: found } of familiesOf(page.body).values())
          for (const value of found.values()) expect(value).not.toBeNaN();
      }),
      { numRuns: 200 },
    );
  });

  it('counts, sets and observes under the labels given', async () => {
    const metrics = createPrometheusMetrics();
    metrics.add('scheduler_runs_total', { connector: 'docs' });
    metrics.add('scheduler_runs_total', { connector: 'docs' }, 2);
    metrics.add('scheduler_runs_total', { connector: 'docs' }, -5);
    metrics.set('queue_depth', {}, 7);
    metrics.set('queue_depth', {}, NaN);
    metrics.observe('worker_job_duration_seconds', {}, 0.2);
    const families = await familiesIn(metrics);
    expect(families.get('scheduler_runs_total')?.samples.get('scheduler_runs_total{connector="docs"}')).toBe(3);
    expect(families.get('queue_depth')?.samples.get('queue_depth')).toBe(7);
    expect(families.get('worker_job_duration_seconds')?.samples.get('worker_job_duration_seconds_count')).toBe(1);
  });

  it('has every series of a new connection and sink as 0, but no age nobody knows', async () => {
    const metrics = createPrometheusMetrics();
    metrics.seedConnection('docs', ['pages']);
    metrics.seedSink('timeline');
    const families = await familiesIn(metrics);
    const of = (name: string): Record<string, number> => Object.fromEntries(families.get(name)?.samples ?? []);
    for (const name of [
      'scheduler_runs_total',
      'scheduler_failures_total',
      'events_appended_total',
      'events_duplicate_total',
      'events_dead_total',
    ]) {
      expect(of(name)).toEqual({ [`${name}{connector="docs"}`]: 0 });
    }
    expect(of('connector_last_success_timestamp_seconds')).toEqual({
      'connector_last_success_timestamp_seconds{connector="docs",stream="pages"}': 0,
    });
    expect(Object.values(of('connector_circuit_state'))).toEqual([1, 0, 0]);
    expect(Object.keys(of('connector_retries_total'))).toHaveLength(
      Object.values(FAULTS).filter((row) => row.retry !== 'never').length,
    );
    expect(Object.values(of('sink_writes_total'))).toEqual([0, 0, 0, 0]);
    expect(of('sink_write_duration_seconds')['sink_write_duration_seconds_count{sink="timeline"}']).toBe(0);
    expect(of('connector_cursor_age_seconds')).toEqual({});
  });

  it('counts label values beyond the limit under other, and keeps no gauge for them', async () => {
    const metrics = createPrometheusMetrics();
    const count = METRIC_LIMITS.labelValuesMax + 10;
    for (let at = 0; at < count; at += 1) {
      metrics.add('events_appended_total', { connector: `c${at}` });
      metrics.set('connector_last_success_timestamp_seconds', { connector: `c${at}`, stream: 's' }, at);
    }
    const families = await familiesIn(metrics);
    const appended = families.get('events_appended_total')?.samples;
    expect(appended?.size).toBe(METRIC_LIMITS.labelValuesMax + 1);
    expect(appended?.get('events_appended_total{connector="other"}')).toBe(10);
    expect(families.get('connector_last_success_timestamp_seconds')?.samples.size).toBe(METRIC_LIMITS.labelValuesMax);
  });

  it('bounds the combinations of labels of one metric', async () => {
    const metrics = createPrometheusMetrics();
    for (let at = 0; at < METRIC_LIMITS.seriesMax + 5; at += 1) {
      metrics.add('connector_requests_total', {
        connector: `c${at % 100}`,
        operation: `o${Math.floor(at / 100)}`,
        outcome: 'succeeded',
      });
    }
    const samples = (await familiesIn(metrics)).get('connector_requests_total')?.samples;
    expect(samples?.size).toBe(METRIC_LIMITS.seriesMax + 1);
    expect(samples?.get('connector_requests_total{connector="other",operation="other",outcome="other"}')).toBe(5);
  });

  it('gives connectors gauges of their own, bounded in number and apart from the names of Weir', async () => {
    const metrics = createPrometheusMetrics();
    metrics.gaugeOf('host', 'cpu_usage_ratio')('laptop', 0.5);
    metrics.gaugeOf('host', 'cpu_usage_ratio')('server', 0.25);
    expect(() => metrics.gaugeOf('queue', 'depth')).toThrow(/name of another metric/);
    expect(() => metrics.gaugeOf('host', 'CPU usage')).toThrow(/snake_case/);
    for (let at = 0; at < METRIC_LIMITS.connectorGaugesMax + 10; at += 1) metrics.gaugeOf('my-type', `g${at}`)('x', at);
    const families = await familiesIn(metrics);
    expect(families.get('host_cpu_usage_ratio')?.samples.get('host_cpu_usage_ratio{connector="laptop"}')).toBe(0.5);
    expect(families.size).toBe(Object.keys(METRICS).length + METRIC_LIMITS.connectorGaugesMax);
  });

  it('adds the process metrics once, however often it is asked', async () => {
    const metrics = createPrometheusMetrics();
    metrics.collectProcessMetrics();
    metrics.collectProcessMetrics();
    expect(await metrics.render()).toMatchObject({ body: expect.stringContaining('process_cpu_user_seconds_total') });
  });
});

describe('noMetrics', () => {
  it('takes everything and renders an empty page', async () => {
    noMetrics.add('scheduler_runs_total', { connector: 'docs' });
    noMetrics.gaugeOf('host', 'x')('docs', 1);
    expect((await noMetrics.render()).body).toBe('');
  });
});
