// Alerts in a running engine: what its calls, its queue and its heartbeat do, seen by the rules.

import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { Sink } from '#core/sink.ts';
import type { AlertNotice } from './alert-watch.ts';
import type { Engine, EngineOptions } from './engine.ts';
import {
  connectionOf,
  docs,
  engineOf,
  MINUTE_MS,
  openWorld,
  pass,
  scripted,
  type PullScript,
} from './fixtures/engine-world.ts';
import { scriptedDisk } from './fixtures/scripted-disk.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const failing: PullScript = async function* (ctx) {
  await ctx.call('list', () => Promise.reject(new Fault('upstream_unavailable', 'down')));
  yield { events: [], cursor: 1 };
};

async function started(pull: PullScript, more: Partial<EngineOptions> = {}, guard = {}, world = openWorld()) {
  const notices: AlertNotice[] = [];
  let closed = 0;
  const connection = connectionOf(scripted({ pull }), { guard });
  const engine: Engine = engineOf(world, [connection], {
    alertRecipient: { notify: (notice) => void notices.push(notice), close: () => Promise.resolve(void (closed += 1)) },
    ...more,
  });
  await engine.start();
  undo.push(() => engine.stop());
  const told = () => notices.map(({ rule, change }) => `${rule.name} ${change}`);
  const stateOf = (name: string) => engine.alerts.list().find(({ rule }) => rule.name === name)?.state.state;
  return { ...world, engine, connection, notices, told, stateOf, closed: () => closed };
}

describe('a circuit that stays open', () => {
  test('is pending, fires after five minutes, and a reset resolves it; each is told once', async () => {
    let well = false;
    const { clock, engine, connection, told, stateOf, notices, closed } = await started(async function* (ctx) {
      if (!well) await ctx.call('list', () => Promise.reject(new Fault('upstream_unavailable', 'down')));
      yield { events: [], cursor: 1 };
    });
    await pass(clock, 4 * MINUTE_MS);
    expect(engine.circuitOf(connection)).not.toBe('closed');
    expect(stateOf('circuit_open')).toBe('pending');
    await pass(clock, 6 * MINUTE_MS);
    expect(stateOf('circuit_open')).toBe('firing');
    well = true;
    engine.resetCircuit(connection);
    expect(engine.circuitOf(connection)).toBe('closed');
    await pass(clock, 3 * MINUTE_MS);
    expect(told().filter((line) => line.startsWith('circuit_open'))).toEqual([
      'circuit_open fired',
      'circuit_open resolved',
    ]);
    expect(notices[0]).toMatchObject({ connector: { connection: 'wiki' }, summary: expect.stringContaining('wiki') });
    await engine.stop();
    expect(closed()).toBe(1);
  });

  test('fires at its time however the wall clock is stepped (I10)', async () => {
    const { clock, stateOf } = await started(failing);
    await pass(clock, 2 * MINUTE_MS);
    clock.stepWall(3_600_000);
    await pass(clock, MINUTE_MS);
    expect(stateOf('circuit_open')).not.toBe('firing');
    clock.stepWall(-7_200_000);
    await pass(clock, 8 * MINUTE_MS);
    expect(stateOf('circuit_open')).toBe('firing');
  });
});

test('an error rate is judged from ten calls on and resolved when its window has passed', async () => {
  let calls = 0;
  const { clock, told, stateOf } = await started(
    async function* (ctx) {
      for (let i = 0; i < 12 && calls < 12; i += 1) {
        calls += 1;
        const fails = calls % 5 === 0;
        await ctx
          .call('list', () => (fails ? Promise.reject(new Fault('source_invalid', 'no')) : Promise.resolve(1)))
          .catch(() => 0);
      }
      yield { events: docs(0), cursor: 1 };
    },
    {},
    { retry: { attemptsMax: 1 } },
  );
  await pass(clock, MINUTE_MS);
  expect(calls).toBe(12);
  expect(stateOf('error_rate')).toBe('firing');
  await pass(clock, 8 * MINUTE_MS);
  expect(told()).toEqual(['error_rate fired', 'error_rate resolved']);
});

