import { afterEach, describe, expect, test } from 'vitest';
import type { SinkDefinition } from '#core/sink.ts';
import type { SinkConfig } from '#config/sink-settings.ts';
import { parseConfig } from '#config/parse-config.ts';
import { startServer, until, type LocalServer } from '#sdk/fixtures/http-world.ts';
import httpSink from '#sinks/http/sink.ts';
import { sample } from '#testing/event-samples.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { redactorOf } from './compose.ts';
import { bindSinks } from './sinks.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const definitions: ReadonlyMap<string, SinkDefinition> = new Map([[httpSink.type, httpSink as SinkDefinition]]);
const never = new AbortController().signal;
let server: LocalServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

const configOf = (more: Partial<SinkConfig> = {}): SinkConfig => ({
  name: 'crm',
  type: 'http',
  enabled: true,
  from: 'oldest',
  settings: { url: `${server?.url ?? 'https://crm.example.com'}/x`, secret: SECRET, timeout_seconds: 15 },
  secrets: [SECRET],
  ...more,
});
const bind = (config: SinkConfig) =>
  bindSinks([config], definitions, { clock: new SimulatedClock(), random: simulatedRandom(1) });

test('an entry of the configuration becomes a sink that sends, and whose sockets end with it', async () => {
  server = await startServer((_, response) => response.writeHead(204).end());
  const { url, requests, open } = server;
  const [binding] = bind(configOf({ from: { sinceMs: 5 } }));
  expect(binding).toMatchObject({ type: 'http', from: { sinceMs: 5 }, sink: { name: 'crm' } });
  const entry = { position: 1, observedAtMs: 0, event: sample().event };
  expect(await binding?.sink.write([entry], never)).toEqual([{ outcome: 'written' }]);
  await binding?.sink.ping(never);
  expect(requests.map(({ method }) => `${method} ${url}`)).toEqual([`POST ${url}`, `OPTIONS ${url}`]);
  expect(open()).toBeGreaterThan(0);
  await binding?.sink.close();
  await until(() => open() === 0);
});

test('a sink that is switched off is not made', () => {
  expect(bind(configOf({ enabled: false }))).toEqual([]);
});

describe('a sink takes', () => {
  const { event } = sample(); // tenant a, connection wiki, a document
  test.for<[what: string, filter: Partial<SinkConfig>, taken: boolean]>([
    ['everything, without a filter', {}, true],
    ['its tenants', { tenants: ['b', 'a'] }, true],
    ['no other tenants', { tenants: ['b'] }, false],
    ['its connectors, by their names', { connectors: ['wiki'] }, true],
    ['no others of their type', { connectors: ['sample'] }, false],
    ['its kinds', { kinds: ['document'] }, true],
    ['no other kinds', { kinds: ['record', 'signal'] }, false],
    ['only what passes every filter', { tenants: ['a'], connectors: ['wiki'], kinds: ['signal'] }, false],
  ])('%s', ([, filter, taken]) => {
    expect(bind(configOf(filter))[0]?.accepts(event)).toBe(taken);
  });
});

test("a sink's secret is redacted in everything that is written", () => {
  const { config } = parseConfig({
    text: `sinks: {http: {settings: {url: "https://x.example", secret: "${SECRET}"}}}`,
    file: 'weir.yaml',
    env: {},
    cwd: '/project',
    readFile: () => '',
    sinkTypes: definitions,
  });
  expect(redactorOf(config).redactText(`it is ${SECRET}!`)).not.toContain(SECRET.slice(6));
});
