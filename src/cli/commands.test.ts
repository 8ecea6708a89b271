import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { OPERATIONS } from '#operations/registry.ts';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { recordingHost, type RecordingOptions } from './fixtures/recording-host.ts';
import { answersWith, cloudEvent, COMMAND_LINES, connectorView, COUNTS } from './fixtures/sample-answers.ts';
import { runCli } from './program.ts';

const PLAIN = 'harmless';
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

async function weir(args: readonly string[], options: RecordingOptions = {}) {
  const recording = recordingHost({ answers: answersWith(PLAIN), ...options });
  const exit = await runCli(recording.host, args);
  return { exit, out: recording.out(), err: recording.err(), recording };
}

const listOf = (...connectors: readonly unknown[]) => ({
  'connectors.list': { schemaVersion: 1, summary: 'A sentence.', connectors },
});

describe('every command', () => {
  test.for(COMMAND_LINES.map((line) => ({ line, words: line.join(' ') })))(
    'weir $words asks one operation, shows its answer and closes the session',
    async ({ line, words }) => {
      const { out, recording } = await weir(line);
      expect(out).not.toBe('');
      expect(recording.open()).toBe(0);
      expect(recording.calls).toHaveLength(words === 'dlq list' ? 2 : 1); // causes and letters
    },
  );

  test('gives --json as one document that its operation accepts as its own, with schemaVersion', async () => {
    for (const line of COMMAND_LINES) {
      const { out, recording } = await weir([...line, '--json']);
      const operation = OPERATIONS.find(({ name }) => name === recording.calls[0]?.operation);
      expect(JSON.parse(out)).toMatchObject({ schemaVersion: 1 });
      if (line[0] !== 'events') expect(operation?.output.safeParse(JSON.parse(out)).error).toBeUndefined();
    }
  });

  test('sends only input that its operation accepts', async () => {
    const lines = [
      ...COMMAND_LINES,
      ['run', 'git', '--stream', 'docs', '--accept-deletes'],
      ['check', 'git'],
      ['search', 'a', 'b', '--connector', 'git', '--limit', '200'],
    ];
    for (const line of [
      ...lines,
      [
        'events',
        '--connector',
        'git',
        '--kind',
        'signal',
        '--severity',
        'low',
        '--tag',
        't',
        '--text',
        'x',
        '--since',
        '2h',
        '--until',
        '1m',
        '--limit',
        '3',
      ],
      ['queue', 'peek', '-n', '100'],
    ]) {
      const { recording } = await weir(line);
      for (const { operation: name, input } of recording.calls) {
        expect(OPERATIONS.find((one) => one.name === name)?.input.safeParse(input).error).toBeUndefined();
      }
    }
  });

  test('in a pipe writes no escape and cuts nothing, however long a text is', async () => {
    const long = `start${'x'.repeat(1000)}end`;
    for (const line of COMMAND_LINES.filter(([verb]) => verb !== 'worker')) {
      const { out, err } = await weir(line, { answers: answersWith(long), columns: 40 });
      expect([line, out.includes(long)]).toEqual([line, true]);
      expect(out + err).not.toMatch(/\u001b|…/);
    }
  });

  // Every character that a terminal obeys and the plain-text rule knows, each beside a letter.
  const OBEYED = [
    '\u0000',
    '\u0007',
    '\u0008',
    '\r',
    '\u001b[2J',
    '\u007f',
    '\u009b31m',
    '\u061c',
    '\u200e',
    '\u2028',
    '\u202e',
    '\u2066',
    '\ufeff',
  ]
    .map((one) => `a${one}b`)
    .join('');

  async function expectHarmless(
    text: string,
    line: readonly string[],
    json: boolean,
    outIsTerminal: boolean,
  ): Promise<void> {
    const given = line.map((word) => (word === 'docs/a.md' ? text : word));
    const options = { answers: answersWith(text), outIsTerminal, env: { NO_COLOR: '1' } };
    const { out, err } = await weir([...(json ? ['--json'] : []), line[0] ?? '', '--', ...given.slice(1)], options);
    expect(out).not.toMatch(UNSAFE);
    // On a terminal progress erases itself; that sequence is ours.
    expect(err.replaceAll('\r\u001b[2K', '')).not.toMatch(UNSAFE);
  }

  test('shows text from outside without anything that a terminal obeys, on stdout and on stderr, as text and as JSON', async () => {
    for (const line of COMMAND_LINES)
      for (const json of [true, false])
        for (const outIsTerminal of [true, false]) await expectHarmless(OBEYED, line, json, outIsTerminal);
  });

  test('shows any text at all without anything that a terminal obeys', async () => {
    const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: 'binary', minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...COMMAND_LINES), fc.boolean(), fc.boolean(), expectHarmless),
      { numRuns: 300 },
    );
  });

  test('paints nothing but what it paints itself: with colour off and on the text is the same', async () => {
    for (const line of COMMAND_LINES) {
      const plain = await weir(line, { outIsTerminal: true, errIsTerminal: false, env: { NO_COLOR: '1' } });
      const coloured = await weir(line, { outIsTerminal: true, errIsTerminal: false });
      expect(coloured.out.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain.out);
    }
  });
});

