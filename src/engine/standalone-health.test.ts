import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHealth, OTHER_OPERATION, STANDALONE_HEALTH_LIMITS, type RecordedCall } from './standalone-health.ts';

const MINUTE_MS = 60_000;

function open() {
  const clock = { nowMs: Date.parse('2026-03-01T12:00:30Z'), now: () => clock.nowMs };
  const health = createHealth({ clock });
  const record = (count: number, call: Partial<RecordedCall> = {}): void => {
    for (let done = 0; done < count; done += 1)
      health.recordCall({ connection: 'outlook', operation: 'list', status: 'success', durationMs: 100, ...call });
  };
  return { clock, health, record };
}

describe('the state of a connection', () => {
  test('is unknown before the first call, with a reason and no durations', () => {
    const { health } = open();
    expect(health.healthStatus('outlook')).toEqual({
      status: 'unknown',
      reason: 'no calls in the last 60 minutes',
      metrics: { totalCalls: 0, errorRate: 0 },
    });
  });

  test('is healthy within the thresholds and says the five figures', () => {
    const { health, record } = open();
    record(150);
    const { status, metrics } = health.healthStatus('outlook', { windowMinutes: 60 });
    expect(status).toBe('healthy');
    expect(metrics).toMatchObject({ totalCalls: 150, errorRate: 0 });
    for (const ms of [metrics.p50Ms, metrics.p95Ms, metrics.p99Ms]) expect(ms).toBeCloseTo(100, -0.5);
  });

  test('is degraded by slow calls, degraded by one failure in five, down by more than half', () => {
    const slow = open();
    slow.record(20, { durationMs: 2450 });
    expect(slow.health.healthStatus('outlook').reason).toMatch(/^p95 latency 24\d\dms exceeds 2000ms$/);
    const some = open();
    some.record(16);
    some.record(4, { status: 'error', error: 'refused' });
    expect(some.health.healthStatus('outlook')).toMatchObject({
      status: 'degraded',
      reason: 'error rate 20.0% exceeds 10.0%',
    });
    some.record(30, { status: 'error' });
    expect(some.health.healthStatus('outlook').status).toBe('down');
  });

  test('forgets what is older than the window, minute by minute', () => {
    const { clock, health, record } = open();
    record(10);
    clock.nowMs += 5 * MINUTE_MS;
    record(3);
    expect(health.healthStatus('outlook', { windowMinutes: 5 }).metrics.totalCalls).toBe(3);
    expect(health.healthStatus('outlook', { windowMinutes: 6 }).metrics.totalCalls).toBe(13);
    clock.nowMs += 60 * MINUTE_MS;
    expect(health.healthStatus('outlook').status).toBe('unknown');
  });

  test('a window that is not kept is refused instead of answered with less', () => {
    const { health } = open();
    for (const windowMinutes of [0, 61, 1.5, Number.NaN])
      expect(() => health.healthStatus('outlook', { windowMinutes })).toThrow('1 to 60');
  });

  test('calls of one connection never show in another', () => {
    const { health, record } = open();
    record(20, { connection: 'slack', status: 'error' });
    expect(health.healthStatus('outlook').status).toBe('unknown');
    expect(health.recentFailures('outlook')).toEqual([]);
    expect(health.summarize('outlook')).toEqual({});
  });

  test('the summary of the operations adds up to the whole', () => {
    const call = fc.record({
      operation: fc.constantFrom('list', 'get', 'search'),
      status: fc.constantFrom('success' as const, 'error' as const),
      durationMs: fc.integer({ min: 0, max: 10_000 }),
      waitMs: fc.integer({ min: 0, max: 3 * MINUTE_MS }),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const { clock, health } = open();
        for (const { waitMs, ...rest } of calls) {
          clock.nowMs += waitMs;
          health.recordCall({ connection: 'outlook', ...rest });
        }
        const { metrics } = health.healthStatus('outlook');
        const parts = Object.values(health.summarize('outlook'));
        const failed = parts.reduce((sum, { totalCalls, errorRate }) => sum + totalCalls * errorRate, 0);
        expect(parts.reduce((sum, { totalCalls }) => sum + totalCalls, 0)).toBe(metrics.totalCalls);
        expect(failed).toBeCloseTo(metrics.totalCalls * metrics.errorRate, 6);
      }),
    );
  });
});

describe('failures', () => {
  test('come newest first, as one line, without what looks like a secret', () => {
    const { clock, health, record } = open();
    record(1, { status: 'error', error: 'first\nline two' });
    clock.nowMs += 1000;
    record(1, { status: 'error', error: 'refused: Authorization: Bearer abcdef0123456789abcdef', operation: 'get' });
    const [newest, oldest] = health.recentFailures('outlook');
    expect(newest).toMatchObject({ operation: 'get', atMs: clock.nowMs });
    expect(newest?.error).not.toContain('abcdef0123456789');
    expect(oldest?.error).toBe('first line two');
  });

  test('are kept up to their limit, and as many as asked for are given', () => {
    const { health, record } = open();
    const { failuresKeptMax } = STANDALONE_HEALTH_LIMITS;
    for (let index = 0; index < 3 * failuresKeptMax; index += 1) record(1, { status: 'error', error: `no ${index}` });
    expect(health.recentFailures('outlook')).toHaveLength(5);
    expect(health.recentFailures('outlook', 1)[0]?.error).toBe(`no ${3 * failuresKeptMax - 1}`);
    expect(health.recentFailures('outlook', 10_000)).toHaveLength(failuresKeptMax);
  });
});

describe('limits', () => {
  test('operations beyond the limit are counted together, never dropped', () => {
    const { health, record } = open();
    const { operationsMax } = STANDALONE_HEALTH_LIMITS;
    for (let index = 0; index < operationsMax + 20; index += 1) record(1, { operation: `get_${index}` });
    const summary = health.summarize('outlook');
    expect(summary[OTHER_OPERATION]?.totalCalls).toBe(20);
    expect(health.healthStatus('outlook').metrics.totalCalls).toBe(operationsMax + 20);
  });

  test('the connection that was called longest ago is forgotten first', () => {
    const { health, record } = open();
    const { connectionsMax } = STANDALONE_HEALTH_LIMITS;
    record(1, { connection: 'kept' });
    record(1, { connection: 'idle' });
    for (let index = 0; index < connectionsMax - 2; index += 1) record(1, { connection: `c${index}`, status: 'error' });
    record(1, { connection: 'kept' });
    record(1, { connection: 'one-more' });
    expect(health.healthStatus('idle').status).toBe('unknown');
    expect(health.healthStatus('kept').metrics.totalCalls).toBe(2);
  });
});

test.for([10, 180])('a wall clock that is stepped back by %d minutes does not show the future', (minutes) => {
  const { clock, health, record } = open();
  record(10);
  clock.nowMs -= minutes * MINUTE_MS;
  record(1);
  expect(health.healthStatus('outlook').metrics.totalCalls).toBe(1);
});
