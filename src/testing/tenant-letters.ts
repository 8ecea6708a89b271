// What the tenants of the isolation suite do to dead letters, and what one of them sees.

import { Fault } from '#core/fault.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { StorageSession } from './engine-harness.ts';
import { hold } from './event-samples.ts';

export const CANARY = 'canaryofb';
const RANK = 'score'; // of BM25: depends on how many documents there are in all, and is no row of anybody

export type Tenant = 'a' | 'b';

/** Every text b writes carries the canary and also the words that a searches for. */
export function saysOf(tenant: string): string {
  return tenant === 'b' ? `${CANARY} shared` : 'shared';
}

/** A sink that takes nothing: all that waits for it becomes dead letters. */
export async function rejectAll(session: StorageSession, partitions: readonly number[]): Promise<void> {
  for (const partition of partitions) {
    const entries = await session.log.read('sink', partition, 100);
    const last = entries.at(-1);
    if (last === undefined) continue;
    const letters = entries.map((entry) => ({
      entry,
      code: 'record_invalid' as const,
      message: saysOf(entry.event.tenant),
      attempts: 1,
    }));
    await session.log.commit(
      'sink',
      partition,
      last.position,
      await hold(session, partitionLeaseName('sink', partition)),
      letters,
    );
  }
}

/** What operators do, under their own tenant and with the ids of everybody's letters. */
export async function changeLetters(
  { store }: StorageSession,
  tenant: Tenant,
  { key, at, choice }: { readonly key: string; readonly at: number; readonly choice: number },
): Promise<void> {
  const { deadLetters } = store;
  const tenants = [tenant];
  const own = await deadLetters.list({ tenants, key }, 100);
  const others = await deadLetters.list({ tenants: ['a', 'b'], key }, 100);
  const foreign = others.filter((letter) => letter.tenant !== tenant).map(({ id }) => id);
  switch (choice) {
    case 0:
      return void (await deadLetters.queue({ tenants, key }));
    case 1:
      // The newest of its own, so that both programs edit the same one.
      for (const id of [...own.slice(0, 1).map((letter) => letter.id), ...foreign])
        await deadLetters.edit(tenants, id, { tenant, says: saysOf(tenant), at });
      return;
    case 2:
      return void (await deadLetters.discard({ tenants, key, state: 'queued' }));
    default:
      await deadLetters.queue({ tenants, ids: [...own, ...others].map(({ id }) => id), class: 'source' });
      return void (await deadLetters.discard({ tenants, ids: foreign }));
  }
}

/** A sink that takes nothing of what is put back either. */
export async function refuseReplays(session: StorageSession, partitions: readonly number[]): Promise<void> {
  const { deadLetters } = session.store;
  for (const partition of partitions) {
    const letters = await deadLetters.queued('sink', partition, 100);
    const fence = await hold(session, partitionLeaseName('sink', partition));
    const results = letters.map(({ id, entry }) => {
      const fault = new Fault('sink_rejected', saysOf(entry.event.tenant));
      return { id, result: { outcome: 'reject', fault } } as const;
    });
    await deadLetters.settle('sink', partition, results, fence);
  }
}

export async function lettersSeenBy(tenant: string, { store: { deadLetters } }: StorageSession): Promise<unknown> {
  const seen: unknown[] = [];
  for (const { id } of await deadLetters.list({ tenants: ['a', 'b'] }, 500))
    seen.push(await deadLetters.get([tenant], id));
  const groups = await deadLetters.groups({ tenants: [tenant] });
  return [sorted(seen.filter((letter) => letter !== undefined)), sorted(groups)];
}

// Positions, row numbers and letter ids count across tenants: they are places, not contents.
export function withoutNumbering(name: string, value: unknown): unknown {
  if (name === 'position' || name === 'row' || name === 'sampleId' || name === RANK) return undefined;
  return name === 'id' && typeof value === 'number' ? undefined : value;
}

export function sorted(rows: readonly unknown[] | undefined): readonly unknown[] | undefined {
  return rows?.toSorted((a, b) => (JSON.stringify(a, withoutNumbering) < JSON.stringify(b, withoutNumbering) ? -1 : 1));
}
