// What DeadLetterStore promises. How letters come into being is told by the suites of append and delivery.

import { describe, expect, it } from 'vitest';
import { type OpenHarness, type StorageSession, withStorage } from './engine-harness.ts';
import { checkpointOf, SAMPLE_STREAM } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';
import { WIKI } from './store-samples.ts';

export function deadLettersSuite(openHarness: OpenHarness): void {
  describe('dead letters', () => {
    async function fail(session: StorageSession, key: string, of = SAMPLE_STREAM): Promise<void> {
      const checkpoint = await checkpointOf(session, key, of);
      await session.log.append({ events: [], failures: [{ key, code: 'record_invalid', message: key }], checkpoint });
      await session.clock.advance(1_000);
    }

    it('lists the newest first, of the given tenants and connection, at most limit', () =>
      withStorage(openHarness, async (session) => {
        for (const key of ['one', 'two', 'three']) await fail(session, key);
        await fail(session, 'elsewhere', { ...SAMPLE_STREAM, connection: 'other' });
        await fail(session, 'foreign', { ...SAMPLE_STREAM, tenant: 'b' });
        const { deadLetters } = session.store;
        const keys = async (tenants: string[], connection: string | undefined, limit: number) =>
          (await deadLetters.list(tenants, connection, limit)).map(({ key }) => key);
        expect(await keys(['a'], 'wiki', 2)).toEqual(['three', 'two']);
        expect(await keys(['a'], undefined, 10)).toEqual(['elsewhere', 'three', 'two', 'one']);
        expect(await keys(['b', 'a'], undefined, 10)).toEqual(['foreign', 'elsewhere', 'three', 'two', 'one']);
        expect(await keys([], undefined, 10)).toEqual([]);
        expect(await deadLetters.count(WIKI)).toBe(3);
        expect(await deadLetters.count({ tenant: 'b', connection: 'wiki' })).toBe(1);
        expect(new Set((await deadLetters.list(['a', 'b'], undefined, 10)).map(({ id }) => id)).size).toBe(5);
      }));

    it('keeps keys and reasons byte for byte', () =>
      withStorage(openHarness, async (session) => {
        const failures = HOSTILE_TEXTS.map((text) => ({
          key: text,
          code: 'record_invalid' as const,
          message: text,
          payload: { [text]: text },
        }));
        await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, 1) });
        const letters = await session.store.deadLetters.list(['a'], 'wiki', HOSTILE_TEXTS.length);
        expect(letters.map(({ key, message }) => [key, message]).toSorted()).toEqual(
          failures.map(({ key, message }) => [key, message]).toSorted(),
        );
      }));
  });
}
