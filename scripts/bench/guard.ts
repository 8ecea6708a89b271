// `npm run bench -- guard`: what a successful call pays for the policies around it, beside a bare call and the libraries that do
// the same elsewhere. All in one process, round by round, so that a slow moment of the machine meets every line.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readCount, readFlags } from './flags.ts';
import type { Allocations } from './guard-allocations.ts';
import { loadOpponents } from './guard-opponents.ts';
import { aimsOf, printGuardReport, type GuardLine } from './guard-report.ts';
import { openSubjects, SUBJECT_NAMES, type Subject, type SubjectName } from './guard-subjects.ts';
import { describeMachine } from './machine.ts';
import { spreadOf, timed } from './measure.ts';

const DEFAULTS = { calls: 100_000, rounds: 11 } as const;
const WARM_UP_CALLS = 50_000;
const SLOW_SHARE = 0.2; // of the calls for subjects that take many times longer: their median is as steady
const SLOW_NS = 3000;
const NS_PER_MS = 1e6;
const YOUNG_GENERATION_MIB = 1024;

export const usage = 'guard [--json] [--calls N] [--rounds N]';

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, { json: { type: 'boolean' }, calls: { type: 'string' }, rounds: { type: 'string' } });
  const calls = readCount('--calls', flags['calls'], DEFAULTS.calls);
  const rounds = readCount('--rounds', flags['rounds'], DEFAULTS.rounds);
  const opponents = await loadOpponents();
  const times = await measureTimes(openSubjects(opponents), calls, rounds);
  say('allocations');
  const allocations = await measureAllocations();
  const bareNs = spreadOf(times['bare async call']).median;
  const lines: GuardLine[] = SUBJECT_NAMES.map((name) => {
    const nsPerCall = spreadOf(times[name].map(Math.round));
    return { name, nsPerCall, overheadNs: Math.round(nsPerCall.median - bareNs), bytesPerCall: allocations[name] };
  });
  const { versions } = opponents;
  const machine = describeMachine();
  const report = {
    schemaVersion: 1,
    bench: 'guard',
    machine,
    versions,
    calls,
    rounds,
    lines,
    aims: aimsOf(lines),
  } as const;
  if (flags['json'] === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else printGuardReport(report);
}

async function measureTimes(
  subjects: Readonly<Record<SubjectName, Subject>>,
  calls: number,
  rounds: number,
): Promise<Record<SubjectName, number[]>> {
  // The keys are those of the list just walked.
  const times = Object.fromEntries(SUBJECT_NAMES.map((name) => [name, [] as number[]])) as Record<
    SubjectName,
    number[]
  >;
  const callsOf = new Map<SubjectName, number>();
  say('warming up');
  for (const name of SUBJECT_NAMES) {
    const ns = await nsPerCall(subjects[name], WARM_UP_CALLS);
    callsOf.set(name, ns > SLOW_NS ? Math.ceil(calls * SLOW_SHARE) : calls);
  }
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}`);
    for (const name of SUBJECT_NAMES) times[name].push(await nsPerCall(subjects[name], callsOf.get(name) ?? calls));
  }
  for (const subject of Object.values(subjects)) subject.close();
  return times;
}

async function nsPerCall(subject: Subject, calls: number): Promise<number> {
  return ((await timed(() => subject.run(calls))) * NS_PER_MS) / calls;
}

async function measureAllocations(): Promise<Allocations> {
  const size = String(YOUNG_GENERATION_MIB);
  const child = fork(join(import.meta.dirname, 'guard-allocations.ts'), [], {
    execArgv: ['--expose-gc', `--min-semi-space-size=${size}`, `--max-semi-space-size=${size}`],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let allocations: Allocations | undefined;
  child.on('message', (message) => {
    allocations = message as Allocations; // from guard-allocations.ts, typed there
  });
  const [code] = (await once(child, 'exit')) as [number | null]; // `exit` gives the exit code first
  process.removeListener('exit', kill);
  if (code !== 0 || allocations === undefined) throw new Error(`the measured process ended with ${String(code)}`);
  return allocations;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
