import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import { parseConfig, type ParseConfigInput, type ParsedConfig } from './parse-config.ts';
import { formatProblems } from './problem.ts';

const metadataSchemas = new Map<string, z.ZodType>([
  [
    'git',
    z.object({
      path: z.string(),
      ref: z.string().optional(),
      docs_path: z.string().default('.'),
      commits: z.boolean().default(true),
    }),
  ],
  ['host', z.strictObject({ interval_seconds: z.number().min(1).default(5) })],
  ['github', z.object({ owner: z.string(), repo: z.string() })],
  [
    'logs',
    z.object({
      paths: z.array(z.string()).min(1),
      format: z.enum(['auto', 'json', 'text']).default('auto'),
      min_severity: z.string().optional(),
    }),
  ],
]);

function parse(text: string, more: Partial<ParseConfigInput> = {}): ParsedConfig {
  return parseConfig({
    text,
    file: '/project/weir.yaml',
    env: {},
    cwd: '/cwd',
    readFile: () => '',
    metadataSchemas,
    ...more,
  });
}

function faultOf(text: string, more: Partial<ParseConfigInput> = {}): Fault {
  try {
    parse(text, more);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault was thrown');
}

const linesOf = (text: string, more: Partial<ParseConfigInput> = {}): readonly string[] =>
  formatProblems(faultOf(text, more).problems.map((each) => ({ hint: '', ...each }))).split('\n');

describe('an empty configuration', () => {
  test('has the documented defaults', () => {
    expect(parse('').config).toMatchObject({
      directory: '/project',
      dataDirectory: '/project/.weir',
      server: { host: '127.0.0.1', port: 8000 },
      queue: { eventsMax: 10_000, bytesMax: 2 ** 30 },
      scheduler: { runsMax: 4, runsPerTypeMax: 2, sliceMs: 30_000 },
      retry: { attemptsMax: 3, baseMs: 400, capMs: 60_000, jitterRatio: 0.2 },
      circuitBreaker: { failuresToOpen: 5, cooldownMs: 60_000, halfOpenProbability: 0.2 },
      health: { p95MsMax: 2000, errorRatioMax: 0.1, windowMs: 3_600_000, callsMin: 10 },
      logging: { level: 'info' },
      metrics: { enabled: false },
      oauth: { refreshSafetyWindowMs: 300_000, required: false },
      allowedPaths: ['/project'],
      connections: [],
    });
  });

  test('sections that are all commented out count as not written', () => {
    expect(parse('connectors:\nserver:\n  # port: 1\n').config).toEqual(parse('').config);
  });
});

describe('a connection', () => {
  test('takes the keys of the requirements', () => {
    const { config } = parse(
      `connectors:
  github:
    enabled: true
    poll_interval_seconds: 300  # 5 minutes
    batch_size: 50
    max_retries: 4
    backoff_base_seconds: 2.0
    circuit_breaker_enabled: true
    circuit_breaker_failure_threshold: 6
    circuit_breaker_timeout_seconds: 61
    webhook_secret: "\${GITHUB_WEBHOOK_SECRET}"
    metadata:
      owner: "your-org"
      repo: "your-repo"
`,
      { env: { GITHUB_WEBHOOK_SECRET: 'hush' } },
    );
    expect(config.connections).toEqual([
      {
        name: 'github',
        type: 'github',
        tenant: 'default',
        enabled: true,
        directory: '/project',
        schedule: { kind: 'interval', pollIntervalMs: 300_000 },
        batchSize: 50,
        retry: { attemptsMax: 4, baseMs: 2000, capMs: 60_000, jitterRatio: 0.2 },
        circuitBreaker: { enabled: true, failuresToOpen: 6, cooldownMs: 61_000, halfOpenProbability: 0.2 },
        timeoutMs: 30_000,
        webhookSecrets: ['hush'],
        credentials: {},
        metadata: { owner: 'your-org', repo: 'your-repo' },
      },
    ]);
  });

  test('inherits what it does not say, and its metadata get the defaults of its connector', () => {
    const [host] = parse(
      'retry: {max_attempts: 7, base_ms: 5}\ncircuit_breaker: {cooldown_seconds: 9}\nconnectors: {mine: {type: host}}',
    ).config.connections;
    expect(host).toMatchObject({
      retry: { attemptsMax: 7, baseMs: 5 },
      circuitBreaker: { enabled: true, failuresToOpen: 5, cooldownMs: 9000 },
      metadata: { interval_seconds: 5 },
    });
  });

  test.each([
    ['"*/15 * * * *"', { kind: 'cron', cron: '*/15 * * * *' }],
    [
      '{cron: "0 3 * * mon-fri", timezone: Europe/Berlin}',
      { kind: 'cron', cron: '0 3 * * mon-fri', timeZone: 'Europe/Berlin' },
    ],
  ])('schedule %s', (schedule, expected) => {
    expect(parse(`connectors: {host: {schedule: ${schedule}}}`).config.connections[0]?.schedule).toEqual(expected);
  });

  test('polls and waits as its type suggests, unless the user says otherwise', () => {
    const connectorLimits = new Map([['host', { callTimeoutMs: 7, pollIntervalMsDefault: 8 }]]);
    const of = (text: string, env = {}) =>
      parse(text, { connectorLimits, env }).config.connections.map(({ schedule, timeoutMs }) => [schedule, timeoutMs]);
    const interval = (pollIntervalMs: number) => ({ kind: 'interval', pollIntervalMs });
    expect(of('connectors: {host: {}, logs: {metadata: {paths: [a]}}}')).toEqual([
      [interval(8), 7],
      [interval(300_000), 30_000],
    ]);
    expect(of('connectors: {host: {poll_interval_seconds: 9}}', { CONNECTOR_TIMEOUT_MS: '500' })).toEqual([
      [interval(9000), 500],
    ]);
  });

  test('two webhook secrets, a single token and named credentials', () => {
    const { connections } = parse(
      'connectors:\n  host: {webhook_secret: [a, b], credentials: t0ken}\n  two: {type: host, credentials: {user: u, password: p}}',
    ).config;
    expect(connections.map(({ webhookSecrets, credentials }) => ({ webhookSecrets, credentials }))).toEqual([
      { webhookSecrets: ['a', 'b'], credentials: { token: 't0ken' } },
      { webhookSecrets: [], credentials: { user: 'u', password: 'p' } },
    ]);
  });
});

describe('every problem at once', () => {
  const BROKEN = `server:
  prot: 8080
  port: "8080"
conectors: {}
connectors:
  git:
    enabled: yes
    poll_intervall_seconds: 60
    metadata: {pth: "."}
  health: {type: host}
  Bad Name: {type: host}
  slak: {}
  both:
    type: host
    schedule: "61 * * * *"
    poll_interval_seconds: 5
    batch_size: 0
    metadata: {interval_seconds: "\${MISSING_ONE}"}
  token:
    type: github
    credentials: \${TOKEN_DIGITS}
    base_url: http://user:pw@example.com/
    metadata: {owner: 5, repo: r, batch_size: 3}
batch_size: 5
logging: {level: warning}
`;
  const lines = linesOf(BROKEN, { env: { TOKEN_DIGITS: '4711', RETRY_BASE_MS: 'fast', WEIR_PORT: '99999' } });

  test.each([
    '/project/weir.yaml:2:3  server.prot  unknown key  did you mean port?',
    '/project/weir.yaml:4:1  conectors  unknown key  did you mean connectors?',
    '/project/weir.yaml:7:14  connectors.git.enabled  must be true or false, is text  YAML 1.2 reads this word as text: write true',
    '/project/weir.yaml:8:5  connectors.git.poll_intervall_seconds  unknown key  did you mean poll_interval_seconds?',
    '/project/weir.yaml:9:16  connectors.git.metadata.pth  unknown key  did you mean path?',
    '/project/weir.yaml:9:5  connectors.git.metadata.path  is required',
    '/project/weir.yaml:10:3  connectors.health  is reserved: /webhooks/health is an address of Weir itself  rename it',
    '/project/weir.yaml:11:3  connectors."Bad Name"  must be 1 to 63 of a-z, 0-9, _ and -, beginning with a letter or digit  rename it',
    '/project/weir.yaml:12:3  connectors.slak  the name is no connector type and type is not given  known types: git, github, host, logs',
    '/project/weir.yaml:15:5  connectors.both.schedule  schedule and poll_interval_seconds exclude each other  keep one of them',
    '/project/weir.yaml:18:34  connectors.both.metadata.interval_seconds  the variable MISSING_ONE is not set or empty  set it, or give a default: ${MISSING_ONE:-…}',
    '/project/weir.yaml:21:18  connectors.token.credentials  must be text or a mapping (name: value), is a number  put quotes around the reference: "${TOKEN_DIGITS}"',
    '/project/weir.yaml:23:23  connectors.token.metadata.owner  must be text, is a number  put it in quotes',
    '/project/weir.yaml:23:35  connectors.token.metadata.batch_size  unknown key  it belongs under connectors.token',
    '/project/weir.yaml:24:1  batch_size  unknown key  it belongs under connectors.<name>',
    '/project/weir.yaml:25:18  logging.level  must be one of debug, info, warn, error  did you mean warn?',
    'environment RETRY_BASE_MS  retry.base_ms  must be a number  correct or unset the variable',
  ])('%s', (line) => {
    expect(lines).toContain(line);
  });

  test.each([
    /^\/project\/weir\.yaml:15:15 {2}connectors\.both\.schedule {2}the minute field must use 0 to 59/,
    /^\/project\/weir\.yaml:17:17 {2}connectors\.both\.batch_size {2}must be at least 1 {2}Records asked for/,
    /^\/project\/weir\.yaml:22:15 {2}connectors\.token\.base_url {2}must not carry a user name or password/,
    /^environment WEIR_PORT {2}server\.port {2}must be at most 65535/,
  ])('%s', (pattern) => {
    expect(lines.filter((line) => pattern.test(line))).toHaveLength(1);
  });

  test('nothing is said twice, and nothing else is said', () => {
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines).toHaveLength(21);
  });

  test('a port set by a variable hides the text in the file, which is then no problem', () => {
    expect(linesOf(BROKEN).filter((line) => line.includes('server.port'))).toEqual([
      '/project/weir.yaml:3:9  server.port  must be a number, is text  remove the quotes',
    ]);
  });

  test('the fault is config_invalid, ends with exit code 3 and carries the formatted list', () => {
    const fault = faultOf(BROKEN);
    expect([fault.code, fault.row.exit]).toEqual(['config_invalid', 3]);
    expect(fault.message).toContain('weir.yaml:4:1  conectors');
  });

  test('an unknown type suggests the nearest one', () => {
    expect(linesOf('connectors: {a: {type: gti}}')).toEqual([
      '/project/weir.yaml:1:24  connectors.a.type  unknown connector type  did you mean git? known types: git, github, host, logs',
    ]);
  });

  test('at most 100 problems are listed', () => {
    const fault = faultOf(Array.from({ length: 250 }, (_, i) => `key_${i}: 1`).join('\n'));
    expect(fault.problems).toHaveLength(100);
    expect(fault.message).toContain('… and 150 more');
  });

  test('control characters of a key do not reach the terminal', () => {
    expect(linesOf('"\\e[31mred": 1').join()).not.toContain('\u001b');
  });
});

