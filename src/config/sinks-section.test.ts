import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Fault } from '#core/fault.ts';
import { effectiveSettings } from './effective-settings.ts';
import { weirJsonSchema } from './json-schema.ts';
import { parseConfig } from './parse-config.ts';
import { formatProblems } from './problem.ts';
import { configurationReference } from './reference.ts';
import type { SinkTypes } from './sink-settings.ts';

const CANARY = 'whsec_Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ';
const http = z.strictObject({
  url: z.url(),
  secret: z.string().startsWith('whsec_').meta({ writeOnly: true }),
  timeout_seconds: z.number().default(15),
});
const sinkTypes: SinkTypes = new Map([
  ['http', { settings: http, warnings: () => [{ key: 'url', problem: 'is a far cry', hint: 'come nearer' }] }],
  ['file', { settings: z.strictObject({ path: z.string(), api_key: z.string().optional() }) }],
]);
const parse = (text: string, env: Record<string, string> = { CRM_SECRET: CANARY }) =>
  parseConfig({
    text,
    file: 'weir.yaml',
    env,
    cwd: '/project',
    readFile: () => CANARY,
    metadataSchemas: new Map([['git', z.strictObject({})]]),
    sinkTypes,
  });
function problemsOf(text: string, env?: Record<string, string>): string[] {
  try {
    parse(text, env);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.message).not.toContain(CANARY);
    return error.message.split('\n').slice(1);
  }
  throw new Error('no fault was thrown');
}

const WHOLE = `connectors: {git: {tenant: a}}
sinks:
  crm:
    type: http
    from: 2026-01-31T08:00:00+01:00
    tenants: [a]
    connectors: [git]
    kinds: [document]
    settings: {url: "https://crm.example.com/x", secret: "\${CRM_SECRET}"}
  file: {settings: {path: out}, enabled: false, from: newest}
`;

test('without the section there are no sinks', () => {
  expect(parse('').config.sinks).toEqual([]);
});

test('an entry has a type, where it begins, what it takes, and the settings of its type with their defaults', () => {
  expect(parse(WHOLE).config.sinks).toEqual([
    {
      name: 'crm',
      type: 'http',
      enabled: true,
      from: { sinceMs: Date.UTC(2026, 0, 31, 7) },
      tenants: ['a'],
      connectors: ['git'],
      kinds: ['document'],
      settings: { url: 'https://crm.example.com/x', secret: CANARY, timeout_seconds: 15 },
      secrets: [CANARY],
    },
    { name: 'file', type: 'file', enabled: false, from: 'newest', settings: { path: 'out' }, secrets: [] },
  ]);
  const [sink] = parse(`sinks: {http: {settings: {url: "https://x.example", secret: ${CANARY}}}}`).config.sinks;
  expect(sink).toMatchObject({ type: 'http', from: 'oldest', enabled: true });
});

describe('what is wrong is said with its place and the next step', () => {
  test.for<[what: string, text: string, lines: (string | RegExp)[]]>([
    [
      'a name that Weir uses itself',
      'sinks:\n  timeline: {type: file, settings: {path: x}}\n  pull: {type: file, settings: {path: x}}',
      [
        'weir.yaml:2:3  sinks.timeline  is reserved: timeline, library, pull are names of Weir itself  rename it',
        'weir.yaml:3:3  sinks.pull  is reserved: timeline, library, pull are names of Weir itself  rename it',
      ],
    ],
    [
      'a type that does not exist',
      'sinks:\n  crm: {type: htpp, settings: {}}',
      ['weir.yaml:2:15  sinks.crm.type  unknown sink type  did you mean http? known types: file, http'],
    ],
    [
      'no type and a name that is none',
      'sinks:\n  crm: {settings: {}}',
      ['weir.yaml:2:3  sinks.crm  the name is no sink type and type is not given  known types: file, http'],
    ],
    [
      'a place to begin that is none',
      'sinks:\n  file:\n    from: yesterday\n    settings: {path: x}',
      [/^weir\.yaml:3:11 {2}sinks\.file\.from {2}must be oldest, newest or a time with a zone/],
    ],
    [
      'a time without a zone',
      'sinks:\n  file:\n    from: 2026-01-31T08:00:00\n    settings: {path: x}',
      [/^weir\.yaml:3:11 {2}sinks\.file\.from {2}must be oldest/],
    ],
    [
      'a kind that does not exist',
      'sinks:\n  file: {kinds: [documents], settings: {path: x}}',
      ['weir.yaml:2:18  sinks.file.kinds[0]  must be one of document, record, signal  did you mean document?'],
    ],
    [
      'an empty list, which would take nothing',
      'sinks:\n  file: {tenants: [], settings: {path: x}}',
      [/^weir\.yaml:2:19 {2}sinks\.file\.tenants {2}must be at least 1 items long/],
    ],
    [
      'settings of another type, missing ones and misspelt ones',
      'sinks:\n  crm:\n    type: http\n    settings: {urll: "https://x.example", secret: 5, from: oldest}',
      [
        /^weir\.yaml:4:5 {2}sinks\.crm\.settings\.url {2}is required/,
        'weir.yaml:4:16  sinks.crm.settings.urll  unknown key  did you mean url?',
        'weir.yaml:4:51  sinks.crm.settings.secret  must be text, is a number  put it in quotes',
        'weir.yaml:4:54  sinks.crm.settings.from  unknown key  it belongs under sinks.crm',
      ],
    ],
    [
      'a variable that is not set',
      'sinks:\n  crm: {type: http, settings: {url: "https://x.example", secret: "${NONE}"}}',
      [/^weir\.yaml:2:66 {2}sinks\.crm\.settings\.secret {2}the variable NONE is not set or empty/],
    ],
    [
      'a key of a connector',
      'sinks:\n  file: {tenant: a, settings: {path: x}}',
      [/sinks\.file\.tenant {2}unknown key {2}did you mean tenants\?/],
    ],
  ])('%s', ([, text, lines]) => {
    const found = problemsOf(text);
    expect(found).toHaveLength(lines.length);
    lines.forEach((line, at) =>
      typeof line === 'string' ? expect(found[at]).toBe(line) : expect(found[at]).toMatch(line),
    );
  });
});

