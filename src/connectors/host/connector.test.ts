import { describe, expect, it } from 'vitest';
import { EventDraftSchema } from '#core/event.ts';
import type { ConnectorContext } from '#core/connector.ts';
import type { JsonValue } from '#core/json.ts';
import { connectorHarness } from '#testing/connector-harness.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import thisHost, { hostConnector } from './connector.ts';
import type { HostReading } from './host-reading.ts';

const INTERVAL_MS = 15_000;

interface Script {
  cpu: number;
  memory: number | null;
  loop: number | null;
}

/** A machine that does what it is told; its counters run with the simulated clock. */
function machine(metadata: JsonValue = {}) {
  const clock = new SimulatedClock();
  const script: Script = { cpu: 0.1, memory: 0.43, loop: 0.0012 };
  let busyMs = 0;
  let totalMs = 0;
  let paths: string[] = [];
  const readHost = async (diskPath: string): Promise<HostReading> => {
    paths = [...paths, diskPath];
    busyMs += 1000 * script.cpu;
    totalMs += 1000;
    return {
      cores: 4,
      cpuTimes: { busyMs, totalMs },
      memoryUsedRatio: script.memory,
      loadPerCoreRatio: 0.3,
      diskUsedRatio: 0.61,
      eventLoopDelaySeconds: script.loop,
      unreadable: script.memory === null ? { memory: 'no such file' } : {},
    };
  };
  const connector = hostConnector(readHost);
  const harness = connectorHarness(connector, { metadata, clock, allowedPaths: ['/srv', '/home'] });
  let cursor: JsonValue | undefined;
  const sample = async (afterMs = INTERVAL_MS) => {
    await clock.advance(afterMs);
    const outcome = await harness.pull('samples', cursor);
    cursor = outcome.cursor;
    for (const event of outcome.events) EventDraftSchema.parse(event);
    return outcome;
  };
  const samples = async (count: number) => {
    const events = [];
    for (let at = 0; at < count; at += 1) events.push(...(await sample()).events);
    return events;
  };
  return { connector, harness, script, clock, sample, samples, paths: () => paths, cursor: () => cursor };
}

