import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALERT_RULES, type AlertRule } from './alert-rules.ts';
import { ALERT_LIMITS, Alerts, nextState, type AlertChange, type AlertState, type Silence } from './alerts.ts';

const MIN = 60_000;
const RULE: AlertRule = {
  name: 'queue_full',
  title: 'T',
  severity: 'warning',
  page: false,
  threshold: 0.9,
  forMs: 10 * MIN,
  keepFiringMs: MIN,
  summary: '{value} of {subject}',
  valueForm: 'percent',
  description: '',
  runbook: '',
  read: () => [],
};
const WIKI = { tenant: 'a', connection: 'wiki' };
const silence = (change: Partial<Silence> = {}): Silence => ({
  rule: undefined,
  connector: undefined,
  tenants: ['a'],
  untilMs: Number.MAX_SAFE_INTEGER,
  reason: 'test',
  ...change,
});
/** One moment of one rule and one subject. */
function step(alerts: Alerts, value: number | undefined, nowMs: number): readonly AlertChange[] {
  return alerts.evaluate(() => (value === undefined ? [] : [{ connector: WIKI, value }]), nowMs);
}
const stateOf = (alerts: Alerts, nowMs: number) => alerts.list(nowMs)[0]?.state.state;

describe('the transitions', () => {
  const pending: AlertState = { state: 'pending', sinceMs: 0 };
  const fires: AlertState = { state: 'firing', sinceMs: 0, clearSinceMs: undefined };
  const clearing: AlertState = { state: 'firing', sinceMs: 0, clearSinceMs: 100 };
  const resolved: AlertState = { state: 'resolved', sinceMs: 0 };
  const kept = ALERT_LIMITS.resolvedKeptMs;
  test.for<[string, AlertState | undefined, boolean, number, AlertState | undefined]>([
    ['nothing stays nothing', undefined, false, 5, undefined],
    ['met becomes pending', undefined, true, 5, { state: 'pending', sinceMs: 5 }],
    ['pending waits', pending, true, 10 * MIN - 1, pending],
    [
      'pending fires at its time',
      pending,
      true,
      10 * MIN,
      { state: 'firing', sinceMs: 10 * MIN, clearSinceMs: undefined },
    ],
    ['pending that is not met any more is forgotten', pending, false, 10 * MIN, undefined],
    ['firing goes on', fires, true, MIN, fires],
    ['firing begins to clear', fires, false, 100, clearing],
    ['clearing takes its time', clearing, false, 100 + MIN - 1, clearing],
    ['clearing is broken off', clearing, true, 200, fires],
    ['clearing ends resolved', clearing, false, 100 + MIN, { state: 'resolved', sinceMs: 100 + MIN }],
    ['resolved is kept for a while', resolved, false, kept - 1, resolved],
    ['resolved is forgotten', resolved, false, kept, undefined],
    ['resolved becomes pending again', resolved, true, 7, { state: 'pending', sinceMs: 7 }],
  ])('%s', ([, from, met, nowMs, to]) => {
    expect(nextState(from, met, RULE, nowMs)).toEqual(to);
  });

  test('a rule without a for-time fires at once', () => {
    expect(nextState(undefined, true, { ...RULE, forMs: 0 }, 3)).toMatchObject({ state: 'firing', sinceMs: 3 });
  });
});

/** What was measured at moments that follow each other. */
const history = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 1, max: 4 * MIN }),
    value: fc.option(fc.constantFrom(0, 0.9, 0.95, 1), { nil: undefined }),
  }),
  { maxLength: 60 },
);

