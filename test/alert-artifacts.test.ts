// What is shipped for Prometheus and Grafana names metrics and labels by hand or by template: each must be one that Weir has.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ALERT_RULES } from '#engine/alert-rules.ts';
import { LABELS, METRICS, type MetricRow } from '#telemetry/metric-table.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const RulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          for: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning']), page: z.enum(['yes', 'no']) }),
          annotations: z.object({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
});
const DashboardSchema = z.object({
  panels: z.array(
    z.object({
      id: z.int(),
      type: z.string(),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
});

const rules = RulesSchema.parse(parse(read('deploy/prometheus/weir-rules.yml'))).groups.flatMap((group) => group.rules);
const { panels } = DashboardSchema.parse(JSON.parse(read('deploy/grafana/weir-overview.json')));
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const WORDS = new Set([
  'sum',
  'max',
  'count',
  'by',
  'and',
  'or',
  'rate',
  'increase',
  'time',
  'vector',
  'histogram_quantile',
]);

interface Named {
  readonly metrics: readonly { readonly name: string; readonly labels: readonly (readonly [string, string])[] }[];
  readonly grouped: readonly string[];
}

/** Every metric with its label matchers, and every label that is grouped by. */
function namesIn(expr: string): Named {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
  const rest = expr.replaceAll(/\bby \([^)]*\)/g, '').replaceAll(/\[[0-9]+[smh]\]/g, '');
  const metrics = [...rest.matchAll(/([a-z_]\w*)(?:\{([^}]*)\})?/g)]
    .filter(([, name = '']) => !WORDS.has(name))
    .map(([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)=~?"([^"]*)"/g)].map(([, label = '', value = '']) => [label, value] as const),
    }));
  return { metrics, grouped };
}

function rowOf(name: string): MetricRow | undefined {
  const table: Readonly<Record<string, MetricRow>> = METRICS;
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const row = table[name] ?? table[base];
  return name !== base && table[name] === undefined && row?.kind !== 'histogram' ? undefined : row;
}

/** What in a query Weir does not have. */
function unknownIn(expr: string): readonly string[] {
  const { metrics, grouped } = namesIn(expr);
  const problems: string[] = metrics.length === 0 ? ['no metric'] : [];
  const known = new Set<string>();
  for (const { name, labels } of metrics) {
    const row = rowOf(name);
    if (row === undefined) problems.push(name);
    for (const label of row?.labels ?? []) known.add(label);
    if (row?.kind === 'histogram') known.add('le');
    for (const [label, value] of labels) {
      const values: readonly string[] | null | undefined = Object.entries(LABELS).find(([one]) => one === label)?.[1];
      if (row !== undefined && !row.labels.some((one) => one === label)) problems.push(`${name}{${label}}`);
      for (const one of value.split('|')) if (values?.includes(one) === false) problems.push(`${label}="${one}"`);
    }
  }
  return [...problems, ...grouped.filter((label) => !known.has(label)).map((label) => `by ${label}`)];
}

describe('the rules for Prometheus', () => {
  test.each(rules)('$alert names only metrics, labels and values that exist', ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  test('are those of Weir, without the ones that have no metric yet', () => {
    expect(rules.map(({ alert }) => alert)).toEqual(
      ALERT_RULES.filter(({ expr }) => expr !== undefined).map(({ title }) => title),
    );
    expect(ALERT_RULES.filter(({ expr }) => expr === undefined).map(({ name }) => name)).toEqual(['webhook_failures']);
    for (const { expr, threshold } of ALERT_RULES) if (expr !== undefined) expect(expr).toContain(`> ${threshold}`);
  });

  test('each have a section of docs/operating.md to read', () => {
    const anchors = [...read('docs/operating.md').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    for (const { runbook } of ALERT_RULES) expect(anchors).toContain(runbook);
    for (const { annotations } of rules)
      expect(anchors).toContain(annotations.runbook_url.replace('docs/operating.md#', ''));
  });
});

describe('the dashboard for Grafana', () => {
  test('names only metrics, labels and values that exist', () => {
    expect(queries.flatMap(unknownIn)).toEqual([]);
  });

  test('shows every metric there is', () => {
    const shown = new Set(
      queries.flatMap((expr) => namesIn(expr).metrics.map(({ name }) => name.replace(/_bucket$/, ''))),
    );
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  test('has panels that do not overlap, each with an id of its own', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

test.each([
  'no_such_metric > 1',
  'queue_depth_bucket',
  'queue_depth{sink="a"}',
  'sink_lag_events{sink="a"} and connector_circuit_state{state="ajar"}',
  'sum by (stream) (queue_depth)',
])('the check itself finds what is wrong in %s', (expr) => {
  expect(unknownIn(expr)).not.toEqual([]);
});
