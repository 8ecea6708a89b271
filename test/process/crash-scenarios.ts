// Ends of a process that come at any moment. Each function is one scenario, done `count` times, and states what must hold after it.

import { expect } from 'vitest';
import { expectAcknowledgedStored, expectExactlyOnce, expectNotReady, withCopy } from './evidence.ts';
import { pause } from './process-env.ts';
import { inScenes, randomBetween, type Scene } from './scene.ts';
import type { ServerProcess } from './server-process.ts';
import { until } from './weir-process.ts';

const READY_CPU_P99_MS_MAX = 2000;
const DRAIN_MS_MAX = 10_000;
const NUMBERS_PER_ROUND = 40;
const PULLING = { connections: 2, pollMs: 50 } as const;

/** Loads the server until `during` ends, and returns what that returned. */
export async function underLoad<T>({ sender }: Scene, server: ServerProcess, during: () => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const sending = sender.send(server.url, stop.signal);
  try {
    return await during();
  } finally {
    stop.abort();
    await sending;
  }
}

/** Stops in order, and compares everything with everything. */
export async function expectAllThereOnce(scene: Scene, server: ServerProcess): Promise<void> {
  await scene.settle(server);
  expect(await server.end('SIGTERM')).toBe(0);
  expectExactlyOnce(scene.data, scene.sender, scene.world);
}

/** Returns how soon it was ready again each time. */
export async function killAtAnyMoment(count: number): Promise<readonly number[]> {
  const readyMs: number[] = [];
  const readyCpuMs: number[] = [];
  await inScenes(count, async (scene, rounds) => {
    for (let round = 0; round < rounds; round += 1) {
      scene.world.numbersMax += NUMBERS_PER_ROUND;
      const server = await scene.start(PULLING);
      readyMs.push(server.readyMs);
      readyCpuMs.push(server.readyCpuMs);
      await underLoad(scene, server, async () => {
        await pause(randomBetween(5, 500));
        expect(await server.end('SIGKILL')).toBe('SIGKILL');
      });
      expectAcknowledgedStored(scene.data, scene.sender);
    }
    await expectAllThereOnce(scene, await scene.start(PULLING));
    expect(scene.sender.acknowledged().length).toBeGreaterThan(rounds);
  });
  expect(percentile(readyCpuMs, 0.99)).toBeLessThan(READY_CPU_P99_MS_MAX);
  return readyMs;
}

export function percentile(values: readonly number[], ratio: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * ratio) - 1] ?? 0;
}

/** SIGTERM: in order, within its time, with every answer that was begun. */
export async function stopUnderLoad(count: number): Promise<void> {
  await inScenes(count, async (scene, rounds) => {
    for (let round = 0; round < rounds; round += 1) {
      scene.world.numbersMax += NUMBERS_PER_ROUND;
      const server = await scene.start(PULLING);
      await underLoad(scene, server, async () => {
        await pause(randomBetween(5, 400));
        const askedMs = performance.now();
        expect(await server.end('SIGTERM')).toBe(0);
        expect(performance.now() - askedMs).toBeLessThan(DRAIN_MS_MAX);
      });
      expect(scene.sender.cutOff).toBe(0);
      expectAcknowledgedStored(scene.data, scene.sender);
    }
    await expectAllThereOnce(scene, await scene.start(PULLING));
  });
}

const SPEED = 200; // of the process's clock: a lease of 60 s is one of 300 ms
const LEASE_REAL_MS = 60_000 / SPEED;

/** SIGSTOP for three leases: what the process was writing when it was stopped may not be settled under the lease it had then. */
export async function stopLongerThanALease(count: number): Promise<void> {
  await inScenes(count, async (scene, rounds) => {
    const { world, data } = scene;
    world.refuseWrite = () => pause(10).then(() => false); // so that writes are on their way at any moment
    const server = await scene.start({ ...PULLING, speed: SPEED, pollMs: 50 * SPEED });
    for (let round = 0; round < rounds; round += 1) {
      world.numbersMax += NUMBERS_PER_ROUND;
      const lostBefore = (await server.state()).leasesLost;
      const acknowledgedBefore = scene.sender.acknowledged().length;
      await underLoad(scene, server, async () => {
        await pause(randomBetween(20, 200));
        server.signal('SIGSTOP');
        const second = round === 0 ? expectRefused(scene) : undefined;
        await pause(3 * LEASE_REAL_MS);
        await second;
        server.signal('SIGCONT');
        await pause(100);
      });
      expect((await server.state()).leasesLost).toBeGreaterThan(lostBefore);
      expect(scene.sender.acknowledged().length).toBeGreaterThan(acknowledgedBefore);
    }
    expectAcknowledgedStored(data, scene.sender);
    await expectAllThereOnce(scene, server);
  });
}

