// Alerts and circuits through the operations, in a running engine; the source fails when the test says so.

import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { ALERT_RULES } from '#engine/alert-rules.ts';
import { ALERT_LIMITS } from '#engine/alerts.ts';
import { listAlerts, silenceAlerts } from './alerts.ts';
import { openWeir } from './fixtures/open-weir.ts';
import { resetCircuit } from './reset-circuit.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const DOWN = { throws: new Fault('upstream_unavailable', 'the wiki is down') };

async function started() {
  const weir = openWeir();
  undo.push(weir.close);
  weir.source.pages = [DOWN];
  await weir.settle(weir.engine.start());
  const pass = async (minutes: number): Promise<void> => {
    for (let second = 0; second < minutes * 60; second += 1) await weir.clock.advance(1000);
  };
  return { ...weir, pass };
}

describe('without a running Weir', () => {
  test('the answer is instance_missing, not an empty one', async () => {
    const { ask, close } = openWeir();
    undo.push(close);
    const missing = { code: 'instance_missing' };
    const oneShot = { oneShot: true };
    await expect(ask(listAlerts, {}, oneShot)).rejects.toMatchObject(missing);
    await expect(ask(silenceAlerts, { reason: 'test' }, oneShot)).rejects.toMatchObject(missing);
    await expect(ask(resetCircuit, { name: 'wiki' }, oneShot)).rejects.toMatchObject(missing);
  });
});

describe('list', () => {
  test('has what fires with its rule, and every rule with why it is not judged', async () => {
    const { ask, pass } = await started();
    expect((await ask(listAlerts)).alerts).toEqual([]);
    await pass(20);
    const { alerts, firing, rules } = await ask(listAlerts);
    expect(alerts).toMatchObject([
      { rule: 'circuit_open', connector: 'wiki', state: 'firing', page: true, silenced_until: null },
    ]);
    expect(Date.parse(alerts[0]?.since ?? '')).toBeGreaterThan(Date.UTC(2026, 0, 1, 0, 5));
    expect(firing).toBe(1);
    expect(rules.map(({ name }) => name)).toEqual(ALERT_RULES.map(({ name }) => name));
    expect(rules.filter(({ inactive }) => inactive !== null)).toMatchObject([
      { name: 'disk_low', inactive: 'the data is in memory' },
      { name: 'disk_full', inactive: 'the data is in memory' },
      { name: 'webhook_failures', inactive: 'no webhook deliveries' },
    ]);
  });

  test('has no alert of another tenant (I9)', async () => {
    const { ask, pass } = await started();
    await pass(20);
    const theirs = await ask(listAlerts, {}, { tenants: ['other'] });
    expect(theirs.alerts.map(({ connector }) => connector)).toEqual(['theirs']);
  });
});

describe('silence', () => {
  test('shows with its end and its reason, leaves the alert listed, and ends', async () => {
    const { ask, pass } = await started();
    await pass(20);
    const silence = await ask(silenceAlerts, { connector: 'wiki', minutes: 5, reason: 'being moved' });
    expect(silence).toMatchObject({ rule: null, connector: 'wiki', reason: 'being moved' });
    const during = await ask(listAlerts);
    expect(during.alerts).toMatchObject([{ state: 'firing', silenced_until: silence.until }]);
    expect(during.silences).toMatchObject([{ connector: 'wiki', reason: 'being moved' }]);
    expect((await ask(listAlerts, {}, { tenants: ['other'] })).silences).toEqual([]);
    await pass(6);
    expect(await ask(listAlerts)).toMatchObject({ silences: [], alerts: [{ silenced_until: null }] });
  });

  test.for([
    [{ reason: 'x', connector: 'theirs' }, 'not_found'],
    [{ reason: 'x', connector: 'nosuch' }, 'not_found'],
    [{ reason: 'x', rule: 'nosuch' }, 'input_invalid'],
    [{ reason: '' }, 'input_invalid'],
    [{ reason: 'x', minutes: 0 }, 'input_invalid'],
    [{ reason: 'x', minutes: ALERT_LIMITS.silenceMinutesMax + 1 }, 'input_invalid'],
  ] as const)('of %j is refused as %s', async ([input, code]) => {
    const { ask } = await started();
    await expect(ask(silenceAlerts, input)).rejects.toMatchObject({ code });
  });

  test('beyond the limit is refused with what to do', async () => {
    const { ask } = await started();
    for (let i = 0; i < ALERT_LIMITS.silencesMax; i += 1) await ask(silenceAlerts, { reason: 'x' });
    await expect(ask(silenceAlerts, { reason: 'x' })).rejects.toMatchObject({ code: 'input_invalid' });
  });
});

describe('reset of a circuit', () => {
  test('closes it at once and says what it was', async () => {
    const { ask, pass, engine } = await started();
    await pass(20);
    const wiki = engine.connections.find(({ connection }) => connection === 'wiki');
    if (wiki === undefined) throw new Error('no wiki');
    const before = engine.circuitOf(wiki);
    expect(before).not.toBe('closed');
    expect(await ask(resetCircuit, { name: 'wiki' })).toEqual({
      schemaVersion: 1,
      connector: 'wiki',
      circuit_before: before,
      circuit_state: 'closed',
    });
    expect(engine.circuitOf(wiki)).toBe('closed');
  });

  test.for(['theirs', 'nosuch'])('of %s is not found', async (name) => {
    const { ask } = await started();
    await expect(ask(resetCircuit, { name })).rejects.toMatchObject({ code: 'not_found' });
  });
});