describe('missing variables', () => {
  const TWO =
    'connectors:\n  github:\n    credentials: {a: "${ONE}", b: "${TWO}"}\n    metadata: {owner: "${THREE}", repo: r}\n';

  test('are all named with their lines', () => {
    expect(linesOf(TWO).map((line) => line.replace(/ is not set.*/, ''))).toEqual([
      '/project/weir.yaml:3:22  connectors.github.credentials.a  the variable ONE',
      '/project/weir.yaml:3:35  connectors.github.credentials.b  the variable TWO',
      '/project/weir.yaml:4:23  connectors.github.metadata.owner  the variable THREE',
    ]);
  });

  test('of a disabled connection are warnings, also inside lists and required metadata', () => {
    const { warnings, config } = parse(`${TWO}    webhook_secret: ["\${FOUR}", ok]\n    enabled: false\n`);
    expect(warnings.map(({ line, problem }) => `${line} ${problem}`)).toEqual(
      ['3 ONE', '3 TWO', '4 THREE', '5 FOUR'].map(
        (each) => `${each.slice(0, 2)}the variable ${each.slice(2)} is not set or empty`,
      ),
    );
    expect(config.connections[0]).toMatchObject({
      enabled: false,
      credentials: {},
      webhookSecrets: [],
      metadata: { repo: 'r' },
    });
  });

  test('that a higher layer replaces do not count', () => {
    const userFile = { file: '/home/u/.config/weir/weir.yaml', text: 'server: {host: "${NOWHERE}"}' };
    expect(parse('server: {host: localhost}', { userFile }).config.server.host).toBe('localhost');
    expect(linesOf('', { userFile })).toEqual([
      expect.stringContaining('/home/u/.config/weir/weir.yaml:1:16  server.host  the variable NOWHERE is not set'),
    ]);
  });
});

