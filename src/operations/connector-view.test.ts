import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Run, Store, StreamState } from '#core/store.ts';
import type { Connection } from '#engine/connection.ts';
import type { ConnectionStatus } from '#engine/status.ts';
import { connectorView, findConnection, toRunView, worstFirst } from './connector-view.ts';
import { summarise } from './list-connectors.ts';
import type { OperationContext } from './operation.ts';
import { connector as connectorShape, run as runShape, type ConnectorView } from './shapes.ts';

const NOW = Date.UTC(2026, 0, 1, 14, 0);
const COUNTS = { pages: 1, appended: 0, unchanged: 0, deleted: 0, failed: 0, skipped: {} };

function connection(change: Partial<Connection> = {}): Connection {
  const connector = { type: 'sample', streams: {} } as unknown as Connection['connector']; // a view reads its type alone
  return {
    tenant: 'default',
    connection: 'wiki',
    connector,
    enabled: true,
    config: {},
    schedule: { kind: 'interval', pollIntervalMs: 1000 },
    batchSize: 1,
    allowedPaths: [],
    guard: {},
    ...change,
  };
}

function status(change: Partial<ConnectionStatus> = {}): ConnectionStatus {
  const metrics = { totalCalls: 3, errorRatio: 1 / 3, p50Ms: 1.24, p95Ms: undefined, p99Ms: 100 };
  return {
    health: { state: 'healthy', reason: 'all metrics within thresholds', metrics },
    activity: { kind: 'idle' },
    circuit: 'closed',
    lastRun: undefined,
    lastSuccessAtMs: undefined,
    nextRunAtMs: NOW + 60_000,
    resumeAtMs: undefined,
    eventsTotal: 7,
    deadLetters: 2,
    streams: [],
    ...change,
  };
}

/** A context in which the engine says exactly this. */
function contextOf(
  one: Connection,
  says: ConnectionStatus,
  tenants: readonly string[] = ['default'],
): OperationContext {
  const engine = { connections: [one], status: () => Promise.resolve(says) };
  const env = { clock: { now: () => NOW } };
  return { engine, env, tenants, store: {} as Store } as unknown as OperationContext; // a view reads these members alone
}

function viewOf(says: Partial<ConnectionStatus> = {}, change: Partial<Connection> = {}): Promise<ConnectorView> {
  const one = connection(change);
  return connectorView(contextOf(one, status(says)), one);
}

function run(change: Partial<Run> = {}): Run {
  return {
    id: 'r',
    tenant: 'default',
    connection: 'wiki',
    stream: 'docs',
    startedAtMs: NOW,
    endedAtMs: NOW,
    outcome: 'succeeded',
    counts: COUNTS,
    code: undefined,
    message: undefined,
    resumeAtMs: undefined,
    ...change,
  };
}

function stream(change: Partial<StreamState> = {}): StreamState {
  return {
    tenant: 'default',
    connection: 'wiki',
    stream: 'docs',
    cursor: undefined,
    connectorVersion: undefined,
    cursorAtMs: undefined,
    reconcileDue: false,
    eventsTotal: 0,
    dueAtMs: undefined,
    failures: 0,
    ...change,
  };
}

