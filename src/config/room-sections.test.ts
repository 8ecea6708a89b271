import { expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { parseConfig } from './parse-config.ts';

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
const parse = (text: string) =>
  parseConfig({ text, file: 'weir.yaml', env: {}, cwd: '/project', readFile: () => '', metadataSchemas: new Map() });

test('what is not said has its default: half the queue for a tenant, a day, 45 days, 64 MiB, five attempts', () => {
  const { queue, disk, delivery, deadLetters } = parse('').config;
  expect(queue).toEqual({ eventsMax: 10_000, bytesMax: GIB, tenantShareRatio: 0.5, retainMs: 24 * HOUR_MS });
  expect(disk).toEqual({ ballastBytes: 64 * 1024 ** 2 });
  expect(delivery).toEqual({ attemptsMax: 5 });
  expect(deadLetters).toEqual({ retentionMs: 45 * 24 * HOUR_MS, countMax: 100_000 });
});

test('what is said is taken, 0 included', () => {
  const { queue, disk, delivery, deadLetters } = parse(`
queue: { tenant_share: 0.1, retain_hours: 0 }
disk: { pause_below_bytes: 5, refuse_below_bytes: 0, ballast_bytes: 0 }
delivery: { max_attempts: 1 }
dead_letters: { retention_days: 1.5, max_count: 100 }
`).config;
  expect(queue).toMatchObject({ tenantShareRatio: 0.1, retainMs: 0 });
  expect(disk).toEqual({ pauseFreeBytes: 5, refuseFreeBytes: 0, ballastBytes: 0 });
  expect(delivery).toEqual({ attemptsMax: 1 });
  expect(deadLetters).toEqual({ retentionMs: 36 * HOUR_MS, countMax: 100 });
});

test.each([
  ['queue: { tenant_share: 0 }', 'queue.tenant_share'],
  ['queue: { tenant_share: 1.5 }', 'queue.tenant_share'],
  ['queue: { retain_hours: -1 }', 'queue.retain_hours'],
  ['disk: { pause_below_bytes: -1 }', 'disk.pause_below_bytes'],
  ['disk: { refuse_below_bytes: 10% }', 'disk.refuse_below_bytes'],
  ['disk: { ballast_bytes: 2000000000 }', 'disk.ballast_bytes'],
  ['delivery: { max_attempts: 0 }', 'delivery.max_attempts'],
  ['dead_letters: { retention_days: 0 }', 'dead_letters.retention_days'],
  ['dead_letters: { max_count: 99 }', 'dead_letters.max_count'],
])('%s is refused at its key', (text, key) => {
  let thrown: unknown;
  try {
    parse(text);
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof Fault)) throw new Error('no fault was thrown');
  expect(thrown.problems.map(({ path }) => path)).toEqual([key]);
});