describe('list', () => {
  test('has the columns scripts know, in that order', async () => {
    const { out } = await weir(['list'], { answers: listOf(connectorView()) });
    expect(out.split('\n').slice(0, 2)).toEqual([
      'Connector  Health     P95 (ms)  Error %  Calls (60m)  Circuit  Events  Now',
      'git        ● healthy        12      1.5            3  closed        7  idle',
    ]);
    expect(out).toMatch(/\n\nA sentence\.\n$/);
  });

  test.for<[string, string, number]>([
    ['healthy', '● healthy', 0],
    ['unknown', '? unknown', 0],
    ['degraded', '▲ degraded', 1],
    ['down', '■ down', 1],
  ])('%s shows as %s and ends with %i', async ([status, shown, expected]) => {
    const { exit, out } = await weir(['list'], {
      answers: listOf(connectorView({ name: 'a' }), connectorView({ name: 'b' }, { status })),
    });
    expect(exit).toBe(expected);
    expect(out).toContain(shown);
  });

  test('without UTF-8 the words stay and the symbols are ASCII', async () => {
    const { out } = await weir(['list'], {
      answers: listOf(connectorView({}, { status: 'down' })),
      env: { LANG: 'C' },
    });
    expect(out).toContain('X down');
    expect(out).not.toMatch(/[^\n -~]/);
  });

  test('a disabled connector that was down makes nothing unwell', async () => {
    const { exit, out } = await weir(['list'], {
      answers: listOf(connectorView({ enabled: false }, { status: 'down' })),
    });
    expect(exit).toBe(0);
    expect(out).toContain('- disabled');
  });

  test('without calls the figures are N/A, not 0', async () => {
    const metrics = { total_calls: 0, error_rate: 0, p50_ms: null, p95_ms: null, p99_ms: null };
    const { out } = await weir(['list'], { answers: listOf(connectorView({}, { status: 'unknown', metrics })) });
    expect(out.match(/N\/A/g)).toHaveLength(2);
  });

  test('half_open reads half-open', async () => {
    expect((await weir(['list'], { answers: listOf(connectorView({ circuit_state: 'half_open' })) })).out).toContain(
      'half-open',
    );
  });

  test('without connectors it shows what to put into weir.yaml and ends with 0', async () => {
    const { exit, out } = await weir(['list'], { answers: listOf() });
    expect(exit).toBe(0);
    expect(out).toMatch(/No connectors are configured/);
    expect(out).toMatch(/ {2}connectors:\n {4}git:/);
    expect(out).toMatch(/weir init/);
    expect(JSON.parse((await weir(['list', '--json'], { answers: listOf() })).out)).toMatchObject({ connectors: [] });
  });
});

