// P21 at the level of storage, as non-interference: whatever tenant b does, under the same connection names, keys and run
// times, tenant a sees exactly what it would see alone, and no text of b (I9, B24).

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Kind } from '#core/event.ts';
import type { SearchPage } from '#core/library.ts';
import type { StreamRef } from '#core/names.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { append, checkpointOf, deliver, partitionsOfEvents, sample } from './event-samples.ts';
import {
  CANARY,
  changeLetters,
  lettersSeenBy,
  refuseReplays,
  rejectAll,
  saysOf,
  sorted,
  type Tenant,
  withoutNumbering,
} from './tenant-letters.ts';
import { sampleFailure, sampleMinute, sampleRun } from './store-samples.ts';

interface Act {
  readonly act:
    | 'append'
    | 'delete'
    | 'checkpoint'
    | 'deliver'
    | 'reject'
    | 'letters'
    | 'replay'
    | 'forget'
    | 'run'
    | 'end_run'
    | 'calls'
    | 'schedule';
  readonly tenant: Tenant;
  readonly key: string;
  readonly connection: string;
  readonly kind: Kind;
  readonly number: number;
}

const actArbitrary: fc.Arbitrary<Act> = fc.record({
  act: fc.constantFrom<Act['act'][]>(
    'append',
    'append',
    'append',
    'delete',
    'checkpoint',
    'deliver',
    'reject',
    'letters',
    'letters',
    'replay',
    'forget',
    'run',
    'end_run',
    'calls',
    'schedule',
  ),
  tenant: fc.constantFrom<Tenant[]>('a', 'b'),
  key: fc.constantFrom('k1', 'k2', 'k3'),
  connection: fc.constantFrom('wiki', 'code'),
  kind: fc.constantFrom<Kind[]>('document', 'document', 'record', 'signal'),
  number: fc.integer({ min: 0, max: 8 }),
});

// Delivery and retention serve all tenants at once.
const ACTS_OF_THE_PLATFORM: readonly Act['act'][] = ['deliver', 'reject', 'replay', 'forget'];

export function tenantIsolationSuite(openHarness: OpenHarness): void {
  describe('tenants', () => {
    it(
      'a tenant sees what it would see alone, whatever another one does (P21)',
      { timeout: PROPERTY_TIMEOUT_MS },
      async () => {
        const property = fc.asyncProperty(
          fc.array(actArbitrary, { minLength: 1, maxLength: 40, size: 'max' }),
          async (acts) => {
            const together = await viewAfter(openHarness, acts, () => true);
            const alone = await viewAfter(
              openHarness,
              acts,
              (act) => act.tenant === 'a' || ACTS_OF_THE_PLATFORM.includes(act.act),
            );
            expect(together).toEqual(alone);
            expect(JSON.stringify(together)).not.toContain(CANARY);
          },
        );
        await fc.assert(property, runsOf('heavy'));
      },
    );
  });
}

/** What tenant a sees after the acts, numbered by their place in the whole program so that both programs agree on times. */
async function viewAfter(
  openHarness: OpenHarness,
  acts: readonly Act[],
  happens: (act: Act) => boolean,
): Promise<unknown> {
  let view: unknown;
  await withStorage(openHarness, async (session) => {
    for (const reader of ['timeline', 'library', 'sink']) await session.log.register(reader);
    for (const [at, act] of acts.entries()) {
      if (happens(act)) await perform(session, act, at);
      await session.clock.advance(1_000);
    }
    view = await viewOfA(session);
  });
  return view;
}

