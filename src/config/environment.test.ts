import { describe, expect, test } from 'vitest';
import { ENVIRONMENT } from './environment.ts';
import { baseSchema, schemasAt } from './json-schema.ts';
import { parseConfig, type ParseConfigInput } from './parse-config.ts';

const parse = (more: Partial<ParseConfigInput>) =>
  parseConfig({ text: '', file: '/p/weir.yaml', env: {}, cwd: '/cwd', readFile: () => '', ...more }).config;

// The names that deployments of the requirements already use.
const REQUIRED = `RETRY_MAX_ATTEMPTS RETRY_BASE_MS RETRY_CAP_MS RETRY_JITTER_PCT CB_FAILURES_TO_OPEN CB_COOLDOWN_S CB_HALF_OPEN_PROB
  CONNECTOR_RETRY_MAX_ATTEMPTS CONNECTOR_RETRY_BASE_DELAY_MS CONNECTOR_TIMEOUT_MS CONNECTOR_CIRCUIT_BREAKER_THRESHOLD
  CONNECTOR_HEALTH_P95_MS CONNECTOR_HEALTH_ERROR_RATE OAUTH_TOKEN_PATH OAUTH_REFRESH_SAFETY_WINDOW_S OAUTH2_REQUIRED
  OBS_METRICS_ENABLED GITHUB_TOKEN GITHUB_WEBHOOK_SECRET REDIS_PASSWORD USER_ROLE WEIR_CONFIG WEIR_DATA WEIR_PORT WEIR_HOST`;

describe('the table of variables', () => {
  test('holds every name of the requirements once', () => {
    const names = ENVIRONMENT.map(({ variable }) => variable);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(REQUIRED.split(/\s+/)));
  });

  test.each(ENVIRONMENT.filter(({ key }) => key !== undefined))(
    '$variable stands for a key of the schema, of its form',
    ({ key, form, connectionType }) => {
      const path = connectionType === undefined ? (key ?? []) : ['connectors', 'x', ...(key ?? [])];
      const types = schemasAt(baseSchema(), path).map(({ type }) => type);
      const expected = { number: ['number', 'integer'], boolean: ['boolean'], text: ['string'] }[form];
      expect(types.some((type) => type !== undefined && expected.includes(type))).toBe(true);
    },
  );
});

describe('precedence', () => {
  test('flags, then variables, then the project file, then the user file, then the default', () => {
    const userFile = { file: '/home/u/weir.yaml', text: 'server: {port: 1001, host: user}' };
    const project = { text: 'server: {port: 1002}', userFile };
    const env = { WEIR_PORT: '1003' };
    const ports = [
      parse({}),
      parse({ userFile }),
      parse(project),
      parse({ ...project, env }),
      parse({ ...project, env, flags: { port: 1004 } }),
    ].map(({ server }) => server.port);
    expect(ports).toEqual([8000, 1001, 1002, 1003, 1004]);
    expect(parse(project).server.host).toBe('user');
  });

  test('CONNECTOR_* wins over RETRY_* and CB_*, and a key of the connection over both', () => {
    const env = {
      RETRY_MAX_ATTEMPTS: '4',
      CONNECTOR_RETRY_MAX_ATTEMPTS: '5',
      RETRY_BASE_MS: '10',
      CONNECTOR_RETRY_BASE_DELAY_MS: '20',
      CB_FAILURES_TO_OPEN: '6',
      CONNECTOR_CIRCUIT_BREAKER_THRESHOLD: '7',
    };
    const config = parse({
      env,
      text: 'retry: {max_attempts: 9}\nconnectors: {a: {max_retries: 2, backoff_base_seconds: 1, circuit_breaker_failure_threshold: 3}, b: {}}',
    });
    const [a, b] = config.connections;
    expect([config.retry.attemptsMax, config.retry.baseMs, config.circuitBreaker.failuresToOpen]).toEqual([5, 20, 7]);
    expect([a?.retry.attemptsMax, a?.retry.baseMs, a?.circuitBreaker.failuresToOpen]).toEqual([2, 1000, 3]);
    expect([b?.retry.attemptsMax, b?.retry.baseMs, b?.circuitBreaker.failuresToOpen]).toEqual([5, 20, 7]);
  });

  test.each(['true', 'TRUE', '1', 'yes', 'on'])('OBS_METRICS_ENABLED=%s switches metrics on', (text) => {
    expect(parse({ env: { OBS_METRICS_ENABLED: text } }).metrics.enabled).toBe(true);
  });

  test.each(['false', '0', 'no', 'off', ''])('OBS_METRICS_ENABLED=%j leaves metrics off', (text) => {
    expect(parse({ env: { OBS_METRICS_ENABLED: text } }).metrics.enabled).toBe(false);
  });

  test.each(['x', '1e999', '0x10', '1,5', ' ', 'NaN'])(
    'RETRY_CAP_MS=%j is a problem that names the variable',
    (text) => {
      expect(() => parse({ env: { RETRY_CAP_MS: text } })).toThrow(
        'environment RETRY_CAP_MS  retry.cap_ms  must be a number',
      );
    },
  );

  test('schedule in the project file replaces the interval of the user file', () => {
    const userFile = { file: '/home/u/weir.yaml', text: 'connectors: {a: {poll_interval_seconds: 5, batch_size: 7}}' };
    expect(parse({ userFile, text: 'connectors: {a: {schedule: "0 * * * *"}}' }).connections[0]).toMatchObject({
      schedule: { kind: 'cron' },
      batchSize: 7,
    });
  });
});

describe('GITHUB_TOKEN', () => {
  const env = { GITHUB_TOKEN: 'tok', GITHUB_WEBHOOK_SECRET: 'sec' };
  const of = (text: string) =>
    parse({ env, text }).connections.map(({ credentials, webhookSecrets }) => ({ credentials, webhookSecrets }));

  test('is used by connections of type github that set no credentials', () => {
    expect(
      of('connectors: {github: {}, mine: {type: github, credentials: own, webhook_secret: mysec}, git: {}}'),
    ).toEqual([
      { credentials: {}, webhookSecrets: [] },
      { credentials: { token: 'tok' }, webhookSecrets: ['sec'] },
      { credentials: { token: 'own' }, webhookSecrets: ['mysec'] },
    ]);
  });

  test('is never sent to another address', () => {
    expect(of('connectors: {github: {base_url: "https://git.example.com"}}')[0]?.credentials).toEqual({});
  });

  test('does not hide a reference whose variable is missing', () => {
    expect(() => of('connectors: {github: {credentials: "${OTHER_TOKEN}"}}')).toThrow(
      'the variable OTHER_TOKEN is not set',
    );
  });
});