describe('connectorView', () => {
  test('has the shape that every surface promises, numbers rounded, what is missing null', async () => {
    const view = await viewOf();
    expect(connectorShape.strict().parse(view)).toEqual({
      name: 'wiki',
      type: 'sample',
      tenant: 'default',
      enabled: true,
      health: {
        status: 'healthy',
        reason: 'all metrics within thresholds',
        metrics: { total_calls: 3, error_rate: 0.3333, p50_ms: 1.2, p95_ms: null, p99_ms: 100 },
      },
      last_result: null,
      activity: 'idle',
      circuit_state: 'closed',
      last_success: null,
      next_run: '2026-01-01T14:01:00.000Z',
      events_total: 7,
      dead_letters: 2,
    });
  });

  test.for<[string, Partial<ConnectionStatus>, string]>([
    [
      'waits for its next attempt',
      { activity: { kind: 'retrying', attempt: 2, attemptsMax: 3, nextInMs: 11_200 } },
      'retrying 2/3, next in 12 s',
    ],
    [
      'waits for a limit',
      { activity: { kind: 'waiting', untilMs: NOW + 300_000 } },
      'waiting for rate limit until 2026-01-01T14:05:00.000Z',
    ],
    [
      'waits for a limit nobody knows',
      { activity: { kind: 'waiting', untilMs: Number.POSITIVE_INFINITY } },
      'waiting for rate limit until later',
    ],
    ['is cut off', { activity: { kind: 'circuit_open', probeInMs: 20_000 } }, 'circuit open, trial in 20 s'],
    ['is overdue', { activity: { kind: 'circuit_open', probeInMs: -5 } }, 'circuit open, trial in 0 s'],
    [
      'runs with a known total',
      { activity: { kind: 'running', progress: [{ stream: 'docs', done: 412, total: 1000 }] } },
      'running docs, 412/1000',
    ],
    [
      'runs',
      { activity: { kind: 'running', progress: [{ stream: 'docs', done: 412, total: undefined }] } },
      'running docs, 412 so far',
    ],
    ['runs without progress', { activity: { kind: 'running', progress: [] } }, 'running'],
    ['yielded', { resumeAtMs: NOW + 1500 }, 'resumes in 2 s'],
    ['yielded long ago', { resumeAtMs: NOW - 1 }, 'idle'],
    [
      'failed',
      { streams: [stream(), stream({ stream: 'issues', failures: 3, dueAtMs: NOW + 40_000 })] },
      'issues failed 3 times in a row, next run in 40 s',
    ],
    ['failed and is overdue', { streams: [stream({ failures: 2 })] }, 'docs failed 2 times in a row, next run in 0 s'],
    ['has nothing to do', {}, 'idle'],
  ])('a connector that %s says so', async ([, says, line]) => {
    expect((await viewOf(says)).activity).toBe(line);
  });

  test('a stream that failed once did not fail "1 times"', async () => {
    expect((await viewOf({ streams: [stream({ failures: 1, dueAtMs: NOW })] })).activity).not.toContain('1 times');
  });

  test('a disabled connector says disabled, whatever it did, and has no next run', async () => {
    const view = await viewOf({ activity: { kind: 'circuit_open', probeInMs: 1 } }, { enabled: false });
    expect(view).toMatchObject({ activity: 'disabled', next_run: null });
  });

  test.for<[string, Run | undefined, ConnectorView['last_result']]>([
    ['none', undefined, null],
    ['one that succeeded', run(), 'succeeded'],
    ['one that failed', run({ outcome: 'failed' }), 'failed'],
    ['one with failed records', run({ counts: { ...COUNTS, failed: 1 } }), 'partial'],
    ['one that still runs', run({ outcome: 'running' }), null],
    ['one that yielded', run({ outcome: 'yielded' }), null],
  ])('the last result of %s', async ([, lastRun, result]) => {
    expect((await viewOf({ lastRun })).last_result).toBe(result);
  });

  test('the reason is the health judgement as it is, the circuit has its own member', async () => {
    const health = {
      state: 'down',
      reason: 'error rate 60.0% exceeds 50.0%',
      metrics: { totalCalls: 10, errorRatio: 0.6, p50Ms: 1, p95Ms: 2, p99Ms: 3 },
    } as const;
    expect(await viewOf({ health, circuit: 'half_open' })).toMatchObject({
      health: { status: 'down', reason: 'error rate 60.0% exceeds 50.0%' },
      circuit_state: 'half_open',
    });
  });
});

describe('findConnection', () => {
  test('finds by name within the tenants alone: what belongs to others is not there', () => {
    const one = connection();
    expect(findConnection(contextOf(one, status()), 'wiki')).toBe(one);
    for (const [name, tenants] of [
      ['nosuch', ['default']],
      ['wiki', ['other']],
      ['wiki', []],
    ] as const) {
      expect(() => findConnection(contextOf(one, status(), tenants), name)).toThrow(
        expect.objectContaining({ code: 'not_found', message: `there is no connector ${name}` }),
      );
    }
  });
});