describe('secrets', () => {
  const CANARY = 'c4n4ry-0123456789';
  test.each([
    'server: {port: "${CANARY}"}',
    'connectors: {a: {type: "${CANARY}"}}',
    'connectors: {host: {metadata: {interval_seconds: "${CANARY}"}}}',
    'connectors: {host: {schedule: "${CANARY}", tenant: "${CANARY}", base_url: "${CANARY}"}}',
    'logging: {level: "${CANARY}"}',
    'connectors: {host: {schedule: {cron: "* * * * *", timezone: "${CANARY}"}}}',
    'connectors: {host: {credentials: ["${CANARY}"]}}',
    'connectors: {logs: {metadata: {paths: [a], format: "${file:/secret}"}}}',
  ])('never appear in the error of %s', (text) => {
    const fault = faultOf(text, { env: { CANARY }, readFile: () => CANARY });
    expect(fault.problems.length).toBeGreaterThan(0);
    expect(JSON.stringify([fault.message, fault.problems, fault.hint, fault.details])).not.toContain('c4n4ry');
  });

  test('are not even hinted at by a suggestion', () => {
    expect(
      linesOf('logging: {level: "${L}"}\nconnectors: {a: {type: "${T}"}}', { env: { L: 'warning', T: 'gti' } }).join(),
    ).not.toContain('did you mean');
  });

  test('in variables of a wrong form are not repeated', () => {
    expect(faultOf('', { env: { RETRY_BASE_MS: CANARY, OBS_METRICS_ENABLED: CANARY } }).message).not.toContain(
      'c4n4ry',
    );
  });
});

