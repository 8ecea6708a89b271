// The command line as scripts and people meet it: real processes on real repositories, no running instance.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  commitDocuments,
  GIT_ONLY,
  temporaryRepository,
  type TemporaryRepository,
} from './process/temporary-repository.ts';
import {
  ROOT,
  startWeir,
  until,
  weir as runWeir,
  type CommandResult,
  type RunningWeir,
} from './process/weir-process.ts';

const BIN = join(ROOT, 'bin/weir.mjs');
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
/** What this test run was started with must not reach the processes it starts. */
const CLEAN = {
  NO_COLOR: '',
  FORCE_COLOR: '',
  USER_ROLE: '',
  WEIR_CONFIG: '',
  WEIR_DATA: '',
  WEIR_PORT: '',
  WEIR_HOST: '',
  XDG_CONFIG_HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  NODE_OPTIONS: '',
};

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

function weir(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  return runWeir(folder, args, { ...CLEAN, ...env });
}

async function json<Shape extends z.ZodType>(
  folder: string,
  args: readonly string[],
  shape: Shape,
): Promise<z.infer<Shape>> {
  const { code, stdout, stderr } = await weir(folder, [...args, '--json']);
  expect({ args, stderr: stderr.split('\n').filter((line) => line.startsWith('weir:')), code }).toMatchObject({
    args,
    stderr: [],
  });
  return shape.parse(JSON.parse(stdout));
}

function folderWith(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-cli-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** One sentence with what to do and the code, no stack, nothing on stdout. */
function expectFault({ code, stdout, stderr }: CommandResult, fault: string, sentence: RegExp, exit = 3): void {
  expect({ code, stdout, stderr }).toMatchObject({
    code: exit,
    stdout: '',
    stderr: expect.stringContaining(`[${fault}]`),
  });
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toMatch(/\n\s+at |node:internal|undefined/);
  expect(stderr).not.toMatch(UNSAFE);
}

// The names of the surfaces that scripts rely on, written out once more on purpose: strict, so that nothing is renamed unseen.
const moment = z.iso.datetime().nullable();
const Connector = z.object({
  name: z.string(),
  type: z.string(),
  tenant: z.string(),
  enabled: z.boolean(),
  health: z.strictObject({
    status: z.enum(['healthy', 'degraded', 'down', 'unknown']),
    reason: z.string().min(1),
    metrics: z.strictObject({
      total_calls: z.int(),
      error_rate: z.number(),
      p50_ms: z.number().nullable(),
      p95_ms: z.number().nullable(),
      p99_ms: z.number().nullable(),
    }),
  }),
  activity: z.string().min(1),
  circuit_state: z.enum(['closed', 'open', 'half_open']),
  last_success: moment,
  next_run: moment,
  events_total: z.int(),
});
const List = z.object({ schemaVersion: z.literal(1), connectors: z.array(Connector) });
const Drill = Connector.extend({
  schemaVersion: z.literal(1),
  streams: z.array(z.object({ name: z.string(), cursor: z.unknown(), events_total: z.int() })),
  recent_runs: z.array(
    z.object({
      stream: z.string(),
      started_at: z.string(),
      outcome: z.string(),
      counts: z.object({ appended: z.int(), deleted: z.int(), failed: z.int() }),
    }),
  ),
  recent_failures: z.array(z.object({ time: z.string(), operation: z.string(), message: z.string() })),
});
const Search = z.object({
  schemaVersion: z.literal(1),
  total: z.int(),
  results: z.array(
    z.object({
      connector: z.string(),
      tenant: z.string(),
      key: z.string(),
      title: z.string(),
      url: z.string().nullable(),
      snippet: z.string(),
      score: z.number(),
      time: z.iso.datetime(),
    }),
  ),
});
const Run = z.object({
  schemaVersion: z.literal(1),
  result: z.enum(['succeeded', 'partial', 'failed']),
  runs: z.array(z.object({ stream: z.string(), outcome: z.string() })),
});
const Event = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.iso.datetime({ offset: true }),
  tenantid: z.string(),
  connectorid: z.string(),
  sequence: z.string(),
  data: z.unknown(),
});
const Queue = z.strictObject({
  schemaVersion: z.literal(1),
  queue_name: z.literal('ingestion:queue'),
  size: z.int(),
  max_size: z.int(),
  usage_pct: z.number(),
  backpressure: z.boolean(),
  oldest_age_seconds: z.number().nullable(),
  bytes: z.int(),
  max_bytes: z.int(),
  intake: z.literal('open'),
  sinks: z.array(z.strictObject({ name: z.string(), lag: z.int(), oldest_age_seconds: z.number().nullable() })),
  tenants: z.array(
    z.strictObject({ tenant: z.string(), size: z.int(), usage_pct: z.number(), backpressure: z.boolean() }),
  ),
  disk: z
    .strictObject({ state: z.string(), free_bytes: z.int(), total_bytes: z.int(), ballast_bytes: z.int() })
    .nullable(),
});