describe('drill', () => {
  test('shows failures as time: operation - message', async () => {
    expect((await weir(['drill', 'git'])).out).toContain(`  - 2026-01-01T00:00:00.000Z: ${PLAIN} - ${PLAIN}\n`);
  });

  test('ends with 1 for a connector that is down', async () => {
    expect((await weir(['drill', 'git'])).exit).toBe(1);
  });

  test('says none where nothing failed and no cursor where nothing was pulled', async () => {
    const streams = [
      {
        name: 'docs',
        cursor: null,
        cursor_at: null,
        events_total: 0,
        next_run: null,
        failures: 0,
        reconcile_due: false,
      },
    ];
    const answer = {
      schemaVersion: 1,
      ...connectorView(),
      streams,
      recent_runs: [],
      recent_failures: [],
      dead_letters: 0,
      recent_dead_letters: [],
    };
    const { exit, out } = await weir(['drill', 'git'], { answers: { 'connectors.drill': answer } });
    expect(exit).toBe(0);
    expect(out).toMatch(/Recent Failures \(Last 0\):\n {2}none\n/);
    expect(out).toContain('docs: 0 events, no cursor yet\n');
  });
});

describe('run', () => {
  test.for<[string, number]>([
    ['succeeded', 0],
    ['partial', 1],
    ['failed', 1],
  ])('%s ends with %i', async ([result, expected]) => {
    expect(
      (await weir(['run', 'git'], { answers: { 'connectors.run': { schemaVersion: 1, result, runs: [] } } })).exit,
    ).toBe(expected);
  });

  test('says what came per stream, progress on stderr', async () => {
    const run = {
      id: 'r',
      stream: 'docs',
      started_at: '',
      ended_at: null,
      outcome: 'succeeded',
      counts: COUNTS,
      code: null,
      message: null,
    };
    const { out, err } = await weir(['run', 'git'], {
      answers: { 'connectors.run': { schemaVersion: 1, result: 'succeeded', runs: [run] } },
    });
    expect(out).toBe('git/docs: succeeded - 2 new, 3 known, 4 deleted, 5 failed\n');
    expect(err).toBe('pulling git\n');
  });

  test('in a running Weir shows what the connector is doing, and its answer even when that cannot be told', async () => {
    const { promise: pulled, resolve: end } = Promise.withResolvers<unknown>();
    const lists = [
      listOf(connectorView({ activity: 'running docs,\u001b[2J 412/1000' }))['connectors.list'],
      new Fault('rate_limited', 'too many'),
      undefined,
    ];
    const openSession = () =>
      Promise.resolve({
        kind: 'instance' as const,
        call: async (operation: (typeof OPERATIONS)[number]) => {
          if (operation.name === 'connectors.run') return pulled;
          const list = lists.shift();
          if (lists.length === 0) end({ schemaVersion: 1, result: 'succeeded', runs: [] });
          if (list instanceof Fault) throw list;
          return list ?? listOf()['connectors.list'];
        },
        close: () => Promise.resolve(),
      });
    // The session answers what it is asked; its type says for which operation.
    const change = {
      openSession,
      sleep: () => new Promise<void>((resolve) => void setImmediate(resolve)),
    } as NonNullable<RecordingOptions['change']>;
    const { exit, err } = await weir(['run', 'git'], { change });
    expect({ exit, err }).toEqual({ exit: 0, err: 'pulling git\ngit: running docs,\ufffd[2J 412/1000\n' });
  });
});

