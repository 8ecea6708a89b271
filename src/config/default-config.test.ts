import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defaultConfigText } from './default-config.ts';
import { parseConfig } from './parse-config.ts';

// The surfaces that the connectors promise.
const metadataSchemas = new Map<string, z.ZodType>([
  [
    'git',
    z.strictObject({ path: z.string(), ref: z.string().optional(), docs_path: z.string(), commits: z.boolean() }),
  ],
  ['host', z.strictObject({ interval_seconds: z.number() })],
  [
    'logs',
    z.strictObject({
      paths: z.array(z.string()),
      format: z.enum(['auto', 'json', 'text']),
      min_severity: z.enum(['low', 'medium', 'high', 'critical']),
    }),
  ],
  ['github', z.strictObject({ owner: z.string(), repo: z.string(), docs_path: z.string() })],
]);
const options = {
  schemaPath: './schema/weir.schema.json',
  repositoryPath: '.',
  docsPath: 'docs',
  logsPath: '.weir/logs/*.log',
  logFile: '.weir/logs/weir.log',
};
const parse = (text: string, env = {}) =>
  parseConfig({ text, file: '/p/weir.yaml', env, cwd: '/', readFile: () => '', metadataSchemas });

describe('the first weir.yaml', () => {
  test('parses without problem or warning, into connectors that need no account', () => {
    const { config, warnings } = parse(defaultConfigText(options));
    expect(warnings).toEqual([]);
    expect(config.logging.file).toBe('/p/.weir/logs/weir.log');
    expect(config.connections.map(({ name, metadata }) => [name, metadata])).toEqual([
      ['git', { path: '.', docs_path: 'docs', commits: true }],
      ['host', { interval_seconds: 5 }],
      ['logs', { paths: ['.weir/logs/*.log'], format: 'auto', min_severity: 'medium' }],
    ]);
  });

  test('names the schema in its first line, in a clone only', () => {
    expect(defaultConfigText(options).split('\n')[0]).toBe('# yaml-language-server: $schema=./schema/weir.schema.json');
    const { schemaPath: _, ...installed } = options;
    expect(defaultConfigText(installed)).not.toContain('yaml-language-server');
  });

  test('works with every commented line taken in', () => {
    const text = defaultConfigText(options).replace(
      /^( *)# ((?: {2})*(?:github|poll_interval_seconds|credentials|webhook_secret|metadata|owner|repo|docs_path|server|port|data|ref)\b)/gm,
      '$1$2',
    );
    const { config } = parse(text, { GITHUB_TOKEN: 't', GITHUB_WEBHOOK_SECRET: 's' });
    expect(config.connections.find(({ name }) => name === 'github')).toMatchObject({
      credentials: { token: 't' },
      webhookSecrets: ['s'],
      metadata: { owner: 'your-org' },
    });
  });

  test.each(['/a b/$HOME/${X}', "C:\\Users\\o'neil", 'x: y # z', 'ünï "q"', '$$'])(
    'keeps the path %s as it is',
    (path) => {
      const { config } = parse(
        defaultConfigText({ ...options, repositoryPath: path, docsPath: path, logsPath: path, allowedPaths: [path] }),
      );
      expect(config.connections.map(({ metadata }) => metadata)).toMatchObject([
        { path, docs_path: path },
        {},
        { paths: [path] },
      ]);
    },
  );
});
