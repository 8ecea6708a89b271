import { describe, expect, test } from 'vitest';
import type { ForecastReport } from '#core/forecast.ts';
import { recordingHost } from './fixtures/recording-host.ts';
import type { SimulateFlags } from './host.ts';
import { runCli } from './program.ts';

const REPORT: ForecastReport = {
  seed: 7,
  simulated_seconds: 86_400,
  faults: ['the API of wiki answers 502 for 40 m'],
  connectors: [
    {
      name: 'wiki',
      tenant: 'default',
      records: 1440,
      in_log: 1440,
      calls: 400,
      failed_calls: 12,
      retries: 8,
      runs: 288,
      failed_runs: 4,
      circuit_opened: 1,
      circuit_open_seconds: 2400,
      delay_max_seconds: 2700,
      paused_seconds: 0,
      caught_up: true,
    },
  ],
  sinks: [
    {
      name: 'crm',
      delivered: 1440,
      dead_letters: 0,
      failed_writes: 3,
      backlog_max: 120,
      delay_max_seconds: 7250,
      caught_up: true,
    },
  ],
  queue: { usage_max_pct: 1.2, paused_seconds: 0, max_size: 10_000 },
  happenings: [
    { at_seconds: 3600, what: 'the API of wiki answers 502 for 40 m' },
    { at_seconds: 3700, what: 'the circuit of wiki opens\u001b[31m' },
  ],
  lost: 0,
  healthy_at_end: true,
};

async function simulate(args: readonly string[], report: ForecastReport = REPORT) {
  const asked: SimulateFlags[] = [];
  const recording = recordingHost({
    change: { simulate: (flags) => (asked.push(flags), Promise.resolve(report)) },
  });
  return {
    exit: await runCli(recording.host, ['simulate', ...args]),
    out: recording.out(),
    err: recording.err(),
    asked,
  };
}

describe('weir simulate', () => {
  test('tells what happened when, what became of each connector and sink, and ends with 0 when all is well', async () => {
    const { exit, out } = await simulate([]);
    expect(exit).toBe(0);
    expect(out).toContain('0d 01:00  the API of wiki answers 502 for 40 m');
    expect(out).toMatch(/wiki +1440 +1440 +400 +12 +8 +1 × \(40 min\) +45 min +caught up/);
    expect(out).toMatch(/crm +1440 +3 +0 +120 +2 h +caught up/);
    expect(out).toContain('Nothing lost, no dead letters; everything has caught up.');
    expect(out).not.toContain('\u001b[31m');
  });

  test('ends with 1 and says so when something is not well at the end', async () => {
    const [sink] = REPORT.sinks;
    if (sink === undefined) throw new Error('the report has a sink');
    const unwell = { ...REPORT, healthy_at_end: false, sinks: [{ ...sink, dead_letters: 3, caught_up: false }] };
    const { exit, out } = await simulate([], unwell);
    expect(exit).toBe(1);
    expect(out).toContain('Nothing lost, 3 dead letters; at the end not everything is well.');
  });

  test('calls a loss a defect and names the seed that shows it', async () => {
    const { exit, out } = await simulate([], { ...REPORT, healthy_at_end: false, lost: 2 });
    expect(exit).toBe(1);
    expect(out).toContain('2 events lost: this is a defect of Weir, seed 7 shows it.');
  });

  test('hands over seed, days and plan, and prints the report as JSON', async () => {
    const { out, asked } = await simulate(['--seed', '7', '--days', '0.5', '--faults', 'plan.yaml', '--json']);
    expect(asked).toMatchObject([{ seed: 7, days: 0.5, faults: 'plan.yaml' }]);
    expect(JSON.parse(out)).toEqual({ schemaVersion: 1, ...REPORT });
  });

  test.for([
    ['--seed', 'x'],
    ['--seed', '4294967296'],
    ['--days', '0'],
    ['--days', '91'],
    ['--days', '-1'],
  ])('refuses %s %s with 3', async (flags) => {
    const { exit, err, asked } = await simulate(flags);
    expect(exit).toBe(3);
    expect(err).toContain('must be');
    expect(asked).toEqual([]);
  });
});