describe('events', () => {
  test('--json gives the CloudEvents of the page and where the next one begins', async () => {
    const answer = { schemaVersion: 1, items: [cloudEvent()], next_cursor: 'x', newest: 1 };
    const { out } = await weir(['events', '--json'], { answers: { 'events.list': answer } });
    expect(JSON.parse(out)).toEqual({ schemaVersion: 1, items: [cloudEvent()], next_cursor: 'x' });
  });

  test('says so when none matches', async () => {
    const { exit, out } = await weir(['events'], {
      answers: { 'events.list': { schemaVersion: 1, items: [], next_cursor: null, newest: 0 } },
    });
    expect({ exit, out }).toEqual({ exit: 0, out: 'No event matches.\n' });
  });

  test('--follow without a running Weir is refused with what to do', async () => {
    const { exit, out, err } = await weir(['events', '--follow']);
    expect({ exit, out }).toEqual({ exit: 3, out: '' });
    expect(err).toContain('weir start');
    expect(err).not.toContain('Stop the process');
  });

  test('--follow --json gives the oldest first, one object a line, each once, until interrupted', async () => {
    const interrupted = new AbortController();
    const pages = [
      { schemaVersion: 1, items: [cloudEvent({ id: '2' }), cloudEvent({ id: '1' })], next_cursor: null, newest: 2 },
      {
        schemaVersion: 1,
        items: [cloudEvent({ id: '3' }), cloudEvent({ id: '4', subject: '\u001b[2J\u202e' })],
        next_cursor: null,
        newest: 4,
      },
      { schemaVersion: 1, items: [], next_cursor: null, newest: 4 },
    ];
    const inputs: unknown[] = [];
    const openSession = () =>
      Promise.resolve({
        kind: 'instance' as const,
        call: (operation: (typeof OPERATIONS)[number], input: unknown) => {
          inputs.push(input);
          const page = pages[inputs.length - 1];
          if (page === undefined) interrupted.abort();
          return Promise.resolve(operation.output.parse(page ?? pages[2]));
        },
        close: () => Promise.resolve(),
      });
    // The session answers whatever it is asked; its type says for which operation.
    const change = { openSession, signal: interrupted.signal } as NonNullable<RecordingOptions['change']>;
    const { exit, out } = await weir(['events', '--follow', '--json', '--severity', 'high'], { change });
    expect(exit).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toEqual(['1', '2', '3', '4']);
    expect(inputs).toEqual([
      { severity: 'high', limit: 50 },
      ...[2, 4, 4].map((after) => ({ severity: 'high', after, limit: 200 })),
    ]);
  });

  test('--follow neutralises what it shows line by line', async () => {
    const interrupted = new AbortController();
    const items = [cloudEvent({ data: { title: '\u001b[2J\u202e\u009b' } })];
    const sleep = () => Promise.resolve(interrupted.abort());
    const { out } = await weir(['events', '--follow'], {
      kind: 'instance',
      answers: { 'events.list': { schemaVersion: 1, items, next_cursor: null, newest: 1 } },
      change: { signal: interrupted.signal, sleep },
    });
    expect(out).toMatch(/weir\.git\.docs\.upsert {2}\ufffd\[2J\ufffd\ufffd\n$/);
  });
});

describe('search', () => {
  test('paints the hit and only the hit', async () => {
    const result = {
      connector: 'git',
      tenant: 'default',
      stream: 'docs',
      key: 'a.md',
      title: 'A',
      url: null,
      line: null,
      snippet: 'before \u0002hit\u0003 after',
      score: 1,
      time: '',
    };
    const answers = { 'documents.search': { schemaVersion: 1, total: 1, results: [result] } };
    const { out } = await weir(['search', 'hit'], { answers, outIsTerminal: true });
    expect(out).toContain('  before \u001b[7mhit\u001b[27m after\n');
    expect((await weir(['search', 'hit'], { answers })).out).toBe('A  git:a.md\n  before hit after\n');
  });

  test('joins its words, says when there are more, and when there are none', async () => {
    const { recording, out, err } = await weir(['search', 'a', '"b', 'c"']);
    expect(recording.calls[0]?.input).toEqual({ words: 'a "b c"', limit: 20 });
    expect(err).toMatch(/1 of 2 shown; --limit/);
    expect(out).not.toMatch(/shown/);
    const none = await weir(['search', 'nosuch'], {
      answers: { 'documents.search': { schemaVersion: 1, total: 0, results: [] } },
    });
    expect({ exit: none.exit, out: none.out }).toEqual({ exit: 0, out: 'No document matches nosuch.\n' });
  });
});

describe('queue and worker', () => {
  test('an empty queue is a sentence, not an empty table', async () => {
    expect((await weir(['queue', 'peek'], { answers: { 'queue.peek': { schemaVersion: 1, items: [] } } })).out).toBe(
      'Nothing waits: every sink has everything.\n',
    );
  });

  test('queue stats say what pauses, what is refused and why, tenant by tenant', async () => {
    const { out } = await weir(['queue', 'stats']);
    expect(out).toMatch(/^ingestion:queue: 1 of 10 events \(10 %\), oldest waits 1.5 s, backpressure off$/m);
    expect(out).toMatch(/^Nothing more is accepted until there is room\.$/m);
    expect(out).toMatch(/^Disk: 1\.0 GiB of 1024\.0 GiB free, 0 MiB held back - low: pulls pause$/m);
    expect(out).toMatch(/^a +1 +20 % +go on$/m);
    expect(out).toMatch(/^b +0 +0 % +pause$/m);
  });

  test.for<[boolean, number | null, number, RegExp]>([
    [true, 1, 0, /1 s ago.*alive/],
    [false, 61, 1, /61 s ago.*late/],
    [false, null, 1, /No worker has run/],
  ])('a worker that is alive %s with a heartbeat %j s old ends with %i', async ([alive, lag, expected, sentence]) => {
    const answer = {
      schemaVersion: 1,
      alive,
      last_heartbeat: null,
      lag_seconds: lag,
      limit_seconds: 60,
      pid: 7,
      runs_inflight: 0,
    };
    const { exit, out } = await weir(['worker', 'lag'], { answers: { 'worker.lag': answer } });
    expect(exit).toBe(expected);
    expect(out).toMatch(sentence);
  });
});

describe('check, init and config', () => {
  test('check --offline opens nothing', async () => {
    const { exit, recording } = await weir(['check', '--offline']);
    expect(exit).toBe(0);
    expect(recording.opened).toEqual([]);
  });

  test('check ends with 1 when a finding is wrong and shows its hint', async () => {
    const { exit, out } = await weir(['check']);
    expect(exit).toBe(1);
    expect(out).toContain(`  - ${PLAIN} (${PLAIN})\n`);
  });

  test('warnings go to stderr', async () => {
    const validateConfig = () => Promise.resolve({ file: 'weir.yaml', connections: 1, warnings: ['old\u001b[2J'] });
    const { out, err } = await weir(['check', '--offline', '--json'], { change: { validateConfig } });
    expect(JSON.parse(out)).toMatchObject({ schemaVersion: 1, ok: true });
    expect(err).toBe('warning: old\ufffd[2J\n');
  });

  test('init and config show answer as text and as JSON', async () => {
    const effectiveSettings = () => Promise.resolve([{ key: 'server.port', value: '8000', origin: 'default' }]);
    expect(JSON.parse((await weir(['init', '--json'])).out)).toEqual({
      schemaVersion: 1,
      file: '/somewhere/weir.yaml',
    });
    expect((await weir(['init'])).out).toMatch(/weir check/);
    expect((await weir(['config', 'show'], { change: { effectiveSettings } })).out).toBe(
      'Setting      Value  Origin\nserver.port  8000   default\n',
    );
    expect(JSON.parse((await weir(['config', 'show', '--json'], { change: { effectiveSettings } })).out)).toMatchObject(
      { schemaVersion: 1, settings: [{ key: 'server.port' }] },
    );
    expect(JSON.parse((await weir(['config', 'schema'])).out)).toEqual({ type: 'object' });
  });
});