describe('on a repository, without a running instance', () => {
  let repository: TemporaryRepository;
  let folder: string;
  beforeAll(async () => {
    repository = temporaryRepository('connectors:\n  git:\n    metadata: { path: repo }\nlogging:\n  level: debug\n');
    folder = repository.folder;
    repository.write('a.md', '# Alpha\n\nThe weir holds the water. See [Beta](b.md).\n');
    repository.write('b.md', '# Beta \u001b[31mred\u009b32m \u202etxt.exe\n\nBack to [Alpha](a.md).\u0007\n');
    repository.git('add', '.');
    repository.git('commit', '-q', '-m', 'subject \u001b[2J\u202e of the commit');
    const { code, stderr } = await weir(folder, ['run', 'git']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });
  afterAll(() => repository.remove());

  test('list has the promised shape and is healthy', async () => {
    const { connectors } = await json(folder, ['list'], List);
    expect(connectors).toMatchObject([
      {
        name: 'git',
        type: 'git',
        tenant: 'default',
        enabled: true,
        health: { status: 'healthy' },
        events_total: 3,
        circuit_state: 'closed',
      },
    ]);
    expect(connectors[0]?.health.metrics.total_calls).toBeGreaterThan(0);
    expect(connectors[0]?.last_success).not.toBeNull();
  });

  test('drill adds streams with cursors, recent runs and failures', async () => {
    const drill = await json(folder, ['drill', 'git'], Drill);
    expect(drill.streams.map(({ name }) => name).sort()).toEqual(['commits', 'docs']);
    for (const { cursor } of drill.streams) expect(cursor).not.toBeNull();
    expect(drill.recent_runs).toHaveLength(2);
  });

  test('run that finds nothing new says so and succeeds', async () => {
    expect(await json(folder, ['run', 'git'], Run)).toMatchObject({
      result: 'succeeded',
      runs: [{ outcome: 'succeeded' }, { outcome: 'succeeded' }],
    });
    const one = await json(folder, ['run', 'git', '--stream', 'docs'], Run);
    expect(one.runs.map(({ stream }) => stream)).toEqual(['docs']);
  });

  test('search finds a word with its file and line', async () => {
    const { total, results } = await json(folder, ['search', 'water'], Search);
    expect({ total, results }).toMatchObject({
      total: 1,
      results: [
        { connector: 'git', tenant: 'default', key: 'a.md', title: 'Alpha', url: expect.stringMatching(/a\.md#L3$/) },
      ],
    });
    expect(results[0]?.score).toBeGreaterThan(0);
    expect((await json(folder, ['search', 'water', '--connector', 'nosuch'], Search)).total).toBe(0);
  });

  test('search takes any words as words', async () => {
    for (const words of ['"', 'AND OR NOT', 'NEAR(', '*', "'; DROP TABLE library; --", 'title:', '(', '-water']) {
      expect((await weir(folder, ['search', '--json', '--', words])).code).toBe(0);
    }
    expect((await json(folder, ['search', 'water'], Search)).total).toBe(1);
  });

  test('events are CloudEvents, filtered by what was asked', async () => {
    const shape = z.object({ schemaVersion: z.literal(1), items: z.array(Event) });
    expect((await json(folder, ['events'], shape)).items).toHaveLength(3);
    const { items } = await json(
      folder,
      ['events', '--kind', 'signal', '--since', '365000d', '--connector', 'git'],
      shape,
    );
    expect(items).toMatchObject([
      { type: 'weir.git.commits.upsert', connectorid: 'git', source: '/tenants/default/connectors/git/commits' },
    ]);
    expect((await json(folder, ['events', '--until', '2001-01-01'], shape)).items).toEqual([]);
  });

  test('neighbours shows both directions', async () => {
    const { stdout } = await weir(folder, ['neighbours', 'git', 'a.md']);
    expect(stdout).toMatch(/^-> .*b\.md/m);
    expect(stdout).toMatch(/^<- .*b\.md/m);
    expectFault(await weir(folder, ['neighbours', 'git', 'nosuch.md']), 'not_found', /nosuch\.md/);
  });

  test('queue stats, queue peek and worker lag answer', async () => {
    expect(await json(folder, ['queue', 'stats'], Queue)).toMatchObject({
      size: 0,
      usage_pct: 0,
      backpressure: false,
      oldest_age_seconds: null,
    });
    expect(
      await json(folder, ['queue', 'peek'], z.object({ schemaVersion: z.literal(1), items: z.array(z.unknown()) })),
    ).toMatchObject({ items: [] });
    const { code, stdout } = await weir(folder, ['worker', 'lag', '--json']);
    expect({ code, answer: JSON.parse(stdout) }).toMatchObject({
      code: 1,
      answer: { schemaVersion: 1, alive: false, lag_seconds: null },
    });
    expect(readdirSync(folder)).not.toContain(':memory:');
  });

  test('check says what was looked at, and names a connector that is not there', async () => {
    expect(
      await json(
        folder,
        ['check', 'git'],
        z.object({ ok: z.literal(true), connectors: z.array(z.object({ name: z.literal('git') })).length(1) }),
      ),
    ).toBeDefined();
    expect(
      await json(
        folder,
        ['check', '--offline'],
        z.object({ schemaVersion: z.literal(1), ok: z.literal(true), file: z.string() }),
      ),
    ).toBeDefined();
    expectFault(await weir(folder, ['check', 'nosuch']), 'not_found', /nosuch/);
  });

  test.for(['drill nosuch', 'run nosuch', 'run git --stream nosuch'])(
    'what is not there is not found: weir %s',
    async (line) => {
      expectFault(await weir(folder, line.split(' ')), 'not_found', /nosuch/);
    },
  );

  test.for(['events --kind x', 'events --since yesterday', 'search x --limit 201', `search ${'x'.repeat(501)}`])(
    'input that is not valid ends with 3: weir %s',
    async (line) => {
      expectFault(await weir(folder, line.split(' ')), 'input_invalid', /./);
    },
  );

  test('stdout carries the answer alone, at level debug too, and text is free of what a terminal obeys', async () => {
    for (const args of [
      ['list'],
      ['drill', 'git'],
      ['run', 'git'],
      ['check'],
      ['search', 'Alpha'],
      ['events'],
      ['neighbours', 'git', 'a.md'],
      ['queue', 'stats'],
      ['config', 'show'],
      ['config', 'schema'],
    ]) {
      const text = await weir(folder, args);
      expect([args, text.code]).toEqual([args, 0]);
      expect(text.stdout).not.toMatch(UNSAFE);
      expect(text.stderr).not.toMatch(UNSAFE);
      const { code, stdout, stderr } = await weir(folder, [...args, '--json']);
      expect([args, code, typeof JSON.parse(stdout)]).toEqual([args, 0, 'object']);
      expect(stdout).not.toMatch(UNSAFE);
      expect(stderr).not.toContain('"level"');
    }
  });

  test('a pipe has no colour, FORCE_COLOR gives it colour, NO_COLOR and --no-color take it', async () => {
    expect((await weir(folder, ['list'])).stdout).not.toContain('\u001b');
    expect((await weir(folder, ['list'], { FORCE_COLOR: '1' })).stdout).toContain('\u001b[32m● healthy');
    expect((await weir(folder, ['list'], { FORCE_COLOR: '1', NO_COLOR: '1' })).stdout).not.toContain('\u001b');
    expect((await weir(folder, ['list', '--no-color'], { FORCE_COLOR: '1' })).stdout).not.toContain('\u001b');
  });

  test('USER_ROLE decides: Viewer ends with 2, the three roles pass', async () => {
    expectFault(await weir(folder, ['list'], { USER_ROLE: 'Viewer' }), 'role_missing', /Admin, Deployer, Operator/, 2);
    for (const USER_ROLE of ['Admin', 'Deployer', 'Operator'])
      expect((await weir(folder, ['list'], { USER_ROLE })).code).toBe(0);
  });

  test('config show tells where each value comes from, flags and variables before the file', async () => {
    const shape = z.object({
      settings: z.array(z.object({ key: z.string(), value: z.unknown(), origin: z.string() })),
    });
    const { settings } = await json(folder, ['config', 'show', '--data', 'elsewhere'], shape);
    const of = (key: string) => settings.find((one) => one.key === key);
    expect(of('data')).toMatchObject({ value: 'elsewhere', origin: expect.stringMatching(/flag|--data/) });
    expect(of('logging.level')).toMatchObject({ origin: expect.stringMatching(/weir\.yaml:5/) });
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
    const { stdout } = await weir(folder, ['config', 'show'], { WEIR_PORT: '9123' });
    expect(stdout).toMatch(/server\.port +9123 +.*WEIR_PORT/);
  });

  test('an instance file left behind does not hand the command to a stranger on that port', async () => {
    const asked: string[] = [];
    const stranger = createServer((request, response) => {
      asked.push(request.url ?? '');
      response
        .setHeader('content-type', 'application/json')
        .end(
          request.url === '/livez' ? '{"status":"ok"}' : '{"schemaVersion":1,"summary":"A stranger.","connectors":[]}',
        );
    }).listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    undo.push(() => void stranger.close());
    const address = stranger.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const file = join(folder, '.weir/instance.json');
    writeFileSync(
      file,
      JSON.stringify({ pid: 2 ** 22 + 1, url: `http://127.0.0.1:${port}`, started_at: '2026-01-01T00:00:00.000Z' }),
    );
    undo.push(() => rmSync(file, { force: true }));
    const { connectors } = await json(folder, ['list'], List);
    expect(connectors.map(({ name }) => name)).toEqual(['git']);
    expect(asked.filter((path) => path !== '/livez')).toEqual([]);
  });

  test('an instance file that is damaged or points nowhere is passed over', async () => {
    const file = join(folder, '.weir/instance.json');
    undo.push(() => rmSync(file, { force: true }));
    for (const text of [
      '',
      '{',
      'null',
      '{"pid":1,"url":"nonsense","started_at":"x"}',
      JSON.stringify({ pid: 1, url: 'http://127.0.0.1:1', started_at: '2026-01-01T00:00:00.000Z' }),
    ]) {
      writeFileSync(file, text);
      expect((await weir(folder, ['list'])).code).toBe(0);
    }
  });
});

describe('through a running instance', () => {
  let repository: TemporaryRepository;
  let folder: string;
  let running: RunningWeir;
  beforeAll(async () => {
    repository = temporaryRepository();
    folder = repository.folder;
    repository.write('a.md', '# Alpha\n\nThe weir holds the water. See [Beta](b.md).\n');
    repository.write('b.md', '# Beta\n');
    repository.git('add', '.');
    repository.git('commit', '-q', '-m', 'first');
    running = await startWeir(folder, [], CLEAN);
    await until(
      'the first pull has ended',
      async () =>
        (await json(folder, ['queue', 'stats'], Queue)).size === 0 &&
        (await json(folder, ['search', 'water'], Search)).total === 1,
    );
  });
  afterAll(async () => {
    await running.end('SIGTERM');
    repository.remove();
  });

  test('every command answers in the shape it has without one', async () => {
    expect((await json(folder, ['list'], List)).connectors).toMatchObject([{ name: 'git', events_total: 2 }]);
    expect((await json(folder, ['drill', 'git'], Drill)).streams).toMatchObject([{ name: 'docs' }]);
    expect(await json(folder, ['run', 'git'], Run)).toMatchObject({ result: 'succeeded' });
    expect((await json(folder, ['events'], z.object({ items: z.array(Event) }))).items).toHaveLength(2);
    expect(await json(folder, ['check', 'git'], z.object({ ok: z.literal(true) }))).toBeDefined();
    expect(
      await json(folder, ['worker', 'lag'], z.object({ alive: z.literal(true), pid: z.literal(running.child.pid) })),
    ).toBeDefined();
    expect((await weir(folder, ['neighbours', 'git', 'a.md'])).stdout).toMatch(/^-> .*b\.md/m);
  });

  test('what is not there and what is not valid end as they do without one', async () => {
    expectFault(await weir(folder, ['drill', 'nosuch']), 'not_found', /nosuch/);
    expectFault(await weir(folder, ['run', 'git', '--stream', 'nosuch']), 'not_found', /nosuch/);
    expectFault(await weir(folder, ['events', '--since', 'yesterday']), 'input_invalid', /yesterday/);
    expectFault(await weir(folder, ['drill', '../../livez']), 'not_found', /livez/);
    expectFault(await weir(folder, ['neighbours', 'git', 'no?such=&#']), 'not_found', /no\?such=&#/);
  });

  test('events --follow shows what comes, as one object a line, and ends with 130 at Ctrl-C', async () => {
    const child = spawn(process.execPath, [BIN, 'events', '--follow', '--json'], {
      cwd: folder,
      env: { ...process.env, ...CLEAN },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await once(child.stdout, 'data');
    repository.write('c.md', '# Gamma\n');
    repository.git('add', '.');
    repository.git('commit', '-q', '-m', 'second');
    expect(await json(folder, ['run', 'git'], Run)).toMatchObject({ result: 'succeeded' });
    await until('the new one is shown', () => Promise.resolve(stdout.includes('"c.md"')));
    child.kill('SIGINT');
    const [code] = await closed;
    const subjects = stdout
      .trimEnd()
      .split('\n')
      .map((line) => Event.parse(JSON.parse(line)).subject);
    expect({ code, stderr, subjects: subjects.sort() }).toEqual({
      code: 130,
      stderr: '',
      subjects: ['a.md', 'b.md', 'c.md'],
    });
  });

  test('Ctrl-C of a run ends the command with 130 and no complaint of its own making', async () => {
    repository.git('update-ref', '-d', 'refs/heads/main');
    commitDocuments(repository, 2000);
    const child = spawn(process.execPath, [BIN, 'run', 'git', '--json'], {
      cwd: folder,
      env: { ...process.env, ...CLEAN },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.resume();
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    const [code] = await closed;
    expect(code).toBe(130);
    expect(stderr).not.toMatch(/unexpected|\n\s+at /);
  });
});

describe('nothing configured', () => {
  test('list says what to do and ends with 0; search, events and queue are empty', async () => {
    const folder = folderWith();
    const list = await weir(folder, ['list']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(/No connectors are configured.*\n\n {2}connectors:\n {4}git:/);
    expect((await weir(folder, ['search', 'x'])).stdout).toBe('No document matches x.\n');
    expect((await weir(folder, ['events'])).stdout).toBe('No event matches.\n');
    expect((await weir(folder, ['queue', 'peek'])).stdout).toMatch(/Nothing waits/);
    expect((await json(folder, ['list'], List)).connectors).toEqual([]);
  });
});

describe('init', () => {
  test('writes a weir.yaml that is valid, and never touches one that is there', async () => {
    const folder = folderWith();
    expect(await weir(folder, ['init'])).toMatchObject({ code: 0, stderr: '' });
    expect((await weir(folder, ['check', '--offline'])).code).toBe(0);
    writeFileSync(join(folder, 'weir.yaml'), '# mine\n');
    expectFault(await weir(folder, ['init']), 'input_invalid', /weir\.yaml is there already/);
    expect(readFileSync(join(folder, 'weir.yaml'), 'utf8')).toBe('# mine\n');
  });

  test('does not follow a link that points nowhere', async () => {
    const folder = folderWith();
    symlinkSync(join(folder, 'target.yaml'), join(folder, 'weir.yaml'));
    expectFault(await weir(folder, ['init']), 'input_invalid', /there already/);
    expect(existsSync(join(folder, 'target.yaml'))).toBe(false);
  });

  test('into a folder that is not there says which', async () => {
    expectFault(
      await weir(folderWith(), ['init', '--config', 'nosuch/weir.yaml']),
      'storage_unreachable',
      /nosuch\/weir\.yaml cannot be written/,
    );
  });
});

describe('a configuration that cannot be used', () => {
  const BROKEN =
    'connectors:\n  git:\n    enabled: yes\n    pol_interval_seconds: 5\n    metadata: { path: 7 }\n  other:\n    type: gti\nsrver: {}\n';

  test.for(['list', 'check', 'check --offline', 'run git', 'config show', 'worker lag'])(
    'names every place at once and ends with 3: weir %s',
    async (line) => {
      const folder = folderWith({ 'weir.yaml': BROKEN });
      const result = await weir(folder, line.split(' '));
      expectFault(result, 'config_invalid', /weir\.yaml:3:\d+.*enabled/);
      expect(result.stderr).toMatch(/weir\.yaml:4:\d+.*poll_interval_seconds/);
      expect(result.stderr).toMatch(/weir\.yaml:5:\d+.*path/);
      expect(result.stderr).toMatch(/weir\.yaml:7:\d+.*type.*git/);
      expect(result.stderr).toMatch(/weir\.yaml:8:\d+.*server/);
      expect(existsSync(join(folder, '.weir'))).toBe(false);
    },
  );

  test('with --json each place is an object with file, line and column', async () => {
    const { code, stdout, stderr } = await weir(folderWith({ 'weir.yaml': BROKEN }), ['list', '--json']);
    const place = z.object({ path: z.string(), problem: z.string(), file: z.string(), line: z.int(), column: z.int() });
    const problem = z
      .object({
        code: z.literal('config_invalid'),
        detail: z.string(),
        hint: z.string(),
        problems: z.array(place).min(5),
      })
      .parse(JSON.parse(stderr));
    expect({ code, stdout, lines: problem.problems.map(({ line }) => line) }).toMatchObject({
      code: 3,
      stdout: '',
      lines: expect.arrayContaining([3, 4, 5, 7, 8]),
    });
  });

  test('a type nobody knows is told with the nearest and with what there is', async () => {
    const { stderr } = await weir(folderWith({ 'weir.yaml': 'connectors:\n  x:\n    type: gti\n' }), ['list']);
    expect(stderr).toMatch(/weir\.yaml:3:\d+ .*did you mean git\?.*known types: .*git.*host.*logs/);
  });

  test('a file that was named and is not there, and one that is a folder', async () => {
    const folder = folderWith();
    mkdirSync(join(folder, 'weir.yaml'));
    expectFault(await weir(folder, ['list']), 'config_invalid', /weir\.yaml cannot be read/);
    expectFault(
      await weir(folder, ['list', '--config', 'nosuch.yaml']),
      'config_invalid',
      /nosuch\.yaml does not exist/,
    );
    expectFault(
      await weir(folder, ['list'], { WEIR_CONFIG: 'nosuch.yaml' }),
      'config_invalid',
      /nosuch\.yaml does not exist/,
    );
  });

  test('hostile names in it are shown without acting on the terminal', async () => {
    const { code, stderr } = await weir(
      folderWith({ 'weir.yaml': 'connectors:\n  "a\\e[31m\\u202e":\n    type: "x\\e[2J"\n"\\e]0;title\\a": 1\n' }),
      ['list'],
    );
    expect(code).toBe(3);
    expect(stderr).not.toMatch(UNSAFE);
  });

  test('a secret in it is never shown', async () => {
    const folder = folderWith({
      'weir.yaml':
        'connectors:\n  git:\n    webhook_secret: "${WEBHOOK}"\n    credentials: "${TOKEN}"\n    metadata: { path: . }\n',
    });
    const env = { WEBHOOK: 'hush-hush-hush-1', TOKEN: 'hush-hush-hush-2' };
    for (const args of [['config', 'show'], ['config', 'show', '--json'], ['check'], ['list']]) {
      const { stdout, stderr } = await weir(folder, args, env);
      expect(stdout + stderr).not.toContain('hush');
    }
  });

  test('an empty --data is refused: the working directory is nobody’s data', async () => {
    const folder = folderWith();
    const { code } = await weir(folder, ['list', '--data', '']);
    expect({ code, files: readdirSync(folder) }).toEqual({ code: 3, files: [] });
  });
});

describe('data that cannot be used', () => {
  test.for<[string, string | Buffer]>([
    ['text', 'a letter to a friend. '.repeat(500)],
    ['a few bytes', 'xx'],
    ['noise', Buffer.from(Array.from({ length: 8192 }, (_, at) => (at * 7919) % 251))],
    ['a database header and nothing behind', 'SQLite format 3\u0000'],
  ])('a data file that is %s is refused and left as it is', async ([, content]) => {
    const folder = folderWith({ 'weir.yaml': GIT_ONLY });
    mkdirSync(join(folder, '.weir'));
    const file = join(folder, '.weir/weir.sqlite');
    writeFileSync(file, content);
    for (const args of [['list'], ['run', 'git'], ['search', 'x']])
      expectFault(await weir(folder, args), 'storage_broken', /weir\.sqlite: it is not a Weir database|damaged/);
    expect(readFileSync(file).equals(Buffer.from(content))).toBe(true);
    expect(readdirSync(join(folder, '.weir')).filter((name) => !/^weir\.(sqlite|lock)$/.test(name))).toEqual([]);
  });

  test('a database of somebody else is refused and left as it is', async () => {
    const folder = folderWith();
    mkdirSync(join(folder, '.weir'));
    const file = join(folder, '.weir/weir.sqlite');
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE bookmark (url TEXT); INSERT INTO bookmark VALUES ('x')");
    db.close();
    const before = readFileSync(file);
    expectFault(await weir(folder, ['list']), 'storage_broken', /not a Weir database/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('a data directory that is a file, or that cannot be made', async () => {
    const folder = folderWith({ occupied: 'a file' });
    expectFault(await weir(folder, ['list', '--data', 'occupied']), 'storage_unreachable', /occupied/);
    expectFault(await weir(folder, ['run', 'git', '--data', 'occupied/below']), 'storage_unreachable', /below/);
    expectFault(await weir(folder, ['run', 'git', '--data', '/proc/nosuch']), 'storage_unreachable', /\/proc\/nosuch/);
    expectFault(await weir(folder, ['list', '--data', '/dev/null']), 'storage_unreachable', /\/dev\/null/);
    expect(readFileSync(join(folder, 'occupied'), 'utf8')).toBe('a file');
  });

  test('data that another process holds: a sentence, 3, and nothing changed', async () => {
    const folder = folderWith();
    mkdirSync(join(folder, '.weir'));
    const lock = new DatabaseSync(join(folder, '.weir/weir.lock'));
    lock.exec('BEGIN EXCLUSIVE');
    try {
      const { code, stdout, stderr } = await weir(folder, ['list']);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toMatch(/another Weir process|in use/);
      expect(stderr).toMatch(/\[(storage_locked|instance_unreachable)\]/);
      expect((await weir(folder, ['worker', 'lag'])).stdout).toMatch(/No worker/);
    } finally {
      lock.close();
    }
    expect((await weir(folder, ['list'])).code).toBe(0);
  });

  test('commands that follow each other at once all get their turn', async () => {
    const folder = folderWith();
    const results = await Promise.all([1, 2, 3].map(() => weir(folder, ['list'])));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
  });
});

describe('the end of a process', () => {
  test('a reader that leaves early is no error', async () => {
    const repository = temporaryRepository();
    undo.push(() => repository.remove());
    commitDocuments(repository, 300);
    expect((await weir(repository.folder, ['run', 'git'])).code).toBe(0);
    const script = `"$0" "$1" events --json --limit 200 | head -c 100 >/dev/null; echo "\${PIPESTATUS[0]}"; "$0" "$1" --help | true; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script, process.execPath, BIN], {
      cwd: repository.folder,
      env: { ...process.env, ...CLEAN },
    });
    expect({ stdout, stderr }).toEqual({ stdout: '0\n0\n', stderr: '' });
    expect((await weir(repository.folder, ['list'])).code).toBe(0);
  });

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s ends a run with %i, and the next one completes what is missing',
    { timeout: 60_000 },
    async ([signal, expected]) => {
      const repository = temporaryRepository();
      undo.push(() => repository.remove());
      commitDocuments(repository, 3000);
      const child = spawn(process.execPath, [BIN, 'run', 'git', '--json'], {
        cwd: repository.folder,
        env: { ...process.env, ...CLEAN },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const closed = once(child, 'close');
      child.stdout.resume();
      await once(child.stderr, 'data');
      child.kill(signal);
      const [code] = await closed;
      expect(code).toBe(expected);
      expect(await json(repository.folder, ['run', 'git'], Run)).toMatchObject({ result: 'succeeded' });
      expect(await json(repository.folder, ['search', 'Rivers', '--limit', '1'], Search)).toMatchObject({
        total: 3000,
      });
      expect((await json(repository.folder, ['list'], List)).connectors).toMatchObject([
        { events_total: 3000, health: { status: 'healthy' } },
      ]);
    },
  );

  test('an error nobody caught ends with 3 and one line', async () => {
    const { folder, remove } = temporaryRepository();
    undo.push(remove);
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent("setTimeout(() => { throw new Error('boom') }, 0)")}`;
    const { code, stdout, stderr } = await weir(folder, ['check'], { NODE_OPTIONS });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^(testing git\n)?weir: .*boom.*\n$/);
  });

  test('usage errors end with 3, not with the 1 of an unhealthy connector', async () => {
    const folder = folderWith();
    for (const args of [['nosuch'], ['list', '--nosuch'], ['drill'], []])
      expect((await weir(folder, args)).code).toBe(3);
    expect((await weir(folder, ['lst'])).stderr).toContain('Did you mean list?');
    for (const args of [['--help'], ['--version'], ['run', '--help']])
      expect(await weir(folder, args)).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(folder)).toEqual([]);
  });
});
