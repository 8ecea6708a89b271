// What CallStore promises: minutes replaced by key, failures newest first, and forgetting.

import { describe, expect, it } from 'vitest';
import type { CallMinute } from '#core/store.ts';
import { type OpenHarness, withStorage } from './engine-harness.ts';
import { sampleFailure, sampleMinute, WIKI } from './store-samples.ts';

function plainMinutes(minutes: readonly CallMinute[]) {
  return minutes
    .map((row) => ({ ...row, sketch: [...row.sketch] }))
    .toSorted((a, b) => a.minute - b.minute || (a.operation < b.operation ? -1 : 1));
}

export function callsSuite(openHarness: OpenHarness): void {
  describe('calls', () => {
    it('a minute that is saved again replaces the one of its key and no other', () =>
      withStorage(openHarness, async (session) => {
        const other = [
          sampleMinute('get', 10),
          sampleMinute('list', 11),
          sampleMinute('list', 10, { connection: 'other' }),
        ];
        await session.store.calls.save([sampleMinute('list', 10), ...other], []);
        const changed = sampleMinute('list', 10, { succeeded: 9, failed: 3, sketch: new Uint8Array(300).fill(7) });
        await session.store.calls.save([changed], []);
        await session.reopen();
        expect(plainMinutes(await session.store.calls.minutes(WIKI, 0))).toEqual(
          plainMinutes([sampleMinute('get', 10), changed, sampleMinute('list', 11)]),
        );
        expect(plainMinutes(await session.store.calls.minutes({ ...WIKI, connection: 'other' }, 0))).toEqual(
          plainMinutes(other.slice(2)),
        );
      }));

    it('minutes begin with sinceMinute', () =>
      withStorage(openHarness, async ({ store }) => {
        await store.calls.save(
          [8, 9, 10, 11].map((minute) => sampleMinute('list', minute)),
          [],
        );
        expect((await store.calls.minutes(WIKI, 10)).map(({ minute }) => minute).toSorted((a, b) => a - b)).toEqual([
          10, 11,
        ]);
      }));

    it('failures come newest first, at most limit, as they were saved', () =>
      withStorage(openHarness, async ({ store }) => {
        const failures = [2_000, 4_000, 1_000, 3_000].map((atMs) => sampleFailure(`at ${atMs} \u0000'"`, atMs));
        await store.calls.save([], [...failures, sampleFailure('elsewhere', 9_000, { connection: 'other' })]);
        expect(await store.calls.failures(WIKI, 3)).toEqual([failures[1], failures[3], failures[0]]);
      }));

    it('forget drops old minutes and all but the newest failures of each connection', () =>
      withStorage(openHarness, async ({ store }) => {
        const times = [1_000, 2_000, 3_000];
        const failures = times.flatMap((atMs) => [
          sampleFailure(`wiki ${atMs}`, atMs),
          sampleFailure(`other ${atMs}`, atMs + 10_000, { connection: 'other' }),
        ]);
        await store.calls.save(
          [8, 9, 10].map((minute) => sampleMinute('list', minute)),
          failures,
        );
        await store.calls.forget(9, 2);
        expect((await store.calls.minutes(WIKI, 0)).map(({ minute }) => minute).toSorted((a, b) => a - b)).toEqual([
          9, 10,
        ]);
        expect((await store.calls.failures(WIKI, 10)).map(({ message }) => message)).toEqual([
          'wiki 3000',
          'wiki 2000',
        ]);
        expect(
          (await store.calls.failures({ ...WIKI, connection: 'other' }, 10)).map(({ message }) => message),
        ).toEqual(['other 3000', 'other 2000']);
      }));
  });
}