describe('for every history', () => {
  test('it fires only after forMs without a break, tells of it once, and of the end once, in turn', () => {
    fc.assert(
      fc.property(history, (moments) => {
        const alerts = new Alerts([RULE]);
        const told: string[] = [];
        let nowMs = 0;
        let metSince: number | undefined;
        let notMetSince: number | undefined = 0;
        for (const { afterMs, value } of moments) {
          nowMs += afterMs;
          const met = value !== undefined && value > RULE.threshold;
          metSince = met ? (metSince ?? nowMs) : undefined;
          notMetSince = met ? undefined : (notMetSince ?? nowMs);
          for (const { change } of step(alerts, value, nowMs)) {
            told.push(change);
            if (change === 'fired') expect(nowMs - (metSince ?? nowMs)).toBeGreaterThanOrEqual(RULE.forMs);
            else expect(nowMs - (notMetSince ?? nowMs)).toBeGreaterThanOrEqual(RULE.keepFiringMs);
          }
          if (metSince !== undefined && nowMs - metSince >= RULE.forMs) expect(stateOf(alerts, nowMs)).toBe('firing');
        }
        expect(told).toEqual(told.map((_, i) => (i % 2 === 0 ? 'fired' : 'resolved')));
      }),
      { numRuns: 1000 },
    );
  });

  test('a silence changes what is told and nothing that is listed', () => {
    fc.assert(
      fc.property(history, (moments) => {
        const loud = new Alerts([RULE]);
        const quiet = new Alerts([RULE]);
        quiet.silence(silence(), 0);
        let nowMs = 0;
        for (const { afterMs, value } of moments) {
          nowMs += afterMs;
          step(loud, value, nowMs);
          expect(step(quiet, value, nowMs)).toEqual([]);
          expect(quiet.list(nowMs).map(({ state }) => state)).toEqual(loud.list(nowMs).map(({ state }) => state));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('with silences that come and go, fired and resolved still alternate', () => {
    const moment = fc.record({
      afterMs: fc.integer({ min: 1, max: 4 * MIN }),
      value: fc.constantFrom(0, 1),
      silenceMs: fc.option(fc.integer({ min: 1, max: 30 * MIN }), { freq: 4 }),
    });
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 80 }), (moments) => {
        const alerts = new Alerts([{ ...RULE, forMs: 3 * MIN }]);
        const told: string[] = [];
        let nowMs = 0;
        for (const { afterMs, value, silenceMs } of moments) {
          nowMs += afterMs;
          if (silenceMs !== null) alerts.silence(silence({ untilMs: nowMs + silenceMs }), nowMs);
          told.push(...step(alerts, value, nowMs).map(({ change }) => change));
        }
        expect(told).toEqual(told.map((_, i) => (i % 2 === 0 ? 'fired' : 'resolved')));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a silence', () => {
  const FAST = { ...RULE, forMs: 0 };

  test('that ends while the alert fires lets it be told then', () => {
    const alerts = new Alerts([FAST]);
    alerts.silence(silence({ untilMs: 100 }), 0);
    expect(step(alerts, 1, 1)).toEqual([]);
    expect(step(alerts, 1, 99)).toEqual([]);
    expect(step(alerts, 1, 100)).toMatchObject([{ change: 'fired', silencedUntilMs: undefined }]);
  });

  test('that covers the end of a told alert holds the end back, and does not swallow it', () => {
    const alerts = new Alerts([FAST]);
    expect(step(alerts, 1, 1)).toHaveLength(1);
    alerts.silence(silence({ untilMs: 10 * MIN }), 1);
    expect(step(alerts, 0, 2)).toEqual([]);
    expect(step(alerts, 0, 3 * MIN)).toEqual([]);
    expect(step(alerts, 0, 10 * MIN)).toMatchObject([{ change: 'resolved' }]);
    expect(step(alerts, 0, 11 * MIN)).toEqual([]);
  });

  test('under which a told alert ends, begins anew and ends again lets that end be told', () => {
    const alerts = new Alerts([RULE]);
    const told: string[] = [];
    const at = (minute: number, value: number): void =>
      void told.push(...step(alerts, value, minute * MIN).map(({ change }) => `${minute}: ${change}`));
    for (let minute = 0; minute <= 10; minute += 1) at(minute, 1);
    alerts.silence(silence({ untilMs: 20 * MIN }), 10 * MIN);
    for (const [minute, value] of [
      [11, 0],
      [12, 0],
      [13, 1],
      [14, 0],
      [20, 0],
      [21, 0],
    ] as const)
      at(minute, value);
    expect(told).toEqual(['10: fired', '20: resolved']);
  });

  test.for<[string, Partial<Silence>, boolean]>([
    ['everything', {}, true],
    ['its rule', { rule: 'queue_full' }, true],
    ['another rule', { rule: 'error_rate' }, false],
    ['its connector', { connector: 'wiki' }, true],
    ['another connector', { connector: 'git' }, false],
    ['its rule and another connector', { rule: 'queue_full', connector: 'git' }, false],
    ['another tenant (I9)', { tenants: ['b'] }, false],
  ])('of %s covers what it says', ([, change, covered]) => {
    const alerts = new Alerts([FAST]);
    alerts.silence(silence(change), 0);
    expect(step(alerts, 1, 1)).toHaveLength(covered ? 0 : 1);
  });

  test('of a connector does not cover what concerns the instance', () => {
    const alerts = new Alerts([FAST]);
    alerts.silence(silence({ connector: 'wiki' }), 0);
    expect(alerts.evaluate(() => [{ value: 1 }], 1)).toHaveLength(1);
  });

  test('beyond the limit is refused, and room is made by those that end', () => {
    const alerts = new Alerts([FAST]);
    for (let i = 0; i < ALERT_LIMITS.silencesMax; i += 1)
      expect(alerts.silence(silence({ untilMs: 50 }), 0)).toBe(true);
    expect(alerts.silence(silence(), 49)).toBe(false);
    expect(alerts.silence(silence(), 50)).toBe(true);
  });
});

const INSTANCE_RULES: ReadonlySet<string> = new Set([
  'queue_full',
  'events_waiting',
  'disk_low',
  'disk_full',
  'sink_refusing',
  'heartbeat_late',
]);

describe('the rules', () => {
  const facts = {
    queueUsageRatio: 0.95,
    queueOldestAgeMs: 900_001,
    disk: 'full',
    sinksRefusing: 1,
    heartbeatAgeMs: 61_000,
    connectors: [
      {
        ...WIKI,
        circuit: 'half_open',
        calls: { total: 10, failed: 2 },
        deadLettersNew: 1,
        webhooks: { total: 20, failed: 11 },
      },
      { ...WIKI, connection: 'calm', circuit: 'closed', calls: { total: 9, failed: 9 }, deadLettersNew: 0 },
      { ...WIKI, connection: 'edge', circuit: 'closed', calls: { total: 10, failed: 1 }, deadLettersNew: 0 },
    ],
  } as const;

  test.each(ALERT_RULES)('$name is met by its subject alone', (rule) => {
    const met = rule.read(facts).filter(({ value }) => value > rule.threshold);
    expect(met.map(({ connector }) => connector?.connection ?? 'instance')).toEqual([
      INSTANCE_RULES.has(rule.name) ? 'instance' : 'wiki',
    ]);
  });

  test.each(ALERT_RULES)('$name is not met while all is well', (rule) => {
    const well = {
      queueUsageRatio: 0.9,
      queueOldestAgeMs: 900_000,
      disk: 'ok' as const,
      sinksRefusing: 0,
      heartbeatAgeMs: 60_000,
      connectors: [{ ...WIKI, circuit: 'closed' as const, calls: { total: 0, failed: 0 }, deadLettersNew: 0 }],
    };
    expect(rule.read(well).filter(({ value }) => value > rule.threshold)).toEqual([]);
    expect(rule.inactive?.(well)).toBe(rule.name === 'webhook_failures' ? 'no webhook deliveries' : undefined);
  });

  test('of the disk tell low from full, and are not judged where there is none', () => {
    const met = (disk?: 'ok' | 'low' | 'full') =>
      ALERT_RULES.filter(({ name }) => name.startsWith('disk_'))
        .filter((rule) => rule.read({ ...facts, disk }).some(({ value }) => value > rule.threshold))
        .map(({ name }) => name);
    expect([met('ok'), met('low'), met('full')]).toEqual([[], ['disk_low'], ['disk_low', 'disk_full']]);
    const rule = ALERT_RULES.find(({ name }) => name === 'disk_full');
    expect(rule?.inactive?.({ ...facts, disk: undefined })).toBe('the data is in memory');
  });

  test('say times, severity and page as the requirements fix them', () => {
    const fixed = Object.fromEntries(
      ALERT_RULES.map(({ name, forMs, severity, page, threshold }) => [name, [forMs / MIN, severity, page, threshold]]),
    );
    expect(fixed).toMatchObject({
      circuit_open: [5, 'critical', true, 0],
      queue_full: [10, 'warning', false, 0.9],
      error_rate: [0, 'critical', true, 0.1],
      webhook_failures: [0, 'warning', false, 0.5],
    });
  });
});