async function perform(session: StorageSession, act: Act, at: number): Promise<void> {
  const { tenant, connection, key, kind, number } = act;
  const of: StreamRef = { tenant, connection, stream: 'pages' };
  const says = saysOf(tenant);
  const mark = tenant === 'b' ? CANARY : 'own';
  switch (act.act) {
    case 'append':
    case 'delete': {
      const links = [
        { rel: mark, to: 'k1' },
        { rel: mark, to: 'https://shared.example/' },
      ];
      const url = key === 'k2' ? 'https://shared.example/' : `https://shared.example/${mark}`;
      const draft = { of, key, kind, version: number, op: act.act === 'delete' ? 'delete' : 'upsert' } as const;
      await append(
        session,
        sample({
          ...draft,
          title: says,
          text: `${says} k${number}`,
          url,
          links,
          tags: [mark, 'shared'],
          severity: 'high',
        }),
      );
      return;
    }
    case 'checkpoint': {
      const failures = [{ key, code: 'record_invalid' as const, message: says, payload: says }];
      await session.log.append({ events: [], failures, checkpoint: await checkpointOf(session, { mark, number }, of) });
      return;
    }
    case 'deliver':
      return deliverAll(session, of, key);
    case 'reject':
      return rejectAll(session, partitionsOfKey(session, of, key));
    case 'letters':
      return changeLetters(session, tenant, { key, at, choice: number % 4 });
    case 'replay':
      return refuseReplays(session, partitionsOfKey(session, of, key));
    case 'forget':
      return void (await session.store.deadLetters.forget(session.clock.now() - number * 5_000, 3));
    case 'run':
      return session.store.runs.start(sampleRun(`${tenant}-${at}`, at, { ...of, message: says }));
    case 'end_run': {
      const [newest] = await session.store.runs.recent(of, 1);
      if (newest !== undefined)
        await session.store.runs.end({ ...newest, endedAtMs: at, outcome: number % 2 === 0 ? 'succeeded' : 'failed' });
      return;
    }
    case 'calls': {
      const minute = sampleMinute('list', number, { tenant, connection, succeeded: tenant === 'b' ? 777 : at });
      return session.store.calls.save([minute], [sampleFailure(says, at, { tenant, connection })]);
    }
    case 'schedule':
      return session.store.streams.schedule(of, tenant === 'b' ? 777_000 + at : at, tenant === 'b' ? 77 : number);
  }
}

/** The partitions in which the tenants have this key: delivery serves all tenants, so both programs do the same. */
function partitionsOfKey(session: StorageSession, of: StreamRef, key: string): readonly number[] {
  return partitionsOfEvents(session, [
    sample({ of: { ...of, tenant: 'a' }, key }),
    sample({ of: { ...of, tenant: 'b' }, key }),
  ]);
}

async function deliverAll(session: StorageSession, of: StreamRef, key: string): Promise<void> {
  const partitions = partitionsOfKey(session, of, key);
  await deliver(session, session.store.timeline, partitions);
  await deliver(session, session.store.library, partitions);
}

async function viewOfA(session: StorageSession): Promise<unknown> {
  const { log, store } = session;
  const tenants = ['a'];
  const views: unknown[] = [await lettersSeenBy('a', session)];
  for (const connection of ['wiki', 'code']) {
    const of = { tenant: 'a', connection };
    const stream = { ...of, stream: 'pages' };
    views.push(await store.runs.recent(of, 100), await store.runs.lastSuccess(of));
    views.push(await store.streams.get(stream), await store.streams.list(of));
    views.push(await store.entities.live(stream, undefined, 100), await store.entities.countLive(stream));
    const minutes = (await store.calls.minutes(of, 0)).map((minute) => ({ ...minute, sketch: [...minute.sketch] }));
    views.push(
      minutes.toSorted((a, b) => a.minute - b.minute),
      await store.calls.failures(of, 100),
    );
    views.push(sorted(await store.deadLetters.list({ tenants, connection }, 100)), await store.deadLetters.count(of));
    views.push(
      found(await store.library.search({ tenants, connection, words: 'shared', limit: 100 })),
      await store.library.count('a', connection),
    );
    for (const key of ['k1', 'k2', 'k3']) views.push(sorted(await store.library.neighbours({ ...of, key })));
  }
  views.push(sorted(await store.deadLetters.list({ tenants }, 100)));
  views.push(found(await store.library.search({ tenants, words: `shared ${CANARY} k3`, limit: 100 })));
  for (const filter of [
    {},
    { tag: 'shared' },
    { text: 'shared' },
    { text: 'k1' },
    { severity: 'high' as const },
    { kind: 'signal' as const },
    { after: 0 },
  ]) {
    views.push(sorted((await store.timeline.query({ tenants, limit: 100, ...filter })).rows));
  }
  views.push(sorted(await log.peek(tenants, 100)));
  views.push((await log.stats()).tenants.filter(({ tenant }) => tenant === 'a'));
  return JSON.parse(JSON.stringify(views, withoutNumbering) ?? 'null');
}

function found({ total, results }: SearchPage): unknown {
  return { total, results: sorted(results) };
}