test('a heartbeat that cannot be written is an alert, and all else goes on', async () => {
  let full = false;
  const { clock, told } = await started(async function* () {}, {
    writeHeartbeat: () => (full ? Promise.reject(new Error('no space')) : Promise.resolve()),
  });
  full = true;
  await pass(clock, MINUTE_MS / 2);
  expect(told()).toEqual([]);
  await pass(clock, MINUTE_MS);
  expect(told()).toEqual(['heartbeat_late fired']);
  full = false;
  await pass(clock, 2 * MINUTE_MS);
  expect(told()).toEqual(['heartbeat_late fired', 'heartbeat_late resolved']);
});

test('dead letters that are already there are none that grow; a new one is', async () => {
  let broken = 0;
  const { clock, told } = await started(async function* (_ctx, cursor) {
    const at = Number(cursor ?? 0) + 1;
    const failures = broken > 0 ? [{ key: `k${at}`, code: 'record_invalid' as const, message: 'no title' }] : [];
    broken -= 1;
    yield { events: [], cursor: at, failures };
  });
  await pass(clock, 2 * MINUTE_MS);
  expect(told()).toEqual([]);
  broken = 1;
  await pass(clock, 2 * MINUTE_MS);
  expect(told()).toEqual(['dead_letters_growing fired']);
});

test('a disk that fills up is told as low, then as full; both end with the room', async () => {
  const disk = scriptedDisk({ roomBytes: 10_000, totalBytes: 10_000 });
  const diskLimits = { pauseFreeBytes: 1000, refuseFreeBytes: 100, ballastBytes: 0 };
  const { clock, told } = await started(async function* () {}, { disk, diskLimits });
  await pass(clock, MINUTE_MS);
  expect(told()).toEqual([]);
  disk.roomBytes = 500;
  await pass(clock, MINUTE_MS);
  disk.roomBytes = 50;
  await pass(clock, MINUTE_MS);
  expect(told()).toEqual(['disk_low fired', 'disk_full fired']);
  disk.roomBytes = 10_000;
  await pass(clock, 3 * MINUTE_MS);
  expect(told().slice(2).toSorted()).toEqual(['disk_full resolved', 'disk_low resolved']);
});

test('an event that waits for more than a quarter of an hour is told, however the others fare', async () => {
  const world = openWorld();
  const apply = () => Promise.reject(new Fault('storage_unknown', 'the store is out'));
  const library = new Proxy(world.store.library, {
    get: (of, name) => (name === 'apply' ? apply : (Reflect.get(of, name) as unknown)),
  });
  let pulled = false;
  const { clock, told } = await started(
    async function* () {
      if (!pulled) yield { events: docs(1), cursor: 1 };
      pulled = true;
    },
    { store: { ...world.store, library } },
    {},
    world,
  );
  await pass(clock, 15 * MINUTE_MS, 5000);
  expect(told()).not.toContain('events_waiting fired');
  await pass(clock, 2 * MINUTE_MS, 5000);
  expect(told()).toContain('events_waiting fired');
});

test('a sink that refuses every event is told; nobody has to look for it', async () => {
  const reject = { outcome: 'reject', fault: new Fault('sink_rejected', 'no') } as const;
  const done = () => Promise.resolve();
  const sink: Sink = {
    name: 'crm',
    open: done,
    close: done,
    ping: done,
    write: (entries) => Promise.resolve(entries.map(() => reject)),
  };
  const { clock, told, notices } = await started(
    async function* (_ctx, cursor) {
      if (cursor === undefined) yield { events: docs(60), cursor: 1 };
    },
    { sinks: [{ sink, type: 'http', from: 'oldest', accepts: () => true }] },
  );
  await pass(clock, MINUTE_MS);
  expect(told()).toContain('sink_refusing fired');
  expect(notices.find(({ rule }) => rule.name === 'sink_refusing')?.summary).toMatch(/: 1$/);
});
