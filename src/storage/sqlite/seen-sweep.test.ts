import { expect, it } from 'vitest';
import { samples } from '#testing/event-samples.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openSqliteStorage } from './storage.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

it('an id is known for thirty days, whatever is swept meanwhile, and forgotten after them', async () => {
  const clock = new SimulatedClock();
  const storage = openSqliteStorage({ data: ':memory:', clock });
  const sweep = async (): Promise<void> => {
    for (let step = 0; step < 6; step += 1) await storage.housekeep();
  };
  const events = samples(700); // more than one step sweeps
  await storage.log.append({ events });
  for (const ageDays of [0, 1, 7, 29.9]) {
    clock.stepWall(ageDays * DAY_MS);
    await sweep();
    expect(await storage.log.append({ events })).toEqual({ accepted: 0, duplicates: 700 });
    clock.stepWall(-ageDays * DAY_MS);
  }
  clock.stepWall(30.1 * DAY_MS);
  await sweep();
  expect(await storage.log.append({ events })).toEqual({ accepted: 700, duplicates: 0 });
  storage.close();
});
