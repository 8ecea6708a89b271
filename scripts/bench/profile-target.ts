// Child process of profile.ts: PART EVENTS FILE. Prepares untimed, warms up, then profiles the work alone.

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { makeInputs, WEIR_PARTS, type WeirPart } from './log-measurements.ts';
import { costOf } from './measure.ts';

const SAMPLING_INTERVAL_US = 200;
const WARM_UP_EVENTS = 4000;

const [, , part = '', count = '', file = ''] = process.argv;
const work = WEIR_PARTS[part as WeirPart]; // given by profile.ts, from the same table
const events = Number(count);
await work(makeInputs(WARM_UP_EVENTS));
const inputs = makeInputs(events);
const { ms } = await work(inputs, async (run) => {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US });
  await session.post('Profiler.start');
  const took = await costOf(run);
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(file, JSON.stringify(profile));
  return took;
});
process.stdout.write(`${Math.round((events / ms) * 1000)}\n`);
