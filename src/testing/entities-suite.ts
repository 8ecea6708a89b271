// What EntityStore promises: the newest accepted state of every key, whatever order the events came in.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { append, sample, SAMPLE_STREAM } from './event-samples.ts';
import { HOSTILE_TEXTS } from './hostile-text.ts';

async function liveKeys(session: StorageSession, pageSize: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const page = await session.store.entities.live(SAMPLE_STREAM, keys.at(-1), pageSize);
    expect(page.length).toBeLessThanOrEqual(pageSize);
    if (page.length === 0) return keys;
    keys.push(...page.map(({ key }) => key));
  }
}

export function entitiesSuite(openHarness: OpenHarness): void {
  describe('entities', () => {
    it('pages through every live key once, in key order', () =>
      withStorage(openHarness, async (session) => {
        const keys = Array.from({ length: 25 }, (_, at) => `k-${String(at).padStart(2, '0')}`);
        await append(session, ...keys.toReversed().map((key) => sample({ key })));
        await append(
          session,
          sample({ key: 'k-07', version: 2, op: 'delete' }),
          sample({ key: 'x', of: { ...SAMPLE_STREAM, stream: 'other' } }),
        );
        expect(await liveKeys(session, 4)).toEqual(keys.filter((key) => key !== 'k-07'));
        expect(await session.store.entities.countLive(SAMPLE_STREAM)).toBe(24);
      }));

    it('pages through keys of every alphabet, each once and byte for byte', () =>
      withStorage(openHarness, async (session) => {
        const keys = HOSTILE_TEXTS.map((text) => text.slice(0, 1000));
        await append(session, ...keys.map((key) => sample({ key })));
        expect((await liveKeys(session, 7)).toSorted()).toEqual(keys.toSorted());
      }));

    it('what was deleted and came back under a higher version is live', () =>
      withStorage(openHarness, async (session) => {
        await append(session, sample({ version: 1 }), sample({ version: 2, op: 'delete' }), sample({ version: 3 }));
        expect(await session.store.entities.live(SAMPLE_STREAM, undefined, 10)).toEqual([
          { key: 'page-1', version: 3 },
        ]);
      }));

    it(
      'is the state of the highest version for any order of arrival (P1)',
      { timeout: PROPERTY_TIMEOUT_MS },
      async () => {
        const change = fc.record({
          key: fc.constantFrom('p', 'q', 'r'),
          version: fc.integer({ min: 1, max: 30 }),
          deletes: fc.boolean(),
        });
        const changes = fc.uniqueArray(change, { selector: ({ key, version }) => `${key}/${version}`, maxLength: 25 });
        const property = fc.asyncProperty(changes, fc.integer({ min: 1, max: 5 }), (list, batchSize) =>
          withStorage(openHarness, async (session) => {
            const events = list.map(({ key, version, deletes }) =>
              sample({ key, version, op: deletes ? 'delete' : 'upsert' }),
            );
            for (let at = 0; at < events.length; at += batchSize)
              await append(session, ...events.slice(at, at + batchSize));
            const newest = ['p', 'q', 'r'].flatMap((key) =>
              list
                .filter((one) => one.key === key)
                .toSorted((a, b) => b.version - a.version)
                .slice(0, 1),
            );
            const live = newest.filter(({ deletes }) => !deletes).map(({ key, version }) => ({ key, version }));
            expect(await session.store.entities.live(SAMPLE_STREAM, undefined, 10)).toEqual(live);
            expect(await session.store.entities.countLive(SAMPLE_STREAM)).toBe(live.length);
          }),
        );
        await fc.assert(property, runsOf('heavy'));
      },
    );
  });
}
