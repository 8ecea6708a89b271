// The real engine on the real SQLite, in worlds where everything goes wrong that a seed can think of (docs/testing.md).
// One world again: WEIR_SIM_SEED=123 npm test -- test/simulation.test.ts

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineConnector } from '#sdk/define-connector.ts';
import {
  entityOf,
  failureReport,
  FAULT_KINDS,
  planOf,
  shrink,
  simulate,
  simulatePlan,
  type HeldEntity,
  type SimulatedStore,
  type SimulationPlan,
  type WriteResult,
} from '#testing/index.ts';
import { REGRESSION_PLANS } from './simulation/regression-plans.ts';
import { plansOf, runPlans } from './simulation/run-seeds.ts';

const BOX_MS = 60_000;
const WORLDS = 40;
const only = process.env['WEIR_SIM_SEED'];

/** As docs/testing.md shows it, with its guard or without. */
function tableStore(guarded: boolean): SimulatedStore {
  const rows = new Map<string, HeldEntity>();
  return {
    write: (entries) =>
      Promise.resolve(
        entries.map(({ event }): WriteResult => {
          const known = rows.get(entityOf(event));
          if (guarded && known !== undefined && known.version >= event.version) return { outcome: 'stale' };
          rows.set(entityOf(event), { version: event.version, deleted: event.op === 'delete' });
          return { outcome: 'written' };
        }),
      ),
    held: () => rows,
  };
}

function oneWorld(): void {
  test(`seed ${only} keeps every promise`, { timeout: 10 * BOX_MS }, async () => {
    const plan = JSON.parse(process.env['WEIR_SIM_PLAN'] ?? '{}') as Partial<SimulationPlan>; // typed in by who asks
    await runPlans(plansOf(Number(only), 1, plan), BOX_MS);
  });
}

function worlds(): void {
  test(
    `keep every promise, seeds 1 to ${WORLDS}`,
    async () => expect((await runPlans(plansOf(1, WORLDS), BOX_MS)).simulated).toBe(WORLDS),
    BOX_MS * 2,
  );

  test.for(REGRESSION_PLANS)('keep every promise: $story', { timeout: BOX_MS }, async ({ plan }) => {
    expect((await runPlans([plan], BOX_MS)).simulated).toBe(1);
  });

  test('are the same for the same seed, to the last wake-up', { timeout: BOX_MS }, async () => {
    for (const seed of [2, 20, 111]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect(second.traceHash).toBe(first.traceHash);
      expect(second.steps).toBe(first.steps);
    }
  });

  test('differ from seed to seed', async () => {
    const hashes = await Promise.all([...plansOf(1, 5)].map(async (plan) => (await simulatePlan(plan)).traceHash));
    expect(new Set(hashes).size).toBe(5);
  });

  test('without faults everything arrives, and nothing is a dead letter', async () => {
    const result = await simulate(5, { faults: [], mode: 'liveness', sinks: ['strict', 'receiver'], events: 60 });
    expect(result.violations).toEqual([]);
    expect(result.faults).toEqual({});
    expect(result.events).toBeGreaterThan(30);
  });

  test('find a sink of your own whose guard is missing, and have nothing to say about one that has it', async () => {
    const sinks = (guarded: boolean) => ({ mine: { kind: 'vector' as const, store: tableStore(guarded) } });
    const plan = {
      sinks: [],
      mode: 'liveness',
      faults: ['send_reordered', 'sink_timeout', 'sink_late_write'],
    } as const;
    const rules = new Set<string>();
    for (let seed = 1; seed <= 6; seed += 1) {
      expect((await simulate(seed, plan, { sinks: sinks(true) })).violations).toEqual([]);
      for (const { rule } of (await simulate(seed, plan, { sinks: sinks(false) })).violations) rules.add(rule);
    }
    expect([...rules]).toContain('nothing is lost');
  });

  test('that break a promise are shrunk to fewer faults and events, with a command that shows them again', async () => {
    const run = (plan: SimulationPlan) =>
      simulatePlan(plan, { sinks: { mine: { kind: 'vector', store: tableStore(false) } } });
    const faults = ['send_reordered', 'send_duplicate', 'sink_timeout', 'sink_slow'] as const;
    const failed = await run(planOf(1, { sinks: [], faults, workers: 1, tenants: 1, events: 60, troubleMs: 30_000 }));
    expect(failed.violations).not.toEqual([]);
    const smallest = await shrink(failed, run);
    expect(smallest.violations[0]?.rule).toBe(failed.violations[0]?.rule);
    expect(smallest.plan.events).toBeLessThan(failed.plan.events);
    expect(smallest.plan.faults.length).toBeLessThan(faults.length);
    expect(await failureReport(smallest, run)).toMatch(
      /WEIR_SIM_SEED=1 WEIR_SIM_PLAN='\{.*\}' npm test -- test\/simulation\.test\.ts/,
    );
  });

  test('pull a connector of your own too, and everything it yields arrives', async () => {
    let pulled = 0;
    const mine = defineConnector({
      type: 'mine',
      version: '1.0.0',
      title: 'Mine',
      stability: 'alpha',
      config: z.object({}),
      limits: { callTimeoutMs: 1000, pollIntervalMsDefault: 1000 },
      check: () => Promise.resolve([]),
      streams: {
        docs: {
          title: 'Docs',
          cursor: z.number(),
          async *pull(ctx, cursor) {
            const from = typeof cursor === 'number' ? cursor : 0;
            const version = await ctx.call('count', () => Promise.resolve(from + 1));
            pulled += 1;
            const draft = {
              kind: 'document',
              op: 'upsert',
              key: 'one',
              version,
              time: '2026-01-01T00:00:00.000Z',
            } as const;
            yield { events: [{ ...draft, text: `${version} oft1`, data: null }], cursor: version };
          },
        },
      },
    });
    const plan = { mode: 'liveness', faults: [], sinks: ['strict'], events: 4, troubleMs: 40_000 } as const;
    const result = await simulate(1, plan, { connectors: { mine } });
    expect(result.violations).toEqual([]);
    expect(pulled).toBeGreaterThan(2);
    expect(result.events).toBeGreaterThanOrEqual(pulled);
  });

  test('a plan names every kind of fault over a few hundred seeds', () => {
    const kinds = [...plansOf(1, 300)].flatMap(({ faults }) => faults);
    expect(new Set(kinds).size).toBe(FAULT_KINDS.length);
  });
}

describe('simulated worlds', only === undefined ? worlds : oneWorld);
