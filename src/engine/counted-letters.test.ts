import { beforeEach, expect, test } from 'vitest';
import type { DeadLetterStore } from '#core/dead-letter.ts';
import { Fault } from '#core/fault.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { createPrometheusMetrics } from '#telemetry/prometheus-metrics.ts';
import { countLetters } from './counted-letters.ts';
import { openWorld } from './fixtures/engine-world.ts';

const FENCE = { lease: 'l', token: 1 };
const fault = new Fault('sink_rejected', 'no');
let metrics: Metrics;
beforeEach(() => {
  metrics = createPrometheusMetrics();
});

/** The real store, with the answers of the methods that are given. */
const counted = (answers: Partial<DeadLetterStore>) => {
  const { deadLetters } = openWorld().store;
  const store = new Proxy(deadLetters, {
    get: (of, name) => {
      const found: unknown = Reflect.get(answers, name) ?? Reflect.get(of, name);
      return typeof found === 'function' ? (found.bind(of) as unknown) : found;
    },
  });
  return countLetters(store, metrics);
};
const seen = async () =>
  Object.fromEntries(
    [...(await metrics.render()).body.matchAll(/^dlq_removed_total\{reason="(\w+)"\} (\d+)$/gm)].map(
      ([, reason = '', count]) => [reason, Number(count)],
    ),
  );

test('every way to go is there from the start, as 0', async () => {
  counted({});
  expect(await seen()).toEqual({ expired: 0, evicted: 0, discarded: 0, replayed: 0 });
});

test('what an operator gives up and what is forgotten is counted, and the answer passes unchanged', async () => {
  const letters = counted({
    discard: () => Promise.resolve(3),
    forget: () => Promise.resolve({ expired: 4, evicted: 5 }),
  });
  expect(await letters.discard({ tenants: ['a'] })).toBe(3);
  expect(await letters.forget(1, 2)).toEqual({ expired: 4, evicted: 5 });
  expect(await seen()).toEqual({ expired: 4, evicted: 5, discarded: 3, replayed: 0 });
});

test('only what its sink took is replayed, and nothing when the owner had lost the partition', async () => {
  let answer: 'committed' | 'fenced' = 'fenced';
  const letters = counted({ settle: () => Promise.resolve(answer) });
  const results = [
    { id: 1, result: { outcome: 'written' } },
    { id: 2, result: { outcome: 'stale' } },
    { id: 3, result: { outcome: 'retry', fault } },
    { id: 4, result: { outcome: 'reject', fault } },
  ] as const;
  expect(await letters.settle('crm', 1, results, FENCE)).toBe('fenced');
  expect((await seen())['replayed']).toBe(0);
  answer = 'committed';
  await letters.settle('crm', 1, results, FENCE);
  expect((await seen())['replayed']).toBe(2);
});

test('the rest is the store itself', async () => {
  const letters = counted({});
  const filter = { tenants: ['a'] };
  expect(await letters.list(filter, 5)).toEqual([]);
  expect(await letters.groups(filter)).toEqual([]);
  expect(await letters.get(['a'], 1)).toBeUndefined();
  expect(await letters.count({ tenant: 'a', connection: 'c' })).toBe(0);
  expect(await letters.queue(filter)).toBe(0);
  expect(await letters.queued('crm', 1, 5)).toEqual([]);
  expect(await letters.edit(['a'], 1, undefined)).toBe(false);
});
