import { expect, test } from 'vitest';
import { sealEvent } from '#core/event.ts';
import { LOG_LIMITS } from '#core/event-log.ts';
import { partitionOf } from '#core/partition.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { openSqliteStorage } from './storage.ts';

const OF = { tenant: 'a', connection: 'wiki', connector: 'scripted', stream: 'docs' };
const MIB = 1024 ** 2;

test('a read of large events gives as many as fit into its limit, in order, and always at least one', async () => {
  const storage = openSqliteStorage({ data: ':memory:', clock: new SimulatedClock(), partitionSecret: 'test' });
  await storage.log.register('test');
  const sizes = [3, 3, 3, 1, 1, 1].map((mib) => mib * MIB);
  for (const [index, chars] of sizes.entries()) {
    const draft = {
      kind: 'document',
      op: 'upsert',
      key: 'k',
      version: index + 1,
      time: '2026-01-01T00:00:00Z',
    } as const;
    await storage.log.append({
      events: [sealEvent(OF, { ...draft, text: 'x'.repeat(1000), data: 'x'.repeat(chars) })],
    });
  }
  const partition = partitionOf('test', OF.tenant, 'k');
  const entries = await storage.log.read('test', partition, 256);
  expect(entries.map(({ position }) => position)).toEqual([1, 2]);
  expect(entries.reduce((sum, { event }) => sum + JSON.stringify(event).length, 0)).toBeLessThan(
    LOG_LIMITS.readCharsMax,
  );
  storage.close();
});