describe('the host connector', () => {
  it('yields one page with the sample as a record and sets the gauges', async () => {
    const { sample, harness, paths, clock } = machine();
    await sample();
    const { events, pages } = await sample();
    expect(pages).toHaveLength(1);
    expect(events).toEqual([
      {
        kind: 'record',
        op: 'upsert',
        key: 'sample',
        version: clock.now() * 4096,
        time: new Date(clock.now()).toISOString(),
        severity: 'low',
        title: 'cpu 10 % · memory 43 % · load 0.3 · disk 61 % · loop 1.2 ms',
        data: {
          cpu_usage_ratio: 0.1,
          memory_used_ratio: 0.43,
          load_per_core_ratio: 0.3,
          disk_used_ratio: 0.61,
          event_loop_delay_seconds: 0.0012,
          cores: 4,
          excluded_total: 0,
          unreadable: {},
        },
      },
    ]);
    expect(Object.fromEntries(harness.gauges)).toEqual({
      cpu_usage_ratio: 0.1,
      memory_used_ratio: 0.43,
      load_per_core_ratio: 0.3,
      disk_used_ratio: 0.61,
      event_loop_delay_seconds: 0.0012,
    });
    expect(harness.calls).toEqual(['sample', 'sample']);
    expect(paths()).toEqual(['/srv', '/srv']);
  });

  it('knows no CPU usage at the first sample, and does not call it zero', async () => {
    const { sample, harness } = machine();
    const { events } = await sample();
    expect(events[0]?.title).toBe('memory 43 % · load 0.3 · disk 61 % · loop 1.2 ms');
    expect(harness.gauges.has('cpu_usage_ratio')).toBe(false);
  });

  it('samples no sooner than the interval, but does when a poll comes a little early', async () => {
    const { sample, harness } = machine({ interval_seconds: 10 });
    await sample();
    expect((await sample(8_900)).pages).toHaveLength(0);
    expect((await sample(200)).pages).toHaveLength(1);
    expect(harness.calls).toHaveLength(2);
  });

  it('goes on with growing versions when the clock is set back', async () => {
    const { sample, clock } = machine();
    const before = (await sample()).events[0];
    clock.stepWall(-86_400_000);
    const after = (await sample()).events[0];
    expect(after?.version).toBeGreaterThan(before?.version ?? Infinity);
    expect((await sample()).pages).toHaveLength(1);
  });

  it('tells one episode once when it opens and once when it ends, as two versions of one entity', async () => {
    const { samples, script } = machine();
    await samples(12);
    script.cpu = 0.93;
    const rise = (await samples(6)).filter((event) => event.kind === 'signal');
    script.cpu = 0.12;
    const fall = (await samples(5)).filter((event) => event.kind === 'signal');
    expect(rise).toMatchObject([
      { severity: 'critical', title: 'cpu unusually high: 93 % (usual 10 %, 8.3 σ above)', tags: ['anomaly', 'cpu'] },
    ]);
    expect(rise[0]?.data).toMatchObject({ metric: 'cpu_usage_ratio', state: 'open', peak: 0.93, baseline_mean: 0.1 });
    expect(fall).toMatchObject([{ key: rise[0]?.key, severity: 'critical', title: 'cpu back to 12 % (peak 93 %)' }]);
    expect(fall[0]?.data).toMatchObject({
      state: 'closed',
      end: 'recovered',
      started_at: rise[0]?.time,
      ended_at: fall[0]?.time,
      samples: 6,
    });
    expect(fall[0]?.version).toBeGreaterThan(rise[0]?.version ?? Infinity);
    expect(rise[0]?.key).toBe(`anomaly:cpu_usage_ratio:${Date.parse(rise[0]?.time ?? '')}`);
  });

  it('does not call an interruption a recovery', async () => {
    const { samples, sample, script } = machine();
    await samples(12);
    script.cpu = 0.93;
    await samples(3);
    const [record, signal] = (await sample(3_600_000)).events;
    expect(signal).toMatchObject({ kind: 'signal', data: { state: 'closed', end: 'gap' } });
    expect(signal?.data).not.toHaveProperty('ended_at');
    expect(record?.title).not.toContain('cpu'); // an average over the hour nobody watched is no sample
    expect((await samples(9)).filter((event) => event.kind === 'signal')).toEqual([]);
  });

  it('keeps a number out that cannot be read, names the reason and goes on with the others', async () => {
    const { samples, script, harness } = machine();
    script.memory = null;
    script.loop = NaN;
    const event = (await samples(3)).at(-1);
    expect(event?.title).toBe('cpu 10 % · load 0.3 · disk 61 %');
    expect(event?.data).toMatchObject({ unreadable: { memory: 'no such file' }, excluded_total: 3 });
    expect([...harness.gauges.keys()]).not.toContain('event_loop_delay_seconds');
  });

  it('keeps its cursor small however long it runs', async () => {
    const running = machine();
    await running.samples(300);
    expect(JSON.stringify(running.cursor()).length).toBeLessThan(8_000);
  });

  it('checks each number on its own and says which cannot be read', async () => {
    const { connector, harness, script } = machine();
    script.memory = null;
    const findings = await connector.check(harness.ctx as ConnectorContext<{ interval_seconds: number }>); // the harness parsed this very config
    expect(findings.map((finding) => `${finding.ok} ${finding.message}`)).toEqual([
      'true cpu can be read (4 cores)',
      'false memory cannot be read: no such file',
      'true load can be read',
      'true disk of /srv can be read',
      'true event loop can be read',
    ]);
  });

  it.each([[{ interval_seconds: 0 }], [{ interval_seconds: 1.5 }], [{ intervall: 1 }]])(
    'refuses the metadata %j',
    (metadata) => {
      expect(thisHost.config.safeParse(metadata).success).toBe(false);
    },
  );

  it('samples the machine it runs on', async () => {
    const clock = new SimulatedClock();
    const harness = connectorHarness(thisHost, { metadata: {}, clock });
    const { events } = await harness.pull('samples');
    expect(events).toHaveLength(1);
    expect(events[0]?.title).toMatch(/memory \d+ %.* · disk \d+ %/);
    for (const finding of await thisHost.check(harness.ctx as ConnectorContext<{ interval_seconds: number }>))
      expect(finding.ok, finding.message).toBe(true);
  });
});
