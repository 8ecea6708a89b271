// `npm run bench -- log`: what Weir does per second beside what SQLite alone could do and what a job queue on Redis does.

import { readCount, readFlags, UsageError } from './flags.ts';
import {
  limitLatency,
  LIMITS,
  makeInputs,
  verifySameRows,
  WEIR_PARTS,
  weirLatency,
  type Inputs,
  type WeirPart,
} from './log-measurements.ts';
import {
  aimsOf,
  printReport,
  toLines,
  type LatencyLine,
  type LogReport,
  type LineName,
  type Samples,
} from './log-report.ts';
import { describeMachine } from './machine.ts';
import type { Cost } from './measure.ts';
import { loadBullMq, type Opponent } from './bullmq.ts';
import { profileParts } from './profile.ts';
import { sealedEvents } from './synthetic-events.ts';

const DEFAULTS = {
  events: 50_000,
  rounds: 3,
  queueEventsMax: 20_000, // its rate does not depend on how many, and it is the slowest part of a round
  warmUpEvents: 4000,
  latencyEvents: 2000,
  latencyCallers: 64,
} as const;

export const usage = `log [--json] [--events N] [--rounds N] [--no-bullmq]
log --profile [--only PART] [--events N]      PART: ${Object.keys(WEIR_PARTS).join(', ')}`;

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args, {
    json: { type: 'boolean' },
    events: { type: 'string' },
    rounds: { type: 'string' },
    'no-bullmq': { type: 'boolean' },
    profile: { type: 'boolean' },
    only: { type: 'string' },
  });
  const events = readCount('--events', flags['events'], DEFAULTS.events);
  if (flags['profile'] === true) return profileParts(readParts(flags['only']), events);
  if (flags['only'] !== undefined) throw new UsageError('--only goes with --profile');
  const rounds = readCount('--rounds', flags['rounds'], DEFAULTS.rounds);
  const opponent = flags['no-bullmq'] === true ? { absent: 'left out by --no-bullmq' } : await findOpponent();
  const report = await measure(events, rounds, opponent);
  if (flags['json'] === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else printReport(report);
}

function readParts(only: string | boolean | undefined): readonly WeirPart[] {
  const parts = Object.keys(WEIR_PARTS) as WeirPart[]; // the keys of the table just named
  if (only === undefined) return parts;
  const part = parts.find((known) => known === only);
  if (part === undefined) throw new UsageError(`--only ${only}: there are ${parts.join(', ')}`);
  return [part];
}

type MaybeOpponent = Opponent | { readonly absent: string };

async function findOpponent(): Promise<MaybeOpponent> {
  try {
    return await loadBullMq();
  } catch (error) {
    return { absent: `BullMQ is left out: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function measure(events: number, rounds: number, opponent: MaybeOpponent): Promise<LogReport> {
  say(`making ${events} events`);
  const inputs = makeInputs(events);
  const warmUp = cut(inputs, DEFAULTS.warmUpEvents);
  say('warming up, and comparing the rows of Weir with those of the bare loops');
  await verifySameRows(warmUp);
  await measureRound(warmUp, opponent, {}, DEFAULTS.warmUpEvents);
  const samples: Samples = {};
  // Round by round, not line by line: a machine that slows down for a while slows every line of one round, and the median forgets it.
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}`);
    await measureRound(inputs, opponent, samples, Math.min(events, DEFAULTS.queueEventsMax));
  }
  const latency = await measureLatency();
  const lines = toLines(samples);
  return {
    schemaVersion: 1,
    bench: 'log',
    machine: describeMachine(),
    bullmq: 'absent' in opponent ? opponent : opponent.versions,
    events,
    queueEvents: Math.min(events, DEFAULTS.queueEventsMax),
    eventBytesMean: Math.round(
      inputs.sealed.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0) / events,
    ),
    rounds,
    lines,
    latency,
    aims: aimsOf(lines),
    verified: true,
  };
}

async function measureRound(
  inputs: Inputs,
  opponent: MaybeOpponent,
  samples: Samples,
  queueEvents: number,
): Promise<void> {
  const note = (line: LineName, events: number, { ms, cpuMs }: Cost): void => {
    (samples[line] ??= []).push({
      eventsPerSecond: Math.round((events / ms) * 1000),
      cpuUsPerEvent: Math.round((cpuMs / events) * 1e4) / 10,
    });
  };
  const count = inputs.sealed.length;
  note('limit: append', count, await LIMITS.append(inputs));
  note('Weir append', count, await WEIR_PARTS.append(inputs));
  note('Weir seal + append', count, await WEIR_PARTS['seal-append'](inputs));
  note('limit: deliver', count, await LIMITS.deliver(inputs));
  note('Weir deliver', count, await WEIR_PARTS.deliver(inputs));
  note('limit: end to end', count, await LIMITS['end-to-end'](inputs));
  note('Weir end to end', count, await WEIR_PARTS['end-to-end'](inputs));
  if ('absent' in opponent) return;
  const jobs = inputs.sealed.slice(0, queueEvents).map(({ event }) => event);
  for (const appendfsync of ['everysec', 'always'] as const) {
    const costs = await opponent.measure(jobs, appendfsync);
    note(`BullMQ add, ${appendfsync}`, jobs.length, costs.add);
    note(`BullMQ process, ${appendfsync}`, jobs.length, costs.process);
    note(`BullMQ add + process, ${appendfsync}`, jobs.length, costs.both);
  }
}

async function measureLatency(): Promise<readonly LatencyLine[]> {
  say('commit latency');
  const { latencyEvents, latencyCallers } = DEFAULTS;
  const few = sealedEvents(latencyEvents);
  const many = sealedEvents(latencyEvents * 4);
  return [
    { name: 'limit: one event a transaction', ...(await limitLatency(few)) },
    { name: 'Weir append, 1 caller', ...(await weirLatency(1, few)) },
    { name: `Weir append, ${latencyCallers} callers`, ...(await weirLatency(latencyCallers, many)) },
  ];
}

function cut({ drafts, sealed, entries }: Inputs, count: number): Inputs {
  return { drafts: drafts.slice(0, count), sealed: sealed.slice(0, count), entries: entries.slice(0, count) };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
