import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { CallStore } from '#core/store.ts';
import { CALL_LIMITS, CallRecorder } from './call-recorder.ts';
import { healthOf } from './health-status.ts';
import { HEALTH, MINUTE_MS, OF, openWorld, type World } from './fixtures/engine-world.ts';

const CONNECTION = { tenant: OF.tenant, connection: OF.connection };
const HOUR_MS = 60 * MINUTE_MS;
const FAULT = new Fault('upstream_timeout', 'no answer within 5 s');

function recorderOf({ clock, store }: World, calls: CallStore = store.calls): CallRecorder {
  return new CallRecorder({ clock, store: calls, redact: (text) => text.replaceAll('hunter2', '[redacted]') });
}
const ok = (recorder: CallRecorder, count = 1, durationMs = 10) => {
  for (let call = 0; call < count; call += 1) recorder.record(CONNECTION, { operation: 'list', durationMs });
};
const total = async (recorder: CallRecorder): Promise<number> =>
  (await recorder.metrics(CONNECTION, HOUR_MS)).totalCalls;

describe('what was measured', () => {
  test('counts at once, flushed or not, and never twice', async () => {
    const recorder = recorderOf(openWorld());
    ok(recorder, 3);
    expect(await total(recorder)).toBe(3);
    await recorder.flush();
    expect(await total(recorder)).toBe(3);
    ok(recorder, 2);
    expect(await total(recorder)).toBe(5);
  });

  test('operations and minutes are summed up, other connections are not', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 2);
    recorder.record(CONNECTION, { operation: 'read', durationMs: 500, fault: FAULT });
    await world.clock.advance(5 * MINUTE_MS);
    ok(recorder, 1);
    recorder.record({ tenant: 'b', connection: OF.connection }, { operation: 'list', durationMs: 1 });
    recorder.record({ tenant: OF.tenant, connection: 'other' }, { operation: 'list', durationMs: 1 });
    expect(await recorder.metrics(CONNECTION, HOUR_MS)).toMatchObject({ totalCalls: 4, errorRatio: 0.25 });
  });

  test('what is older than the window no longer counts', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 3);
    await recorder.flush();
    await world.clock.advance(2 * HOUR_MS);
    ok(recorder, 1);
    expect(await total(recorder)).toBe(1);
  });

  test('another process in the same minute adds to what the first one had saved', async () => {
    const world = openWorld();
    const first = recorderOf(world);
    ok(first, 4, 100);
    await first.flush();
    const second = recorderOf(world);
    await second.load(CONNECTION);
    ok(second, 1, 3000);
    await second.flush();
    const metrics = await recorderOf(world).metrics(CONNECTION, HOUR_MS);
    expect(metrics.totalCalls).toBe(5);
    expect(metrics.p50Ms).toBeGreaterThan(98);
    expect(metrics.p50Ms).toBeLessThan(102);
  });

  test('a call that ends while its minute is being saved is saved by the next flush', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 1);
    const flushing = recorder.flush();
    ok(recorder, 1);
    await flushing;
    await recorder.flush();
    expect(await total(recorderOf(world))).toBe(2);
  });

  test('a save that failed is made up for by the next one: no count and no failure is lost', async () => {
    const world = openWorld();
    let failing = true;
    const calls: CallStore = {
      ...boundTo(world.store.calls),
      save: (minutes, failures) =>
        failing ? Promise.reject(new Fault('storage_full', 'no space')) : world.store.calls.save(minutes, failures),
    };
    const recorder = recorderOf(world, calls);
    recorder.record(CONNECTION, { operation: 'list', durationMs: 5, fault: FAULT });
    await expect(recorder.flush()).rejects.toThrow('no space');
    failing = false;
    await recorder.flush();
    expect(await total(recorderOf(world))).toBe(1);
    expect(await world.store.calls.failures(CONNECTION, 10)).toHaveLength(1);
  });

  test('a wall clock stepped back an hour loses no saved count', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 10);
    await recorder.flush();
    await world.clock.advance(HOUR_MS);
    ok(recorder, 1);
    await recorder.flush();
    world.clock.stepWall(-HOUR_MS);
    ok(recorder, 1);
    await recorder.flush();
    expect(await total(recorder)).toBe(12);
  });

  test('calls that fail at once do not make slow calls look quick: more failures are never better health (P25)', async () => {
    const recorder = recorderOf(openWorld());
    ok(recorder, 18, 100);
    ok(recorder, 2, 3000);
    const state = async () => healthOf(await recorder.metrics(CONNECTION, HOUR_MS), HEALTH).state;
    expect(await state()).toBe('degraded');
    for (let call = 0; call < 2; call += 1)
      recorder.record(CONNECTION, { operation: 'list', durationMs: 1, fault: FAULT });
    expect(await state()).toBe('degraded');
  });

  test('a wall clock stepped forward an hour keeps what is counted', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 2);
    world.clock.stepWall(HOUR_MS / 2);
    ok(recorder, 2);
    await recorder.flush();
    expect(await total(recorder)).toBe(4);
  });
});

describe('failures that are listed', () => {
  test('they carry operation, code, time and one redacted line', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    recorder.record(CONNECTION, {
      operation: 'list',
      durationMs: 5,
      fault: new Fault('credential_rejected', 'hunter2 was\nrefused'),
    });
    await recorder.flush();
    expect(await world.store.calls.failures(CONNECTION, 10)).toEqual([
      {
        ...CONNECTION,
        atMs: world.clock.now(),
        operation: 'list',
        code: 'credential_rejected',
        message: '[redacted] was refused',
      },
    ]);
  });

  test('beyond the limit between two flushes they are counted and no longer listed', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    const count = CALL_LIMITS.failuresPendingMax + 5;
    for (let call = 0; call < count; call += 1)
      recorder.record(CONNECTION, { operation: 'list', durationMs: 5, fault: FAULT });
    await recorder.flush();
    expect(await recorder.metrics(CONNECTION, HOUR_MS)).toMatchObject({ totalCalls: count, errorRatio: 1 });
    expect(await world.store.calls.failures(CONNECTION, 10_000)).toHaveLength(CALL_LIMITS.failuresPendingMax);
  });

  test('forgetting leaves the newest of them and the last day of minutes', async () => {
    const world = openWorld();
    const recorder = recorderOf(world);
    ok(recorder, 1);
    await recorder.flush();
    await world.clock.advance((CALL_LIMITS.minutesKeptMax + 1) * MINUTE_MS);
    for (let call = 0; call < CALL_LIMITS.failuresKeptMax + 50; call += 1)
      recorder.record(CONNECTION, { operation: 'list', durationMs: 5, fault: FAULT });
    await recorder.flush();
    await recorder.forget();
    expect(await world.store.calls.failures(CONNECTION, 10_000)).toHaveLength(CALL_LIMITS.failuresKeptMax);
    expect(await world.store.calls.minutes(CONNECTION, 0)).toHaveLength(1);
  });
});

/** The store's methods as plain members, so that one of them can be replaced. */
function boundTo(calls: CallStore): CallStore {
  return {
    save: (minutes, failures) => calls.save(minutes, failures),
    minutes: (of, since) => calls.minutes(of, since),
    failures: (of, limit) => calls.failures(of, limit),
    forget: (before, max) => calls.forget(before, max),
  };
}
