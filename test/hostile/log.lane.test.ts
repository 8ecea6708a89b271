import { expect, test } from 'vitest';
import { sealEvent, type EventDraft, type SealedEvent } from '#core/event.ts';
import { Fault } from '#core/fault.ts';
import { openSqliteStorage } from '#storage/sqlite/storage.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { INPUTS, SEED } from './inputs.ts';
import { chanceOf, mutate, type Chance } from './mutate.ts';

const SOURCE = { tenant: 'a', connection: 'wiki', connector: 'scripted', stream: 'docs' };
const VALID = Buffer.from(
  JSON.stringify({
    kind: 'document',
    op: 'upsert',
    key: 'page-1',
    version: 4096,
    time: '2026-01-01T00:00:00.000Z',
    severity: 'low',
    title: 'A page',
    url: 'https://example.com/1',
    tags: ['a'],
    links: [{ rel: 'to', to: 'page-2' }],
    text: 'words',
    acl: ['everyone'],
    context: { request_id: '1' },
    data: { deep: [[[1, null, { a: true }]]], number: 1e21 },
  }),
);
const STRANGE: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  2 ** 53,
  '\ud800',
  [],
  {},
  Number.POSITIVE_INFINITY,
  '9999-99-99',
  'x'.repeat(5_000_000),
];

/** A draft as a faulty connector would hand it over: wrong JSON of the right shape, or a member that no JSON can hold. */
function draftFrom(chance: Chance): unknown {
  const text = mutate(VALID, chance).toString('utf8');
  try {
    const draft: unknown = JSON.parse(text);
    return draft;
  } catch {
    const draft = JSON.parse(VALID.toString()) as Record<string, unknown>; // VALID is an object
    draft[chance.pick(Object.keys(draft))] = chance.pick(STRANGE);
    if (chance.below(4) === 0) draft['key'] = `key-${chance.below(1000)}`;
    return draft;
  }
}

test('whatever a connector hands over is stored as it is or refused with a reason, and the log stays whole', async () => {
  const chance = chanceOf(SEED);
  const storage = openSqliteStorage({ data: ':memory:', clock: new SimulatedClock() });
  await storage.log.register('test');
  const refused = new Map<string, number>();
  const sealed = new Map<string, SealedEvent>();
  let duplicates = 0;
  for (let input = 0; input < INPUTS; input += 1) {
    try {
      const event = sealEvent(SOURCE, draftFrom(chance) as EventDraft); // the cast is the point: it is not one
      const { accepted } = await storage.log.append({ events: [event] });
      if (accepted === 0) duplicates += 1;
      else sealed.set(event.event.id, event);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
    }
  }
  expect([...refused.keys()].toSorted()).toEqual(['record_invalid', 'record_too_large']);
  const { size, bytes } = await storage.log.stats();
  expect(size).toBe(sealed.size);
  expect(bytes).toBe([...sealed.values()].reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0));
  expect(sealed.size + duplicates + [...refused.values()].reduce((sum, count) => sum + count, 0)).toBe(INPUTS);
  storage.close();
});
