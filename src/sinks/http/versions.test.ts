// P1 for this sink: the receiver that its README asks for ends with the highest version of each key, whatever happens on the way.
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { LogEntry } from '#core/event-log.ts';
import { countOf } from '../../../test/lane.ts';
import { entry, isGenuine, openWorld, type Answerer, type Got, type World } from './fixtures/receiver.ts';

const never = new AbortController().signal;
let world: World | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

const BodySchema = z.object({ source: z.string(), subject: z.string(), sequence: z.string(), type: z.string() });

/** What the README asks of a receiver: known ids are answered at once, older versions change nothing, a delete leaves its version. */
class Receiver {
  readonly #seen = new Set<string>();
  readonly rows = new Map<string, { readonly sequence: string; readonly deleted: boolean }>();

  take(got: Got, nowMs: number): void {
    expect(isGenuine(got, nowMs)).toBe(true);
    const id = got.headers['webhook-id'] ?? '';
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const { source, subject, sequence, type } = BodySchema.parse(JSON.parse(got.body));
    const key = `${source} ${subject}`;
    if ((this.rows.get(key)?.sequence ?? '') < sequence)
      this.rows.set(key, { sequence, deleted: type.endsWith('.delete') });
  }
}

const TROUBLES = ['fine', 'refused before', 'answer lost', 'gone for a while', 'slow down'] as const;
type Trouble = (typeof TROUBLES)[number];

function answererOf(receiver: Receiver, troubles: Trouble[], nowMs: () => number): Answerer {
  return (got, response) => {
    switch (troubles.shift() ?? 'fine') {
      case 'fine':
        receiver.take(got, nowMs());
        response.writeHead(204).end();
        return;
      case 'answer lost':
        receiver.take(got, nowMs());
        response.destroy();
        return;
      case 'refused before':
        response.writeHead(500).end();
        return;
      case 'gone for a while':
        response.destroy();
        return;
      case 'slow down':
        response.writeHead(429).end();
    }
  };
}

/** Like delivery: the same entries again, from the first that was not settled. */
async function writeAll({ sink, clock }: World, entries: readonly LogEntry[]): Promise<void> {
  for (let rest = entries; rest.length > 0;) {
    const results = await sink.write(rest, never);
    const stuck = results.findIndex(({ outcome }) => outcome === 'retry');
    rest = stuck < 0 ? [] : rest.slice(stuck);
    await clock.advance(1000);
  }
}

test('any order, repetition and loss of answers ends in the highest version of each key, deletes included', async () => {
  const versionOf = fc.record({ key: fc.constantFrom('a', 'b'), version: fc.integer({ min: 1, max: 12 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(versionOf, { minLength: 1, maxLength: 8, selector: ({ key, version }) => `${key}${version}` }),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.constantFrom(...TROUBLES), { maxLength: 12 }),
      async (versions, again, troubles) => {
        // Every third version is a delete.
        const entries = versions.map(({ key, version }) =>
          entry({ key, version, op: version % 3 === 0 ? 'delete' : 'upsert' }),
        );
        const repeated = again.flatMap((at) => entries[at % entries.length] ?? []);
        const receiver = new Receiver();
        const opened = await openWorld((...call) => answererOf(receiver, left, () => opened.clock.now())(...call));
        const left = [...troubles];
        world = opened;
        await writeAll(opened, [...repeated, ...entries]);
        for (const key of new Set(versions.map((each) => each.key))) {
          const highest = Math.max(...versions.filter((each) => each.key === key).map(({ version }) => version));
          const row = [...receiver.rows].find(([name]) => name.endsWith(` ${key}`))?.[1];
          expect([Number(row?.sequence), row?.deleted]).toEqual([highest, highest % 3 === 0]);
        }
        await opened.close();
        world = undefined;
      },
    ),
    { numRuns: countOf({ quick: 60, change: 300, long: 3000 }) },
  );
});