describe('paths', () => {
  test('of a file start at its directory, of variables and flags at the working directory', () => {
    const userFile = {
      file: '/home/u/weir.yaml',
      text: 'logging: {file: user.log}\nconnectors: {host: {enabled: false}}',
    };
    const { config } = parse(
      'data: store\nallowed_paths: [., /abs, ../up]\nconnectors: {git: {metadata: {path: "."}}}',
      { userFile },
    );
    expect([config.dataDirectory, config.logging.file, config.allowedPaths]).toEqual([
      '/project/store',
      '/home/u/user.log',
      ['/project', '/abs', '/up'],
    ]);
    expect(config.connections.map(({ name, directory }) => [name, directory])).toEqual([
      ['git', '/project'],
      ['host', '/home/u'],
    ]);
    expect(parse('data: store', { env: { WEIR_DATA: 'd' } }).config.dataDirectory).toBe('/cwd/d');
    expect(parse('data: store', { env: { WEIR_DATA: 'd' }, flags: { data: '/flag' } }).config.dataDirectory).toBe(
      '/flag',
    );
  });

  test('in ${file:…} start at the directory of the file', () => {
    const asked: string[] = [];
    const readFile = (path: string): string => {
      asked.push(path);
      return 't\n';
    };
    expect(
      parse('connectors: {host: {credentials: "${file:secret/t}"}}', { readFile }).config.connections[0]?.credentials,
    ).toEqual({ token: 't' });
    expect(asked).toEqual(['/project/secret/t']);
  });
});