test('a missing variable of a disabled sink is a warning', () => {
  const { config, warnings } = parse(
    'sinks:\n  crm: {type: http, enabled: false, tenants: ["${WHO}"], settings: {url: "https://x.example", secret: "${NONE}"}}',
    {},
  );
  expect(config.sinks).toMatchObject([{ name: 'crm', enabled: false }]);
  expect(formatProblems(warnings)).toMatch(/2:47 {2}sinks\.crm\.tenants\[0\] {2}the variable WHO.*\n.*variable NONE/);
});

test('what a sink would silently not get, and what its type finds, is a warning with its place', () => {
  const { warnings } = parse(
    `connectors: {git: {tenant: acme}}\nsinks:\n  crm:\n    type: http\n    connectors: [gitt, git]\n    tenants: [zeta]\n    settings: {url: "http://x.example", secret: ${CANARY}}`,
  );
  expect(formatProblems(warnings).split('\n')).toEqual([
    'weir.yaml:5:18  sinks.crm.connectors[0]  there is no such connector  did you mean git?',
    'weir.yaml:6:15  sinks.crm.tenants[0]  there is no such tenant  its older events, if any, are still sent',
    'weir.yaml:7:21  sinks.crm.settings.url  is a far cry  come nearer',
  ]);
  expect(parse(WHOLE.replace('enabled: false', 'enabled: false, connectors: [nope]')).warnings).toHaveLength(1);
});

test('settings are shown with their origin, and never what is secret in them', () => {
  const shown = effectiveSettings(parse(WHOLE));
  const of = (key: string) => shown.find((each) => each.key === `sinks.crm.${key}`);
  expect(of('settings.secret')).toMatchObject({ value: '********', secret: true, origin: 'weir.yaml:9 ${CRM_SECRET}' });
  expect(of('settings.url')).toMatchObject({ value: 'https://crm.example.com/x', secret: false });
  expect(of('settings.timeout_seconds')).toMatchObject({ value: 15, origin: 'default' });
  expect(of('kinds')).toMatchObject({ value: ['document'], origin: 'weir.yaml:8' });
  expect(JSON.stringify(shown)).not.toContain(CANARY);
});

test('what a file or a secret variable brings is a secret, wherever it stands', () => {
  const { config } = parse(
    'sinks: {file: {settings: {path: "${file:/run/secrets/path}"}}, crm: {type: file, settings: {path: "${CRM_SECRET}"}}}',
  );
  expect(config.sinks.map(({ secrets }) => secrets)).toEqual([[CANARY], [CANARY]]);
});

test('a setting that is called like a secret is one, whether or not its type says so', () => {
  const parsed = parse('sinks: {file: {settings: {path: x, api_key: k-123456}}}');
  expect(parsed.config.sinks[0]?.secrets).toEqual(['k-123456']);
  expect(JSON.stringify(effectiveSettings(parsed))).not.toContain('k-123456');
});

test('the schema file and the reference know the section and the settings of each type', () => {
  const schema = weirJsonSchema(new Map(), sinkTypes);
  expect(schema.definitions?.['settings-http']).toMatchObject({
    required: ['url', 'secret'],
    additionalProperties: false,
  });
  expect(schema.definitions?.['sink']?.allOf).toHaveLength(2);
  expect(schema.properties?.['sinks']?.properties).toHaveProperty('http');
  expect(weirJsonSchema().definitions?.['sink']).not.toHaveProperty('allOf'); // draft-07 forbids an empty one
  const page = configurationReference(new Map(), sinkTypes);
  expect(page).toMatch(
    /## sinks\.&lt;name&gt;[^]*\| `connectors` \| list of text[^]*### settings of http[^]*\| `secret` \| text \| required/,
  );
});
