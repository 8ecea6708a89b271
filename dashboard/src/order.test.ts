import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SORT_COLUMNS, heldOrder, needsAttention, nextSort, rowKeyOf, sortedConnectors, type Sort } from './order.ts';

const times = fc.option(
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((date) => date.toISOString()),
  { nil: null },
);
const connectors = fc.array(
  fc.record({
    name: fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/),
    type: fc.constant('git'),
    tenant: fc.constantFrom('default', 'acme'),
    enabled: fc.boolean(),
    health: fc.record({
      status: fc.constantFrom('healthy' as const, 'degraded' as const, 'down' as const, 'unknown' as const),
      reason: fc.constant(''),
      metrics: fc.record({
        total_calls: fc.nat(3),
        error_rate: fc.double({ min: 0, max: 1, noNaN: true }),
        p50_ms: fc.constant(null),
        p95_ms: fc.option(fc.nat(9999), { nil: null }),
        p99_ms: fc.constant(null),
      }),
    }),
    last_result: fc.constantFrom('succeeded' as const, 'partial' as const, 'failed' as const, null),
    activity: fc.constantFrom('idle', 'running 2/10', 'running 10/10'),
    circuit_state: fc.constantFrom('closed' as const, 'open' as const, 'half_open' as const),
    last_success: times,
    next_run: times,
    events_total: fc.nat(),
  }),
  { maxLength: 12 },
);
const sorts: fc.Arbitrary<Sort> = fc.record({
  column: fc.constantFrom(...SORT_COLUMNS),
  direction: fc.constantFrom('ascending' as const, 'descending' as const),
});

describe('sorting', () => {
  it("without a sort the server's order stands", () => {
    fc.assert(
      fc.property(connectors, (list) => {
        expect(sortedConnectors(list, undefined)).toBe(list);
      }),
    );
  });

  it('loses and doubles no row, and rows of equal value keep their order', () => {
    fc.assert(
      fc.property(connectors, sorts, (list, sort) => {
        const sorted = sortedConnectors(list, sort);
        expect(new Set(sorted)).toEqual(new Set(list));
        expect(sorted).toHaveLength(list.length);
        expect(sortedConnectors(sorted, sort)).toEqual(sorted);
      }),
    );
  });

  it('rows without a value come last in both directions', () => {
    fc.assert(
      fc.property(connectors, sorts, (list, { direction }) => {
        const empty = sortedConnectors(list, { column: 'p95', direction }).map(
          ({ health }) => health.metrics.p95_ms === null,
        );
        expect(empty).toEqual(empty.toSorted((a, b) => Number(a) - Number(b)));
      }),
    );
  });

  it('one press sorts, the second turns it, the third gives the server order back', () => {
    const first = nextSort(undefined, 'p95');
    expect(first).toEqual({ column: 'p95', direction: 'descending' });
    const second = nextSort(first, 'p95');
    expect(second).toEqual({ column: 'p95', direction: 'ascending' });
    expect(nextSort(second, 'p95')).toBeUndefined();
    expect(nextSort(second, 'name')).toEqual({ column: 'name', direction: 'ascending' });
  });
});

describe('rows', () => {
  it('names of other tenants are qualified, and only degraded and down need attention', () => {
    fc.assert(
      fc.property(connectors, (list) => {
        for (const one of list) {
          expect(rowKeyOf(one)).toBe(one.tenant === 'default' ? one.name : `acme/${one.name}`);
          expect(needsAttention(one)).toBe(['degraded', 'down'].includes(one.health.status));
        }
      }),
    );
  });

  it('while held no row moves before another, new ones come last and vanished ones go', () => {
    const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'));
    fc.assert(
      fc.property(keys, keys, keys, (shown, wanted, others) => {
        const existing = new Set([...wanted, ...others]);
        const held = heldOrder(shown, wanted, existing);
        const kept = shown.filter((key) => existing.has(key));
        expect(held.slice(0, kept.length)).toEqual(kept);
        expect(new Set(held)).toEqual(new Set([...kept, ...wanted]));
        expect(held).toHaveLength(new Set(held).size);
      }),
    );
  });
});
