import { expect, test } from 'vitest';
import { parseConfig } from '#config/parse-config.ts';
import { parseForecastPlan } from '#config/forecast-plan.ts';
import { Fault } from '#core/fault.ts';
import { INPUTS, SEED } from './inputs.ts';
import { chanceOf, mutate } from './mutate.ts';

const VALID_CONFIG = Buffer.from(`# what to connect
connectors:
  git:
    poll_interval_seconds: 60
    metadata: { repositories: [.], docs_path: "**/*.md" }
  logs:
    type: logs
    tenant: acme
    schedule: { cron: "*/15 * * * *", timezone: Europe/Berlin }
    credentials: "\${TOKEN:-none}"
    webhook_secret: [one, two]
server: { host: 127.0.0.1, port: 8000 }
queue: { max_size: 10000, max_bytes: 1073741824 }
retry: &retry
  max_attempts: 3
  base_ms: 400
alerts: {}
`);
const VALID_PLAN = Buffer.from(`rates: { git: 100 }
faults:
  - { connector: git, answer: 502, from: 1h, for: 40m }
  - sink: library
    answer: down
    from: 90s
    for: 2d
    share: 0.5
`);
const SLOW_MS = 2000; // a text of this size is read in a few milliseconds; above it something grows out of bounds

function outcomeOf(parse: () => unknown): 'taken' | 'refused' {
  try {
    parse();
    return 'taken';
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'config_invalid') throw error;
    expect(error.problems.length, error.message).toBeGreaterThan(0);
    return 'refused';
  }
}

test.for([
  [
    'weir.yaml',
    VALID_CONFIG,
    (text: string) =>
      parseConfig({ text, file: 'weir.yaml', env: { TOKEN: 'x' }, cwd: '/nowhere', readFile: () => '' }),
  ],
  [
    'a plan of troubles',
    VALID_PLAN,
    (text: string) => parseForecastPlan({ text, file: 'plan.yaml', connectors: ['git', 'logs'], sinks: ['library'] }),
  ],
] as const)('%s: any text is taken or refused with its problems, and never takes long', ([, valid, parse]) => {
  const chance = chanceOf(SEED);
  expect(outcomeOf(() => parse(valid.toString()))).toBe('taken');
  const outcomes = { taken: 0, refused: 0 };
  let slowestMs = 0;
  for (let input = 0; input < INPUTS; input += 1) {
    const text = mutate(valid, chance).toString(chance.below(10) === 0 ? 'latin1' : 'utf8');
    const startMs = performance.now();
    outcomes[outcomeOf(() => parse(text))] += 1;
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  expect(outcomes.taken + outcomes.refused).toBe(INPUTS);
  expect(outcomes.refused).toBeGreaterThan(INPUTS / 3);
  expect(slowestMs).toBeLessThan(SLOW_MS);
});