describe('toRunView', () => {
  test('a run that goes on has no end, and what failed in it makes it partial', () => {
    expect(runShape.parse(toRunView(run({ outcome: 'running', endedAtMs: undefined })))).toMatchObject({
      outcome: 'running',
      ended_at: null,
      code: null,
      message: null,
    });
    expect(toRunView(run({ counts: { ...COUNTS, failed: 2 } })).outcome).toBe('partial');
    expect(
      toRunView(run({ outcome: 'failed', counts: { ...COUNTS, failed: 2 }, code: 'internal', message: 'x' })),
    ).toMatchObject({ outcome: 'failed', code: 'internal', message: 'x' });
  });
});

const STATES = ['down', 'degraded', 'unknown', 'healthy'] as const;

function named(name: string, state: (typeof STATES)[number], change: Partial<ConnectorView> = {}): ConnectorView {
  const metrics = { total_calls: 0, error_rate: 0, p50_ms: null, p95_ms: null, p99_ms: null };
  return {
    name,
    type: 'sample',
    tenant: 'default',
    enabled: true,
    health: { status: state, reason: `because of ${name}`, metrics },
    last_result: null,
    activity: 'idle',
    circuit_state: 'closed',
    last_success: null,
    next_run: null,
    events_total: 0,
    dead_letters: 0,
    ...change,
  };
}

describe('worstFirst', () => {
  test('down, degraded, unknown, healthy; by name within', () => {
    const views = [
      named('b', 'healthy'),
      named('a', 'healthy'),
      named('z', 'down'),
      named('d', 'unknown'),
      named('c', 'degraded'),
      named('y', 'down'),
    ];
    expect(views.sort(worstFirst).map(({ name }) => name)).toEqual(['y', 'z', 'c', 'd', 'a', 'b']);
  });

  test('any order of the same connectors is sorted into one', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        names.chain((some) => fc.tuple(fc.shuffledSubarray(some, { minLength: some.length }), fc.constant(some))),
        fc.array(fc.constantFrom(...STATES), { minLength: 8, maxLength: 8 }),
        ([shuffled, some], states) => {
          const viewOfName = (name: string) => named(name, states[some.indexOf(name)] ?? 'healthy');
          expect(shuffled.map(viewOfName).sort(worstFirst)).toEqual(some.map(viewOfName).sort(worstFirst));
        },
      ),
    );
  });

  test('one that is switched off does not stand above one that works', () => {
    const views = [named('on', 'healthy'), named('off', 'down', { enabled: false })];
    expect(views.sort(worstFirst).map(({ name }) => name)).toEqual(['on', 'off']);
  });
});

describe('summarise', () => {
  test.for<[string, readonly ConnectorView[], string]>([
    ['none', [], 'No connectors are configured yet.'],
    ['one that is healthy', [named('a', 'healthy')], 'The connector is healthy.'],
    ['some that are healthy', [named('a', 'healthy'), named('b', 'healthy')], 'All 2 connectors are healthy.'],
    ['one without calls', [named('a', 'healthy'), named('b', 'unknown')], 'Nothing is wrong; b has made no calls yet.'],
    [
      'two without calls',
      [named('a', 'unknown'), named('b', 'unknown')],
      'Nothing is wrong; a, b have made no calls yet.',
    ],
    [
      'one in need',
      [named('a', 'down'), named('b', 'healthy')],
      '1 of 2 connectors needs attention: a down (because of a).',
    ],
    [
      'two in need',
      [named('a', 'down'), named('b', 'degraded'), named('c', 'unknown')],
      '2 of 3 connectors need attention: a down (because of a), b degraded (because of b).',
    ],
    [
      'more in need than can be named',
      ['a', 'b', 'c', 'd', 'e'].map((name) => named(name, 'down')),
      '5 of 5 connectors need attention: a down (because of a), b down (because of b), c down (because of c), 2 more.',
    ],
    [
      'a disabled one that was down',
      [named('a', 'down', { enabled: false }), named('b', 'healthy')],
      'The connector is healthy.',
    ],
  ])('of %s', ([, views, sentence]) => {
    expect(summarise(views)).toBe(sentence);
  });

  test('connectors that are all switched off are not "not configured"', () => {
    expect(summarise([named('a', 'unknown', { enabled: false })])).not.toBe('No connectors are configured yet.');
  });

  test('it stays a sentence however many connectors have made no calls', () => {
    const many = Array.from({ length: 200 }, (_, index) => named(`connector-${index}`, 'unknown'));
    expect(summarise(many).length).toBeLessThan(300);
  });
});
