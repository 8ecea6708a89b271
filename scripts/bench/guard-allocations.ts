// Child process of guard.ts, started with --expose-gc and a young generation so large that none of it is collected between two
// looks: what the heap has grown by then is what was allocated.

import { loadOpponents } from './guard-opponents.ts';
import { openSubjects, SUBJECT_NAMES, type SubjectName } from './guard-subjects.ts';
import { spreadOf } from './measure.ts';

const WARM_UP_CALLS = 30_000;
const CALLS = 20_000;
const ROUNDS = 5;

export type Allocations = Readonly<Record<SubjectName, number>>;

const subjects = openSubjects(await loadOpponents());
const bytes: Partial<Record<SubjectName, number>> = {};
for (const name of SUBJECT_NAMES) {
  await subjects[name].run(WARM_UP_CALLS);
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    await subjects[name].run(CALLS);
    samples.push((process.memoryUsage().heapUsed - before) / CALLS);
  }
  bytes[name] = Math.round(spreadOf(samples).median);
  subjects[name].close();
}
process.send?.(bytes);
process.disconnect?.();