/** A stopped process keeps its data: nobody else may have it. */
async function expectRefused(scene: Scene): Promise<void> {
  const refused: unknown = await scene.start({ lockWaitMs: 50 }).catch((error: unknown) => error);
  expectNotReady(refused, 'storage_locked');
}

/** Several processes started on one data directory at the same moment: one of them gets it, however they meet. */
export async function raceForTheData(count: number): Promise<void> {
  await inScenes(count, async (scene, rounds) => {
    for (let round = 0; round < rounds; round += 1) {
      const outcomes = await Promise.allSettled([scene.start({ lockWaitMs: 50 }), scene.start({ lockWaitMs: 50 })]);
      const ready = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
      expect(ready.length).toBe(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expectNotReady(outcome.reason, 'storage_locked');
      await Promise.all(
        ready.map((server) =>
          underLoad(scene, server, async () => {
            await pause(20);
            await server.end('SIGKILL');
          }),
        ),
      );
    }
    await expectAllThereOnce(scene, await scene.start());
  });
}

/** Runs that were due, waiting or going on when the process died are due, wait or go on where they were. */
export async function killWithRunsPending(count: number): Promise<void> {
  await inScenes(count, async (scene, rounds) => {
    const { world, data } = scene;
    // Of five connections one is told to wait and two are slow; all are due again only after this test.
    world.refusePage = (connection, after) => {
      if (connection === 'numbers-0') return after >= 20 ? 3_600_000 : undefined;
      return connection >= 'numbers-3' ? pause(15).then(() => undefined) : undefined;
    };
    const options = { connections: 5, pollMs: 7_200_000 };
    world.numbersMax = 5 * NUMBERS_PER_ROUND;
    const first = await scene.start(options);
    const waitsLong = async (): Promise<boolean> =>
      ((await first.state()).dueAtMs['numbers-0'] ?? 0) > Date.now() + 60_000;
    await until('a source has said when to come again', waitsLong);
    expect(await first.end('SIGTERM')).toBe(0);
    for (let round = 0; round < rounds; round += 1) {
      world.numbersMax += 5 * NUMBERS_PER_ROUND;
      const killed = await scene.start(options);
      await pause(randomBetween(5, 300));
      await killed.end('SIGKILL');
      const before = streamsIn(data);
      const asked = world.pages.length;
      const restarted = await scene.start(options);
      const nowMs = Date.now();
      const { dueAtMs } = await restarted.state();
      expect(before.get('numbers-0')?.due).toBeGreaterThan(nowMs);
      for (const [connection, { due, next }] of before) {
        const waiting = due !== null && due > nowMs;
        if (waiting) expect(dueAtMs[connection]).toBe(due);
        const page = world.pages.slice(asked).find((one) => one.connection === connection);
        if (page !== undefined)
          expect({ connection, waiting, after: page.after }).toEqual({ connection, waiting: false, after: next });
      }
      await restarted.end('SIGKILL');
    }
    await expectCursorsExact(scene);
  });
}

async function expectCursorsExact(scene: Scene): Promise<void> {
  const last = await scene.start({ connections: 0 });
  await until('every sink has settled everything', async () => (await last.state()).size === 0);
  expect(await last.end('SIGTERM')).toBe(0);
  expectExactlyOnce(scene.data, scene.sender, scene.world);
}

interface StreamRow {
  readonly due: number | null;
  readonly next: number;
}

function streamsIn(data: string): ReadonlyMap<string, StreamRow> {
  return withCopy(
    data,
    (db) =>
      new Map(
        db
          .prepare("SELECT connection, due_at_ms AS due, coalesce(cursor ->> '$.next', 0) AS next FROM stream")
          .all()
          .map(({ connection, due, next }) => [
            String(connection),
            { due: due === null ? null : Number(due), next: Number(next) },
          ]),
      ),
  );
}
