import { expect, test } from 'vitest';
import { z } from 'zod';
import { effectiveSettings } from './effective-settings.ts';
import { parseConfig } from './parse-config.ts';

const TEXT = `server:
  host: localhost
logging:
  level: \${LEVEL}
connectors:
  git:
    max_retries: 2
    webhook_secret: hush-1
    credentials: {user: hush-2, password: "\${file:/run/p}"}
    metadata: {path: ., api_key: hush-3, phrase: hush-6, list: [a, {b: "\${MY_TOKEN}"}]}
  host:
    schedule: "0 * * * *"
`;

const parsed = parseConfig({
  text: TEXT,
  file: 'weir.yaml',
  env: { LEVEL: 'debug', MY_TOKEN: 'hush-7', RETRY_MAX_ATTEMPTS: '6', GITHUB_TOKEN: 'hush-4' },
  flags: { port: 9000 },
  cwd: '/project',
  readFile: () => 'hush-5',
  metadataSchemas: new Map([
    [
      'git',
      z.object({
        path: z.string(),
        api_key: z.string(),
        phrase: z.string().meta({ writeOnly: true }),
        list: z.array(z.unknown()),
        commits: z.boolean().default(true),
      }),
    ],
    ['host', z.object({})],
  ]),
});
const settings = effectiveSettings(parsed);
const of = (key: string) => settings.find((each) => each.key === key);

test.each([
  ['server.port', 9000, 'flag --port'],
  ['server.host', 'localhost', 'weir.yaml:2'],
  ['logging.level', 'debug', 'weir.yaml:4 ${LEVEL}'],
  ['retry.max_attempts', 6, 'environment RETRY_MAX_ATTEMPTS'],
  ['retry.base_ms', 400, 'default'],
  ['connectors.git.max_retries', 2, 'weir.yaml:7'],
  ['connectors.git.backoff_base_seconds', 0.4, 'default'],
  ['connectors.host.max_retries', 6, 'environment RETRY_MAX_ATTEMPTS'],
  ['connectors.git.type', 'git', 'default'],
  ['connectors.git.metadata.commits', true, 'default'],
  ['connectors.git.metadata.path', '.', 'weir.yaml:10'],
  ['connectors.git.webhook_secret', '********', 'weir.yaml:8'],
  ['connectors.git.credentials.user', '********', 'weir.yaml:9'],
  ['connectors.git.credentials.password', '********', 'weir.yaml:9 ${file:/run/p}'],
  ['connectors.git.metadata.api_key', '********', 'weir.yaml:10'],
  ['connectors.git.metadata.phrase', '********', 'weir.yaml:10'],
  ['connectors.git.metadata.list', '********', 'weir.yaml:10'],
])('%s is %j from %s', (key, value, origin) => {
  expect(of(key)).toMatchObject({ value, origin });
});

test('a schedule hides the interval that it replaces', () => {
  expect([of('connectors.host.schedule')?.value, of('connectors.host.poll_interval_seconds')]).toEqual([
    '0 * * * *',
    undefined,
  ]);
});

test('no secret is shown, and each key once', () => {
  expect(JSON.stringify(settings)).not.toContain('hush');
  expect(new Set(settings.map(({ key }) => key)).size).toBe(settings.length);
});
